/** Which addresses and MACs can be a guest's of a network. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import { isGroup } from '../base/mac.ts';
import { directedBroadcast, addressOf, parseCidr } from '../base/prefix.ts';
import { type Network, isWithin } from '../directory/network.ts';
import type { ServedDevice } from '../model/device.ts';

/** Why an address is not published. `limit`: its port has as many as it may have. `excess`: its port says more than is read. */
export const REFUSED = ['outside', 'gateway', 'anycast', 'host', 'limit', 'excess'] as const;
export type Refused = (typeof REFUSED)[number];

/** @returns undefined for an address that a guest can have */
export function refuseIp(device: ServedDevice, network: Network, ip: Ip): Refused | undefined {
  if (ip === network.gateway) return 'gateway';
  if (network.anycast.includes(ip)) return 'anycast';
  if (!isWithin(network, ip) || isEdge(network.subnet, ip)) return 'outside';
  return device.namespace.isAssigned(ip) ? 'host' : undefined;
}

/** The first and the last address of an IPv4 subnet, which no interface may have. */
function isEdge(subnet: string, ip: Ip): boolean {
  const prefix = parseCidr(subnet);
  if (prefix?.family !== 4) return false;
  const first = addressOf(prefix);
  return ip === first || ip === directedBroadcast({ ip: first, prefixLength: prefix.length });
}

export const isGuestMac = (device: ServedDevice, mac: Mac): boolean =>
  !isGroup(mac) && !device.namespace.isLinkAddress(mac);
