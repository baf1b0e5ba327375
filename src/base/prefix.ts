/** Prefixes as text (`10.20.2.0/24`) and as the bits the prefix table walks. */
import { canonicalIp, type Family, formatIp4, formatIp6, parseIp4, parseIp6 } from './address.ts';
import type { Ip } from './vocabulary.ts';

export interface Prefix {
  family: Family;
  /** The address in 16-bit groups, most significant first: two for IPv4, eight for IPv6. */
  groups: number[];
  length: number;
}

/** The groups of an address of either family, or nothing where the text is no address. */
export function addressGroups(text: string): number[] | undefined {
  const bits = parseIp4(text);
  return bits >= 0 ? [bits >>> 16, bits & 0xffff] : parseIp6(text);
}

export function familyOf(groups: number[]): Family {
  return groups.length === 2 ? 4 : 6;
}

/** Any textual form; bits after the prefix are kept, `canonicalCidr` tells whether there were any. */
export function parseCidr(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0 || text.length > 49) return undefined;
  const groups = addressGroups(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (groups === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length <= groups.length * 16 ? { family: familyOf(groups), groups, length } : undefined;
}

export function formatPrefix({ family, groups, length }: Prefix): string {
  const [high = 0, low = 0] = groups;
  return `${family === 4 ? formatIp4((high << 16) | low) : formatIp6(groups)}/${length}`;
}

export function hasHostBits({ groups, length }: Prefix): boolean {
  return groups.some(
    (group, index) => (group & (0xffff >> Math.min(16, Math.max(0, length - index * 16)))) !== 0,
  );
}

/** The canonical form of a prefix, or nothing where the text is no prefix or has bits set behind it. */
export function canonicalCidr(text: string): string | undefined {
  const prefix = parseCidr(text);
  return prefix && !hasHostBits(prefix) ? formatPrefix(prefix) : undefined;
}

/** Also takes a bare address, which then stands for itself alone. */
export function parsePrefixOrAddress(text: string): Prefix | undefined {
  const ip = canonicalIp(text);
  return parseCidr(ip === undefined ? text : `${ip}/${ip.includes(':') ? 128 : 32}`);
}

/** The address a prefix begins with. */
export function addressOf({ family, groups }: Prefix): Ip {
  const [high = 0, low = 0] = groups;
  return family === 4 ? formatIp4((high << 16) | low) : formatIp6(groups);
}

/** The last address of an IPv4 subnet, which every host on it hears; a /31 (RFC 3021) and a /32 have none. */
export function directedBroadcast(address: { ip: Ip; prefixLength?: number }): Ip | undefined {
  const { ip, prefixLength = 32 } = address;
  const bits = prefixLength > 30 ? -1 : parseIp4(ip);
  return bits < 0 ? undefined : formatIp4(bits | (0xffffffff >>> prefixLength));
}

/** The prefix of the same length behind this one; undefined behind the last. */
export function following({ family, groups, length }: Prefix): Prefix | undefined {
  const bits = BigInt(groups.length * 16);
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
  const next = value + (1n << (bits - BigInt(length)));
  if (next >> bits !== 0n) return undefined;
  const shifts = groups.map((_, index) => bits - 16n * BigInt(index + 1));
  return { family, groups: shifts.map((shift) => Number((next >> shift) & 0xffffn)), length };
}

/** Whether the first address of `other` is in the prefix. */
export function covers({ family, groups, length }: Prefix, other: Prefix): boolean {
  return (
    family === other.family &&
    groups.every((group, index) => {
      const mask = 0xffff & ~(0xffff >> Math.min(16, Math.max(0, length - index * 16)));
      return ((group ^ (other.groups[index] ?? 0)) & mask) === 0;
    })
  );
}
