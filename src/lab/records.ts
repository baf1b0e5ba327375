/** Directory records about guests, in the form that any program or `redis-cli` may write. */
import type { Guest } from './guest.ts';

export type Entry = readonly [key: string, value: string];

export const ipKey = (vni: number, ip: string): string => `missd:{${vni}}:ip:${ip}`;
export const macKey = (vni: number, mac: string): string => `missd:{${vni}}:mac:${mac}`;

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
