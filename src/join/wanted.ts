/** What a network needs on this host: bridge, VXLAN device, addresses and route, as values. */
import { createHash } from 'node:crypto';
import { addressOf, following, formatPrefix, parseCidr } from '../base/prefix.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import { type Network, bridgeName, deviceName } from '../directory/network.ts';
import { overhead } from '../inspect/iproute.ts';
import { aliasOf } from './joined.ts';

export interface WantedLink {
  name: string;
  alias: string;
  mtu: number;
  /** Absent where any will do. */
  mac?: Mac;
  /** With prefix length. */
  addresses: readonly string[];
  /** Whether the kernel routes what comes in here. */
  forwards: boolean;
  /** Whether it has a link-local IPv6 address: only where the host takes part in IPv6. */
  linkLocal: boolean;
}

export interface WantedDevice extends WantedLink {
  vni: number;
  local: Ip;
  port: number;
  /** Bridged: it is a port of the bridge, and answers ARP itself. */
  proxy: boolean;
  /** What goes through it; only where the host routes. */
  route?: string;
}

export interface Wanted {
  bridge: WantedLink;
  device: WantedDevice;
}

/** What this host brings to a network. */
export interface Standpoint {
  local: Ip;
  underlayMtu: number;
  /** Of this host in the network. */
  hostId: string;
  /** Only for a routed network. */
  prefix?: string;
}

export const mtuOf = ({ mtu }: Pick<Network, 'mtu'>, local: Ip, underlayMtu: number): number =>
  mtu === 'auto' ? underlayMtu - overhead(local.includes(':') ? 6 : 4) : mtu;

export function wantedFor(network: Network, { local, underlayMtu, hostId, prefix }: Standpoint): Wanted {
  const alias = aliasOf(network.name);
  const { vni, port } = network;
  const mtu = mtuOf(network, local, underlayMtu);
  const bridge = { name: bridgeName(network), alias, mtu };
  const device = { name: deviceName(network), alias, mtu, vni, local, port };
  const ownMac = deviceMac(network, hostId);
  if (prefix === undefined) {
    const addresses = network.gateway === undefined ? [] : [gatewayAddress(network, network.gateway)];
    const still = { addresses: [], forwards: false, linkLocal: false };
    return {
      bridge: {
        ...bridge,
        ...still,
        addresses,
        // One MAC on all hosts, so that a guest that moves finds the same gateway.
        ...(network.gateway === undefined ? {} : { mac: macFrom('gateway', vni, network.gateway) }),
      },
      device: { ...device, ...still, proxy: true, mac: ownMac },
    };
  }
  const linkLocal = prefix.includes(':');
  return {
    // A MAC of its own: a bridge takes the lowest of its ports otherwise, and guests lose their router with each that comes.
    bridge: {
      ...bridge,
      ...{ mac: macFrom('bridge', vni, hostId), addresses: [firstOf(prefix)], forwards: true, linkLocal },
    },
    device: {
      ...device,
      ...{ mac: ownMac, addresses: [`${baseOf(prefix)}/${linkLocal ? 128 : 32}`], forwards: true, linkLocal },
      ...{ proxy: false, route: network.subnet },
    },
  };
}

/** The same after every restart, because leases name it. */
export const deviceMac = ({ vni }: Pick<Network, 'vni'>, hostId: string): Mac =>
  macFrom('device', vni, hostId);

/** Unicast and locally administered (IEEE 802, bits 0x01 and 0x02 of the first byte). */
function macFrom(...parts: readonly (string | number)[]): Mac {
  const digest = createHash('sha256')
    .update(`missd ${parts.join(' ')}`)
    .digest();
  digest[0] = ((digest[0] ?? 0) & 0xfc) | 0x02;
  return [...digest.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A gateway has the length of the subnet that it is in. */
export function gatewayAddress(
  { subnet, subnet6 }: Pick<Network, 'subnet' | 'subnet6'>,
  gateway: Ip,
): string {
  const own = gateway.includes(':') === subnet.includes(':') ? subnet : (subnet6 ?? subnet);
  return `${gateway}/${own.split('/')[1] ?? ''}`;
}

/** The first address behind the prefix itself, with the prefix's length. */
export function firstOf(prefix: string): string {
  const parsed = parsedPrefix(prefix);
  const all = parsed.groups.length * 16;
  const first = following({ ...parsed, length: all });
  return first === undefined ? formatPrefix(parsed) : formatPrefix({ ...first, length: parsed.length });
}

const baseOf = (prefix: string): Ip => addressOf(parsedPrefix(prefix));

function parsedPrefix(prefix: string): NonNullable<ReturnType<typeof parseCidr>> {
  const parsed = parseCidr(prefix);
  if (parsed === undefined) throw new Error(`not a prefix: ${prefix}`);
  return parsed;
}
