/**
 * A network: one VNI, its subnet, and what a host needs to know to join it. Kept as the record `{VNI}:network`; see
 * `network-schema.ts` for its text.
 */
import { type Family, parseIp4 } from '../base/address.ts';
import { addressOf, covers, directedBroadcast, parseCidr, type Prefix } from '../base/prefix.ts';
import type { Ip, Vni } from '../base/vocabulary.ts';
import { judgeCidr, judgeIp } from './record.ts';

export const MODES = ['bridged', 'routed'] as const;
export const PUBLISHING = ['learned', 'attached', 'none'] as const;

export interface Network {
  /** See `NETWORK_NAME`. */
  name: string;
  vni: Vni;
  /** `bridged`: one L2 segment, guests keep their address when they move. `routed`: each host routes a prefix of its own. */
  mode: (typeof MODES)[number];
  /** Of all guests; of either family. Canonical. */
  subnet: string;
  /** IPv6 beside an IPv4 `subnet`; bridged networks only. */
  subnet6?: string;
  /** Length of the prefix that each host of a routed network acquires; without meaning for a bridged one. */
  leaseLength: number;
  /** UDP port of the VXLAN devices. */
  port: number;
  /** Of the guests' devices; `auto`: what the underlay leaves. */
  mtu: number | 'auto';
  /** Address of every host's bridge; bridged networks only, because a routed host has the first address of its prefix. */
  gateway?: Ip;
  /** Who publishes the records of local guests. `learned`: missd, from their traffic. `attached`: the container drivers. */
  publish: (typeof PUBLISHING)[number];
  /** How long the records of a host outlive its last renewal, s. */
  lease: number;
  /** Addresses that one bridge port may publish. */
  portsLimit: number;
  /** Addresses that several hosts have; never published. */
  anycast: Ip[];
}

/** `br-` and the name fit into an interface name (IFNAMSIZ, 15 bytes). */
export const NETWORK_NAME = /^[a-z][a-z0-9-]{0,11}$/;

export const bridgeName = ({ name }: Pick<Network, 'name'>): string => `br-${name}`;
export const deviceName = ({ name }: Pick<Network, 'name'>): string => `vx-${name}`;

/** Of a host's prefix: what Flannel gives, and what IPv6 autoconfiguration needs (RFC 4862). */
export const usualLeaseLength = (subnet: string): number => (subnet.includes(':') ? 64 : 24);

/** IANA's number for VXLAN (RFC 7348). */
export const VXLAN_PORT = 4789;
export const USUAL_LEASE = 30;
export const USUAL_PORTS_LIMIT = 64;

/** IPv4's least MTU (RFC 791) and the largest of a device. IPv6 needs 1280 (RFC 8200), below which the kernel turns it off. */
export const MTU_BOUNDS = [576, 65_535] as const;
const LEAST_MTU_IPV6 = 1280;
/** s. A lease that is shorter ends while a server is busy. */
export const LEASE_BOUNDS = [1, 86_400] as const;
export const PORTS_LIMIT_BOUNDS = [1, 65_536] as const;
/** Room for a gateway and a guest. */
const LONGEST: Record<Family, number> = { 4: 30, 6: 126 };
/** Prefixes of a routed network, as a power of two: more than there are hosts, few enough to list. */
const MOST_PREFIXES = 20;

/** What is wrong with a network whose values have the right types, in one line without its name; undefined when it is valid. */
export function refuseNetwork(network: Network): string | undefined {
  const { mode, subnet, subnet6, mtu, anycast } = network;
  if (!NETWORK_NAME.test(network.name))
    return `the name "${network.name.slice(0, 40)}" is not a letter followed by at most 11 letters, digits and dashes (lower case)`;
  const wrong =
    refuseSubnet(subnet, 'subnet') ?? (subnet6 === undefined ? undefined : refuseSubnet6(network));
  if (wrong !== undefined) return wrong;
  const ipv6 = subnet6 !== undefined || subnet.includes(':');
  if (ipv6 && mtu !== 'auto' && mtu < LEAST_MTU_IPV6)
    return `mtu ${mtu} is below ${LEAST_MTU_IPV6}, the least that IPv6 works with`;
  return (
    (mode === 'routed' ? refuseRouted(network) : refuseGateway(network)) ?? refuseAnycast(anycast, network)
  );
}

