import type { Conflict, Departure, Eviction, ReconcileAction } from '../base/outcomes.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { KernelError } from '../kernel/kernel.ts';
import type { Answer } from '../model/question.ts';
import type { ServedDevice } from '../model/device.ts';

/** Receives what the writers of entries refused, failed, repaired and removed. */
export interface InstallReport extends Faults {
  conflict(device: ServedDevice, reason: Conflict, what: string): void;
  failed(device: ServedDevice, table: 'neighbour' | 'fdb' | 'bridge' | 'route', error: KernelError): void;
  /** The kernel's tables differed from the desired tables and were repaired. */
  mended(device: ServedDevice, action: ReconcileAction, what: string): void;
  /** Entries gave way to newer ones; `port` as in model/port-quotas.ts. */
  evicted(device: ServedDevice, port: number, reason: Eviction): void;
  /** An entry was rewritten because its record changed. */
  rewritten(device: ServedDevice, address: string, answer: Answer): void;
  /** Our entries were removed, by address or MAC. */
  removed(device: ServedDevice, addresses: Iterable<string>, why: Departure): void;
  /** A learned bridge row that contradicts the record of its MAC was removed. */
  bridgeForgot(device: ServedDevice, mac: string): void;
  /** A foreign FDB entry with our marks was found and left alone. */
  foreign(device: ServedDevice, what: string): void;
}
