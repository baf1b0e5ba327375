import type { ServedDevice } from '../../model/device.ts';
import { AskedAddresses } from './asked-addresses.ts';

/** The addresses that guests of one device ask for. */
export class DeviceAddresses {
  /** Misses so far; an estimate in a storm. */
  misses = 0;
  readonly hot = new AskedAddresses();
  /** Unresolved addresses. Their heat does not decay, so that an address asked for once a minute counts as well. */
  readonly unknown = new AskedAddresses();
}

const DEVICES = new WeakMap<ServedDevice, DeviceAddresses>();

export function addressesOf(device: ServedDevice): DeviceAddresses {
  let addresses = DEVICES.get(device);
  if (addresses === undefined) DEVICES.set(device, (addresses = new DeviceAddresses()));
  return addresses;
}
