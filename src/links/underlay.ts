import { AssignedAddresses } from './assigned-addresses.ts';
import type { ServedDevice } from '../model/device.ts';
import type { OwnVteps } from './own-vteps.ts';

const partsOf = ({ namespace, ifindex }: ServedDevice): { device: string; underlay: string } => ({
  device: `device ${namespace.name} ${ifindex}`,
  underlay: `underlay ${namespace.name} ${ifindex}`,
});

/**
 * Makes the device's own VTEP address, and all addresses of the namespace its packets leave from, this host's.
 * @param later called when the addresses of that namespace, which are read asynchronously, have changed
 * @returns whether the device's own address has changed
 */
export function followUnderlay(
  device: ServedDevice,
  own: OwnVteps,
  isServed: () => boolean,
  later: () => void,
): boolean {
  const { vxlan, linkNetnsid } = device.link;
  const parts = partsOf(device);
  if (linkNetnsid !== undefined)
    Promise.resolve(linkNetnsid)
      .then((netnsid) => device.namespace.kernel.addresses(netnsid))
      .then(
        (addresses) => {
          const underlay = new AssignedAddresses();
          for (const address of addresses) underlay.add(address);
          const ips = underlay.reachable(new Set([vxlan.link]));
          device.underlayBroadcasts = new Set(underlay.broadcasts());
          if (isServed() && own.set(parts.underlay, ips)) later();
        },
        () => {
          // The namespace is gone, and the device with it.
        },
      );
  return own.set(parts.device, vxlan.local === undefined ? [] : [vxlan.local]);
}

export function forgetUnderlay(device: ServedDevice, own: OwnVteps): void {
  for (const part of Object.values(partsOf(device))) own.set(part, []);
}
