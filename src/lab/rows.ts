/** Kernel tables as `ip neigh` and `bridge fdb` print them: what a person would look at, not what missd believes. */

export interface NeighbourRow {
  ip: string;
  lladdr: string | undefined;
  /** `NOARP`, `REACHABLE`, …; several joined by a comma. */
  state: string;
  externLearned: boolean;
  router: boolean;
  /** NDA_PROTOCOL; 77 is missd's. */
  protocol: number;
}

export interface FdbRow {
  lladdr: string;
  vtep: string | undefined;
  /** `permanent`, `static`, `reachable`, `stale`, or empty. */
  state: string;
  /** On the device itself, as against `master`: in the table of the bridge it is a port of. */
  self: boolean;
  master: string | undefined;
  externLearned: boolean;
  router: boolean;
}
