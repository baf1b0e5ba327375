/**
 * Addresses as text, without a library: the hot path asks once per miss, and ipaddr.js costs twenty times as much.
 * Parsers accept every textual form; `canonical…` turn it into the one form the directory is keyed by.
 */
import type { Ip, Mac } from './vocabulary.ts';

export type Family = 4 | 6;

/** The eight 16-bit groups of an IPv6 address. */
export type Groups = number[];

const ZERO = 0x30;
const COLON = 0x3a;
const DOT = 0x2e;

/** The 32 bits of a dotted IPv4 address, or -1. Leading zeros are refused: some readers take them for octal. */
export function parseIp4(text: string): number {
  if (text.length < 7 || text.length > 15) return -1;
  let bits = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return -1;
      bits = bits * 256 + octet;
      octet = digits = 0;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || (digits === 1 && octet === 0)) return -1;
    octet = octet * 10 + digit;
    if (octet > 255) return -1;
    digits++;
  }
  return dots === 3 && digits > 0 ? bits * 256 + octet : -1;
}

export function formatIp4(bits: number): Ip {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= 0x39) return code - ZERO;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** RFC 4291 text, including `::` and a dotted tail; zone identifiers mean nothing in a directory and are refused. */
export function parseIp6(text: string): Groups | undefined {
  const end = text.length;
  if (end < 2 || end > 45) return undefined;
  const groups: Groups = [];
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === COLON && text.charCodeAt(1) === COLON) {
    gap = 0;
    at = 2;
  }
  while (at < end) {
    const start = at;
    let group = 0;
    for (let digit; at < end && (digit = hexDigit(text.charCodeAt(at))) >= 0; at++)
      group = group * 16 + digit;
    if (at < end && text.charCodeAt(at) === DOT) {
      const tail = parseIp4(text.slice(start));
      if (tail < 0) return undefined;
      groups.push(tail >>> 16, tail & 0xffff);
      break;
    }
    if (at === start || at - start > 4 || groups.length === 8) return undefined;
    groups.push(group);
    if (at === end) break;
    if (text.charCodeAt(at++) !== COLON || at === end) return undefined;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return undefined;
      gap = groups.length;
      at++;
    }
  }
  if (gap < 0) return groups.length === 8 ? groups : undefined;
  if (groups.length > 7) return undefined;
  return [...groups.slice(0, gap), ...Array<number>(8 - groups.length).fill(0), ...groups.slice(gap)];
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
export function formatIp6(groups: Groups): Ip {
  let best = -1;
  let longest = 1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > longest) {
      best = from;
      longest = to - from;
    }
    from = Math.max(from, to - 1);
  }
  const text = (part: Groups) => part.map((group) => group.toString(16)).join(':');
  // Section 5: the mapped prefix is written with its IPv4 address, as inet_ntop does.
  if (best === 0 && longest === 5 && groups[5] === 0xffff) {
    return `::ffff:${formatIp4(((groups[6] ?? 0) << 16) | (groups[7] ?? 0))}`;
  }
  if (best < 0) return text(groups);
  return `${text(groups.slice(0, best))}::${text(groups.slice(best + longest))}`;
}

/** fe80::/10 (RFC 4291 §2.5.6); canonical text has all four digits of the first group. */
export const isLinkLocal = (ip: Ip): boolean => /^fe[89ab][0-9a-f]:/.test(ip);

export function canonicalIp(text: string): Ip | undefined {
  if (parseIp4(text) >= 0) return text;
  const groups = parseIp6(text);
  return groups && formatIp6(groups);
}

/** Accepts upper case and the dashes some systems write. */
export function canonicalMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i.test(text)) return undefined;
  return text.toLowerCase().replaceAll('-', ':');
}
