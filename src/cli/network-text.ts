/** What `network show` prints for people. */
import type { Network } from '../directory/network.ts';
import type { ListedHost, ListedPrefix } from '../directory/redis/network-writes.ts';
import { columns, harmless } from '../screen/columns.ts';

export interface ShownNetwork {
  network: Network;
  hosts: readonly ListedHost[];
  prefixes: readonly ListedPrefix[];
}

/** @param width characters in a line */
export function networkText({ network, hosts, prefixes }: ShownNetwork, width: number): string {
  const parts = [`${facts(network).join('\n')}\n`];
  if (hosts.length > 0) parts.push(columns(['HOST', 'VTEP', 'LEASE'], hosts.map(hostRow), width));
  if (prefixes.length > 0) parts.push(columns(['PREFIX', 'ASSIGNED TO'], prefixes.map(prefixRow), width));
  return parts.join('\n');
}

function facts(network: Network): string[] {
  const { subnet, subnet6, anycast } = network;
  const lines: [string, string | number | undefined][] = [
    ['network', network.name],
    ['VNI', network.vni],
    ['mode', network.mode],
    ['subnet', subnet6 === undefined ? subnet : `${subnet} and ${subnet6}`],
    ['prefix of a host', network.mode === 'routed' ? `/${network.leaseLength}` : undefined],
    ['UDP port', network.port],
    ['MTU', network.mtu],
    ['gateway', network.gateway],
    ['anycast', anycast.length === 0 ? undefined : anycast.join(', ')],
    ['publish', network.publish],
    ['lease', `${network.lease} s`],
    ['ports limit', network.portsLimit],
  ];
  return lines.flatMap(([title, value]) =>
    value === undefined ? [] : [`${title.padEnd(18)}${harmless(String(value))}`],
  );
}

function hostRow({ id, vtep, remaining }: ListedHost): string[] {
  return [id, vtep ?? '-', remaining === undefined ? 'ended' : `${Math.ceil(remaining)}s`];
}

function prefixRow(one: ListedPrefix): string[] {
  if ('host' in one) return [one.cidr, `host ${one.host}`];
  return [one.cidr, `reserved${one.reserved === '' ? '' : ` for ${one.reserved}`}`];
}
