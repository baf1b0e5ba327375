/**
 * Validates records. A writer of the directory may write invalid values, by mistake or on purpose, and a value that this
 * file accepts ends up in a kernel table: every value is validated here and nowhere else. The canonical form is required, because addresses are compared as strings everywhere.
 */
import type { MalformedReason } from '../base/outcomes.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import { canonicalMac, type Family, formatIp6, isLinkLocal, parseIp4, parseIp6 } from '../base/address.ts';
import { canonicalCidr } from '../base/prefix.ts';

export interface Malformed {
  malformed: MalformedReason;
}

export interface RecordContext {
  /** Underlay family of the VXLAN device the record is for. */
  family: Family;
  /** `--vtep-allow`; see `vtep-allow.ts`. */
  vtepAllow: (vtep: Ip) => boolean;
  /** False for a device that cannot name the interface which a link-local VTEP is reached by; absent, it is not known. */
  linkLocal?: boolean;
  /** Whether every host of a subnet of the underlay hears it; absent, the subnets are not known. */
  isBroadcast?: (vtep: Ip) => boolean;
}

/** Value of `{VNI}:ip:ADDRESS`. */
export interface IpRecord {
  mac: Mac;
  vtep: Ip;
  router: boolean;
}

/** Value of `{VNI}:mac:ADDRESS`. */
export interface MacRecord {
  vtep: Ip;
}

/** Value of `{VNI}:subnet:CIDR`. */
export interface LeaseRecord {
  mac: Mac;
  vtep: Ip;
}

/** `MAC VTEP router` with the longest IPv6 text; a longer value is invalid. */
const LONGEST_VALUE = 17 + 1 + 45 + 1 + 6;

export function isMalformed(judged: object): judged is Malformed {
  return 'malformed' in judged;
}

export function parseIpRecord(value: string, context: RecordContext): IpRecord | Malformed {
  if (value.length > LONGEST_VALUE) return { malformed: 'size' };
  const router = value.endsWith(' router');
  const lease = parseLease(router ? value.slice(0, -' router'.length) : value, context);
  return 'malformed' in lease ? lease : { mac: lease.mac, vtep: lease.vtep, router };
}

export function parseLease(value: string, context: RecordContext): LeaseRecord | Malformed {
  if (value.length > LONGEST_VALUE) return { malformed: 'size' };
  const space = value.indexOf(' ');
  if (space <= 0 || space === value.length - 1) return { malformed: 'syntax' };
  const mac = value.slice(0, space);
  const macReason = judgeMac(mac);
  if (macReason !== undefined) return { malformed: macReason };
  const record = parseMacRecord(value.slice(space + 1), context);
  return 'malformed' in record ? record : { mac, vtep: record.vtep };
}

export function parseMacRecord(value: string, context: RecordContext): MacRecord | Malformed {
  if (value.length > LONGEST_VALUE) return { malformed: 'size' };
  const family = classifyVtep(value);
  if (typeof family === 'string') return { malformed: family };
  if (family !== context.family) return { malformed: 'vtep_family' };
  if (context.linkLocal === false && isLinkLocal(value)) return { malformed: 'vtep_link_local' };
  if (context.isBroadcast?.(value) === true) return { malformed: 'vtep_broadcast' };
  return context.vtepAllow(value) ? { vtep: value } : { malformed: 'vtep_not_allowed' };
}

/** Validates a lease without the device that will use it. */
export function judgeLease(cidr: string, value: string): MalformedReason | undefined {
  const reason = judgeCidr(cidr);
  if (reason !== undefined) return reason;
  const lease = parseLease(value, value.includes(':', 18) ? ANY_IPV6 : ANY_IPV4);
  return 'malformed' in lease ? lease.malformed : undefined;
}

export function judgeCidr(text: string): MalformedReason | undefined {
  const canonical = canonicalCidr(text);
  if (canonical === undefined) return 'cidr';
  return canonical === text ? undefined : 'not_canonical';
}

/** Without regard to family and `--vtep-allow`. */
export function judgeVtep(text: string): MalformedReason | undefined {
  const family = classifyVtep(text);
  return typeof family === 'string' ? family : undefined;
}

const ANY_IPV4: RecordContext = { family: 4, vtepAllow: () => true };
const ANY_IPV6: RecordContext = { family: 6, vtepAllow: () => true };

/** Unicast, not zero, lower case with colons. */
export function judgeMac(text: string): MalformedReason | undefined {
  if (/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/.test(text))
    return text === '00:00:00:00:00:00' ? 'mac' : undefined;
  const canonical = text.length === 17 ? canonicalMac(text) : undefined;
  return canonical !== undefined && canonical !== text ? 'not_canonical' : 'mac';
}

/** Whether an address can be an endpoint: unicast and in canonical form. */
export function isServableIp(text: string): boolean {
  return judgeIp(text) === undefined;
}

export function judgeIp(text: string): MalformedReason | undefined {
  const family = classify(text);
  return typeof family === 'number' ? undefined : family === 'refused' ? 'ip' : family;
}

/** VTEPs are few and repeat in every record, so their judgement is remembered; the bound is for hostile directories. */
const MOST_REMEMBERED = 4096;
const remembered = new Map<string, Family | 'vtep' | 'not_canonical'>();

export function classifyVtep(text: string): Family | 'syntax' | 'vtep' | 'not_canonical' {
  if (text.length > 45) return 'syntax';
  const known = remembered.get(text);
  if (known !== undefined) return known;
  if (text === '' || text.includes(' ')) return 'syntax';
  const judged = classify(text);
  const family = judged === 'refused' ? 'vtep' : judged;
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(text, family);
  return family;
}

/** The family of a canonical unicast address, or what is wrong with the text. */
function classify(text: string): Family | 'refused' | 'not_canonical' {
  const bits = parseIp4(text);
  if (bits >= 0) {
    const first = bits >>> 24;
    // 0/8 "this network", 127/8 loopback, 224/4 multicast, 240/4 reserved with the broadcast address at its end.
    return first === 0 || first === 127 || first >= 224 ? 'refused' : 4;
  }
  const groups = parseIp6(text);
  if (groups === undefined) return 'refused';
  if (((groups[0] ?? 0) & 0xff00) === 0xff00) return 'refused';
  // ::/96 holds the unspecified and the loopback address and the abandoned IPv4-compatible ones, ::ffff:0:0/96 the
  // IPv4-mapped ones, which never are on the wire.
  if (groups.slice(0, 5).every((group) => group === 0) && (groups[5] === 0 || groups[5] === 0xffff))
    return 'refused';
  return formatIp6(groups) === text ? 6 : 'not_canonical';
}
