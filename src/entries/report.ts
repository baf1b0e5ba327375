import type { Conflict, Departure, Eviction, ReconcileAction } from '../base/outcomes.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { KernelError } from '../kernel/kernel.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';

/** Where `install` says what it could not do as the directory has it. */
export interface InstallReport extends Faults {
  conflict(device: ServedDevice, reason: Conflict, what: string): void;
  failed(device: ServedDevice, table: 'neighbour' | 'fdb' | 'bridge' | 'route', error: KernelError): void;
  /** The kernel's tables differed from what is held and were brought in line. */
  mended(device: ServedDevice, action: ReconcileAction, what: string): void;
  /** Entries gave way to newer ones; `port` as in port-quotas.ts. */
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
