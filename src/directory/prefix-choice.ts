/** Which prefixes of a routed network a host tries to acquire, and in which order. */
import { covers, formatPrefix, parseCidr, type Prefix } from '../base/prefix.ts';
import type { Network } from './network.ts';

/** Of one attempt. Hosts begin at different places, so that the first is rarely taken meanwhile. */
const MOST_CANDIDATES = 64;

type Shape = Pick<Network, 'subnet' | 'leaseLength'>;

/** Number of prefixes of a network; at most 2^20. */
export function countOf({ subnet, leaseLength }: Shape): number {
  return 2 ** (leaseLength - prefixOf(subnet).length);
}

/** @param index from 0 */
export function prefixAt({ subnet, leaseLength }: Shape, index: number): string {
  const { family, groups } = prefixOf(subnet);
  const bits = groups.length * 16;
  const value =
    groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) +
    (BigInt(index) << BigInt(bits - leaseLength));
  const shifts = groups.map((_, at) => BigInt(bits - 16 * (at + 1)));
  return formatPrefix({
    family,
    groups: shifts.map((by) => Number((value >> by) & 0xffffn)),
    length: leaseLength,
  });
}

/** Whether a text is one of the prefixes of a network. */
export function isPrefixOf({ subnet, leaseLength }: Shape, cidr: string): boolean {
  const prefix = parseCidr(cidr);
  return prefix?.length === leaseLength && covers(prefixOf(subnet), prefix);
}

/** Prefixes that nobody has, beginning at a place that depends on the host's id. */
export function freePrefixes(network: Shape, id: string, taken: ReadonlySet<string>): string[] {
  const count = countOf(network);
  const start = hash(id) % count;
  const free: string[] = [];
  for (let step = 0; step < count && free.length < MOST_CANDIDATES; step++) {
    const cidr = prefixAt(network, (start + step) % count);
    if (!taken.has(cidr)) free.push(cidr);
  }
  return free;
}

/** FNV-1a, 32 bits: similar ids begin at different places. */
function hash(text: string): number {
  let hashed = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hashed = Math.imul(hashed ^ byte, 0x01000193) >>> 0;
  // The low bits of FNV-1a of similar texts differ little.
  return (hashed ^ (hashed >>> 15)) >>> 0;
}

function prefixOf(cidr: string): Prefix {
  const prefix = parseCidr(cidr);
  if (prefix === undefined) throw new Error(`not a prefix: ${cidr}`);
  return prefix;
}
