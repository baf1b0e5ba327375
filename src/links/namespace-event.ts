import type { OverrunSocket, ReceivingSocket } from '../base/outcomes.ts';
import type { KernelError, RowChange } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';

/** What a namespace reports upwards. */
export type NamespaceEvent =
  | { type: 'loaded' }
  | { type: 'overrun'; socket: OverrunSocket | 'table' }
  /** Rows that changed, by whomever, and how to find the device of each. */
  | {
      type: 'rows';
      changes: RowChange[];
      deviceOf: (ifindex: number) => ServedDevice | undefined;
      /** By the ifindex of its bridge. */
      behindBridge: (bridge: number) => ServedDevice | undefined;
    }
  | { type: 'malformed'; count: number }
  /** A socket could not be read. */
  | { type: 'failed'; socket: ReceivingSocket; error: KernelError }
  | { type: 'served'; device: ServedDevice }
  | { type: 'gone'; device: ServedDevice }
  /** The kernel emptied the device's tables: it went down, or its MAC changed. */
  | { type: 'emptied'; device: ServedDevice }
  /** It can be written to again. */
  | { type: 'up'; device: ServedDevice }
  /** It is a port of another bridge than before, or of none. */
  | { type: 'bridged'; device: ServedDevice }
  | { type: 'refused'; name: string; reason: string }
  /** Another missd serves it. */
  | { type: 'taken'; name: string; by: string }
  /** It is served, although somebody else has taken a name of its lock. */
  | { type: 'squatted'; name: string; by: string }
  /** An interface of the device's bridge had this address until now. */
  | { type: 'unassigned'; device: ServedDevice; ip: string }
  /** Addresses of this host came or went. */
  | { type: 'addresses' };
