/** Keys and values of directory records for guests and subnets. */
import type { Guest } from './guest.ts';
import type { RoutedSegment } from './routed-segment.ts';

export type Entry = readonly [key: string, value: string];

export const ipKey = (vni: number, ip: string): string => `missd:{${vni}}:ip:${ip}`;
export const macKey = (vni: number, mac: string): string => `missd:{${vni}}:mac:${mac}`;

export const subnetKey = (vni: number, cidr: string): string => `missd:{${vni}}:subnet:${cidr}`;
/** The set of a VNI's leases; a lease counts only as a member of the set. */
export const subnetsKey = (vni: number): string => `missd:{${vni}}:subnets`;

/** The `ip:` records of a guest. */
export function addressRecords({ ip4, ip6, mac, segment: { vni, host } }: Guest): Entry[] {
  return [ip4, ip6]
    .filter((ip) => ip !== undefined)
    .map((ip): Entry => [ipKey(vni, ip), `${mac} ${host.vtep}`]);
}

/** The `mac:` record of a guest, which answers an L2 miss before an address of the MAC is known. */
export function macRecord({ mac, segment: { vni, host } }: Guest): Entry {
  return [macKey(vni, mac), host.vtep];
}

/** The leases of a host that routes; the MAC is that of its VXLAN device. The set `subnetsKey` must name the leases, too. */
export function leaseRecords({ vni, subnets, mac, host }: RoutedSegment): Entry[] {
  return subnets.map((cidr) => [subnetKey(vni, cidr), `${mac} ${host.vtep}`]);
}
