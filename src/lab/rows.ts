/** Rows of kernel tables as `ip neigh` and `bridge fdb` print them, independent of missd's own decoding. */

export interface NeighbourRow {
  ip: string;
  lladdr: string | undefined;
  /** `NOARP`, `REACHABLE`, …; several states are joined by commas. */
  state: string;
  externLearned: boolean;
  router: boolean;
  /** NDA_PROTOCOL; missd writes 77. */
  protocol: number;
}

export interface FdbRow {
  lladdr: string;
  vtep: string | undefined;
  /** `permanent`, `static`, `reachable`, `stale`, or empty. */
  state: string;
  /** In the table of the device itself; `master` is the table of its bridge. */
  self: boolean;
  master: string | undefined;
  externLearned: boolean;
  router: boolean;
}