function refuseSubnet(text: string, name: string): string | undefined {
  const reason = judgeCidr(text);
  if (reason === 'not_canonical') return `${name} "${text}" is not in canonical form`;
  const prefix = parseCidr(text);
  if (reason !== undefined || prefix === undefined)
    return `${name} "${text.slice(0, 60)}" is not a prefix, or has bits set behind it`;
  if (judgeIp(addressOf(prefix)) !== undefined) return `${name} ${text} is not a prefix of unicast addresses`;
  const longest = LONGEST[prefix.family];
  if (prefix.length > longest) return `${name} ${text} is longer than /${longest}: no room for guests`;
  return undefined;
}

function refuseSubnet6({ mode, subnet, subnet6 = '' }: Network): string | undefined {
  if (mode === 'routed') return 'a routed network has one subnet: its hosts acquire prefixes of one family';
  if (subnet.includes(':')) return 'subnet6 goes with an IPv4 subnet';
  return subnet6.includes(':') ? refuseSubnet(subnet6, 'subnet6') : `subnet6 ${subnet6} is not IPv6`;
}

function refuseRouted({ subnet, leaseLength, gateway }: Network): string | undefined {
  if (gateway !== undefined)
    return 'a routed network has no gateway: each host has the first address of its own prefix';
  const { family, length } = prefixOf(subnet);
  if (leaseLength <= length) return `lease-length ${leaseLength} is not deeper than the subnet ${subnet}`;
  if (leaseLength > LONGEST[family])
    return `lease-length ${leaseLength} is longer than /${LONGEST[family]}: no room for guests`;
  if (leaseLength - length > MOST_PREFIXES)
    return `lease-length ${leaseLength} makes more than 2^${MOST_PREFIXES} prefixes of ${subnet}`;
  return undefined;
}

function refuseGateway(network: Network): string | undefined {
  const { gateway } = network;
  return gateway === undefined ? undefined : refuseInside('gateway', gateway, network);
}

function refuseAnycast(anycast: readonly Ip[], network: Network): string | undefined {
  for (const [index, ip] of anycast.entries()) {
    if (anycast.indexOf(ip) !== index) return `anycast address ${ip} is there twice`;
    const reason = refuseInside('anycast address', ip, network);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** A guest of the subnet could have such an address. */
function refuseInside(what: string, ip: string, { subnet, subnet6 }: Network): string | undefined {
  const reason = judgeIp(ip);
  if (reason !== undefined)
    return `${what} "${ip.slice(0, 60)}" is ${reason === 'not_canonical' ? 'not in canonical form' : 'not a unicast IP address'}`;
  const within = [subnet, ...(subnet6 === undefined ? [] : [subnet6])]
    .map(prefixOf)
    .find((one) => holds(one, ip));
  if (within === undefined)
    return `${what} ${ip} is outside ${subnet}${subnet6 === undefined ? '' : ` and ${subnet6}`}`;
  const first = addressOf(within);
  if (ip === first || ip === directedBroadcast({ ip: first, prefixLength: within.length }))
    return `${what} ${ip} is the first or last address of ${first}/${within.length}, which no interface may have`;
  return undefined;
}

/** Whether a guest with this address belongs to the network. */
export function isWithin({ subnet, subnet6 }: Pick<Network, 'subnet' | 'subnet6'>, ip: Ip): boolean {
  return holds(prefixOf(subnet), ip) || (subnet6 !== undefined && holds(prefixOf(subnet6), ip));
}

function holds(prefix: Prefix, ip: Ip): boolean {
  const address = parseCidr(`${ip}/${parseIp4(ip) >= 0 ? 32 : 128}`);
  return address !== undefined && covers(prefix, address);
}

/** Of a validated prefix. */
function prefixOf(cidr: string): Prefix {
  const prefix = parseCidr(cidr);
  if (prefix === undefined) throw new Error(`not a prefix: ${cidr}`);
  return prefix;
}

/** A prefix of a routed network that is kept from acquisition. A host whose id is `for` acquires it before any other. */
export interface Reservation {
  cidr: string;
  /** A host id, or any text that says why; may be empty. */
  for: string;
}

/** What is wrong with a prefix that is to be reserved, in one line. */
export function refuseReservation(network: Network, { cidr, for: text }: Reservation): string | undefined {
  const { mode, name, subnet, leaseLength } = network;
  if (mode !== 'routed') return `network ${name} is bridged: its hosts have no prefixes`;
  const wrong = refuseSubnet(cidr, 'prefix');
  if (wrong !== undefined) return wrong;
  const prefix = prefixOf(cidr);
  if (prefix.length !== leaseLength || !covers(prefixOf(subnet), prefix))
    return `prefix ${cidr} is not a /${leaseLength} of ${subnet}`;
  return isText(text) ? undefined : 'the reason is longer than 100 characters or has control characters';
}

const isText = (text: string): boolean => /^[^\p{Cc}]{0,100}$/u.test(text);
