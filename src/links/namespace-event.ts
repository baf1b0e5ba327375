import type { OverrunSocket, ReceivingSocket } from '../base/outcomes.ts';
import type { KernelError, RowChange, Senders } from '../kernel/kernel.ts';
import type { Link } from '../base/vocabulary.ts';
import type { ServedDevice } from '../model/device.ts';

export type PortState = 'up' | 'down' | 'gone';

/** A change of a link, or of an address on it, in a served namespace. */
export interface LinkEvent {
  /** Path of the namespace. */
  namespace: string;
  /** Of the link. */
  name: string;
  removed: boolean;
  /** Absent where an address changed. */
  link?: Link;
}

/** An event of a served namespace. */
export type NamespaceEvent =
  | { type: 'loaded' }
  | { type: 'overrun'; socket: OverrunSocket | 'table' }
  /** Changed rows of any owner, with functions that find their devices. */
  | {
      type: 'rows';
      changes: RowChange[];
      deviceOf: (ifindex: number) => ServedDevice | undefined;
      /** Finds a device by the ifindex of its bridge. */
      behindBridge: (bridge: number) => ServedDevice | undefined;
    }
  /** Guests that were heard, with a function that finds the device behind whose bridge a port is. */
  | (Senders & { behindPort: (port: number) => ServedDevice | undefined })
  /** A guest's port of the device's bridge has a carrier, has lost it, or is no port of the bridge any more. */
  | { type: 'port'; device: ServedDevice; port: number; state: PortState }
  | { type: 'malformed'; count: number }
  /** A socket could not be read. */
  | { type: 'failed'; socket: ReceivingSocket; error: KernelError }
  | { type: 'served'; device: ServedDevice }
  | { type: 'gone'; device: ServedDevice }
  /** The kernel emptied the device's tables: it went down, or its MAC changed. */
  | { type: 'emptied'; device: ServedDevice }
  /** The device is up and can be written to again. */
  | { type: 'up'; device: ServedDevice }
  /** The device moved to another bridge, or left its bridge. */
  | { type: 'bridged'; device: ServedDevice }
  | { type: 'refused'; name: string; reason: string }
  /** Another missd serves the device. */
  | { type: 'taken'; name: string; by: string }
  /** The device is served although another program holds a name of its lock. */
  | { type: 'squatted'; name: string; by: string }
  /** An interface of the device's bridge had this address until now. */
  | { type: 'unassigned'; device: ServedDevice; ip: string }
  /** Addresses of this host came or went. */
  | { type: 'addresses' };
