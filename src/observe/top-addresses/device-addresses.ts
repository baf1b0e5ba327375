import type { ServedDevice } from '../../model/device.ts';
import { AskedAddresses } from './asked-addresses.ts';

/** What is asked for on one device. */
export class DeviceAddresses {
  /** All of its misses so far, as counted or estimated. */
  misses = 0;
  readonly hot = new AskedAddresses();
  /** Addresses that nobody has. Their heat does not cool: what is asked for once a minute is as wanting as the rest. */
  readonly unknown = new AskedAddresses();
}

const DEVICES = new WeakMap<ServedDevice, DeviceAddresses>();

export function addressesOf(device: ServedDevice): DeviceAddresses {
  let addresses = DEVICES.get(device);
  if (addresses === undefined) DEVICES.set(device, (addresses = new DeviceAddresses()));
  return addresses;
}
