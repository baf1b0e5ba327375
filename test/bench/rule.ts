/** Which addresses exist, the same as rule.h has it for the programs in C. */
import { macOf } from '../../src/lab/address.ts';

/** Guests on bridges are in 20/8, addresses behind routes in 30/8. */
export type Topology = 'bridged' | 'routed';
export const TOPOLOGIES: readonly Topology[] = ['bridged', 'routed'];
/** An address with a record of its own, or one that only a lease covers. */
export type Kind = 'record' | 'lease';

export const LEASE_MAC = '02:f0:00:00:00:01';

export const VNI = { bridged: 100, routed: 300 } as const;
export const DEVICE = { bridged: 'vxlan100', routed: 'vxlan300' } as const;

const NET = { bridged: 20, routed: 30 } as const;

/** The `n`-th address of a kind. */
export function address(topology: Topology, kind: Kind, n: number): string {
  const [a, b, c] = [(n >> 16) & 63, (n >> 8) & 255, n & 255];
  return `${NET[topology]}.${(kind === 'record' ? 128 : 192) + a}.${b}.${c}`;
}

export const lease = (topology: Topology): string => `${NET[topology]}.192.0.0/10`;
/** All addresses of either kind. */
export const existing = (topology: Topology): string => `${NET[topology]}.128.0.0/9`;

/** The record of the `n`-th address that has one. */
export function record(topology: Topology, n: number, vtep: string): [key: string, value: string] {
  const ip = address(topology, 'record', n);
  return [`missd:{${VNI[topology]}}:ip:${ip}`, `${macOf(ip)} ${vtep}`];
}
