import type { Faults } from '../base/guarded-lane.ts';
import type { KernelError } from '../kernel/kernel.ts';
import type { Departure } from '../observe/history/history.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';

/** Disagreements between the directory and this host; the values of a metric label. */
export const CONFLICTS = [
  /** An interface of the served namespace has the address. */
  'assigned_here',
  /** The bridge knows the MAC on a port that is not the VXLAN device. */
  'bridge_knows_mac',
  /** An FDB entry that is not ours stands in the way and names another VTEP. */
  'foreign_fdb',
  /** A neighbour that is not ours stands in the way. */
  'foreign_neighbour',
  /** A route that is not ours stands in the way. */
  'foreign_route',
  /** A permanent entry was put over ours. */
  'overridden',
  /** An all-zeros FDB entry stands, so the kernel raises no L2 misses. */
  'default_remote',
  /** Records of one MAC name different VTEPs. */
  'vtep_disputed',
  /** A lease of another host covers an address that this host has, or the VTEP it names: no route is written to it. */
  'lease_covers_host',
  /** This host's own lease names another MAC than the device that routes has. */
  'lease_mac',
] as const;
export type Conflict = (typeof CONFLICTS)[number];

/** Corrections of the kernel tables; `idle` and `withdrawn` are the ordinary end of an entry. */
export const RECONCILE_ACTIONS = [
  'restored_fdb',
  'repaired_fdb',
  'restored_neighbour',
  'repaired_neighbour',
  'adopted_fdb',
  'adopted_neighbour',
  'removed_leftover',
  'removed_bridge_entry',
  'withdrawn',
  'withdrawn_local',
  'idle',
] as const;

export type ReconcileAction = (typeof RECONCILE_ACTIONS)[number];

/** Why entries gave way to newer ones; the values of a metric label. */
export const EVICTIONS = ['port_quota', 'max_entries'] as const;
export type Eviction = (typeof EVICTIONS)[number];

/** Where `install` says what it could not do as the directory has it. */
export interface InstallReport extends Faults {
  conflict(device: ServedDevice, reason: Conflict, what: string): void;
  failed(device: ServedDevice, table: 'neighbour' | 'fdb' | 'bridge' | 'route', error: KernelError): void;
  /** The kernel's tables differed from what is held and were brought in line. */
  mended(device: ServedDevice, action: ReconcileAction, what: string): void;
  /** Entries gave way to newer ones; `port` as in shares.ts. */
  evicted(device: ServedDevice, port: number, reason: Eviction): void;
  /** An entry was rewritten because its record says something new. */
  rewritten(device: ServedDevice, address: string, answer: Answer): void;
  /** Entries of ours went, by address or MAC. */
  removed(device: ServedDevice, addresses: Iterable<string>, why: Departure): void;
  /** What the bridge had learned of a MAC, and its record contradicts, was removed. */
  bridgeForgot(device: ServedDevice, mac: string): void;
  /** An FDB entry with our marks is somebody else's, and is left as it is. */
  foreign(device: ServedDevice, what: string): void;
}
