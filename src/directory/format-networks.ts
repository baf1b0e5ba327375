/** The section `networks` of a directory file: by name, with keys named as the options of `missd network create`. */
import { z } from 'zod';
import { reasonOf } from '../base/errors.ts';
import type { Vni } from '../base/vocabulary.ts';
import { type Network, refuseReservation, type Reservation } from './network.ts';
import { fields, makeNetwork } from './network-schema.ts';

/** A network of a file; reservations are of a routed one. */
export interface FileNetwork {
  network: Network;
  reserved: Reservation[];
}

const { leaseLength, portsLimit, ...others } = fields;
export const networksSchema = z.record(
  z.string(),
  z.strictObject({
    ...others,
    'lease-length': leaseLength,
    'ports-limit': portsLimit,
    reserved: z.array(z.strictObject({ cidr: z.string(), for: z.string().default('') })).default([]),
  }),
);

/**
 * @param refuse is given the path of the mistake
 * @returns networks by VNI
 */
export function judgeNetworks(
  section: z.output<typeof networksSchema>,
  refuse: (path: PropertyKey[], reason: string) => never,
): Map<Vni, FileNetwork> {
  const networks = new Map<Vni, FileNetwork>();
  for (const [name, given] of Object.entries(section)) {
    const path = ['networks', name];
    const { 'lease-length': length, 'ports-limit': limit, reserved, ...rest } = given;
    const network = attempt(
      () => makeNetwork({ name, ...rest, leaseLength: length, portsLimit: limit }),
      (reason) => refuse(path, reason),
    );
    const other = networks.get(network.vni);
    if (other !== undefined)
      refuse([...path, 'vni'], `VNI ${network.vni} is that of network ${other.network.name} already`);
    const seen = new Set<string>();
    for (const [index, one] of reserved.entries()) {
      const reason = seen.has(one.cidr) ? `${one.cidr} is reserved twice` : refuseReservation(network, one);
      if (reason !== undefined) refuse([...path, 'reserved', index], reason);
      seen.add(one.cidr);
    }
    networks.set(network.vni, { network, reserved });
  }
  return networks;
}

function attempt<T>(act: () => T, otherwise: (reason: string) => T): T {
  try {
    return act();
  } catch (error) {
    return otherwise(reasonOf(error));
  }
}

/** Lines of the section; none without a network. Values that are the usual ones are written too: they may change with missd. */
export function renderNetworks(networks: readonly FileNetwork[]): string[] {
  if (networks.length === 0) return [];
  const sorted = [...networks].sort((a, b) => a.network.vni - b.network.vni);
  return ['networks:', ...sorted.flatMap(renderNetworkSection)];
}

function renderNetworkSection({ network, reserved }: FileNetwork): string[] {
  const { name, vni, mode, subnet, subnet6, port, mtu, gateway, publish, lease, anycast } = network;
  const text = (key: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [`    ${key}: ${typeof value === 'number' ? value : JSON.stringify(value)}`];
  return [
    `  ${JSON.stringify(name)}:`,
    ...text('vni', vni),
    `    mode: ${mode}`,
    ...text('subnet', subnet),
    ...text('subnet6', subnet6),
    ...(mode === 'routed' ? text('lease-length', network.leaseLength) : []),
    ...text('port', port),
    ...(mtu === 'auto' ? ['    mtu: auto'] : text('mtu', mtu)),
    ...text('gateway', gateway),
    `    publish: ${publish}`,
    ...text('lease', lease),
    ...text('ports-limit', network.portsLimit),
    ...(anycast.length === 0 ? [] : [`    anycast: ${JSON.stringify(anycast)}`]),
    ...(reserved.length === 0 ? [] : ['    reserved:']),
    ...reserved.map(
      (one) => `      - { cidr: ${JSON.stringify(one.cidr)}, for: ${JSON.stringify(one.for)} }`,
    ),
  ];
}
