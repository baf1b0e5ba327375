/** Directory records about guests, in the form that any program or `redis-cli` may write. */
import type { Guest } from './guest.ts';
import type { RoutedSegment } from './routed-segment.ts';

export type Entry = readonly [key: string, value: string];

export const ipKey = (vni: number, ip: string): string => `missd:{${vni}}:ip:${ip}`;
export const macKey = (vni: number, mac: string): string => `missd:{${vni}}:mac:${mac}`;

export const subnetKey = (vni: number, cidr: string): string => `missd:{${vni}}:subnet:${cidr}`;
/** The set that lists a VNI's leases: one counts only as a member of it. */
export const subnetsKey = (vni: number): string => `missd:{${vni}}:subnets`;

/** One record per address of the guest, as the contract of the directory has it. */
export function addressRecords({ ip4, ip6, mac, segment: { vni, host } }: Guest): Entry[] {
  return [ip4, ip6]
    .filter((ip) => ip !== undefined)
    .map((ip): Entry => [ipKey(vni, ip), `${mac} ${host.vtep}`]);
}

/** The record that answers an L2 miss before any address of that MAC is known. */
export function macRecord({ mac, segment: { vni, host } }: Guest): Entry {
  return [macKey(vni, mac), host.vtep];
}

/** The leases of a host that routes: its subnets are behind its VXLAN device's MAC. Members of `subnetsKey`, too. */
export function leaseRecords({ vni, subnets, mac, host }: RoutedSegment): Entry[] {
  return subnets.map((cidr) => [subnetKey(vni, cidr), `${mac} ${host.vtep}`]);
}
