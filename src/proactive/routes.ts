/**
 * The strategy `routes`: for every remote lease a neighbour for its gateway, an FDB entry, and a route that exists exactly
 * as long as that neighbour is held from that lease. So the feed, checks and the grace of a mass withdrawal apply to
 * routes as well.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { Leases } from '../directory/directory.ts';
import { covers, parseCidr, parsePrefixOrAddress } from '../base/prefix.ts';
import { answerL3 } from '../resolver/select-record.ts';
import type { Placement } from '../model/question.ts';
import type { Routes, ServedDevice } from '../model/device.ts';
import type { Ip } from '../base/vocabulary.ts';
import { gatewayOf } from './gateway.ts';

/** Gateways of the leases that name other hosts and are not held yet. */
export function gatewaysToWrite(device: ServedDevice, deps: PipelineDeps): Placement[] {
  const leases = deps.policy.leases(device.vni);
  return leases.all().flatMap(({ cidr }) => {
    const ip = gatewayOf(cidr, leases);
    if (ip === undefined || device.tables.neighbours.has(ip)) return [];
    const answer = answerL3(deps.policy, device, ip, null);
    if (answer?.source.name !== cidr || deps.isOwnVtep(answer.vtep)) return [];
    const here = coveredHere(device, cidr, answer.vtep);
    if (here === undefined) return [{ device, ip, answer }];
    deps.report.conflict(device, 'lease_covers_host', `${cidr} covers ${here}`);
    return [];
  });
}

/** A local address or VTEP in the prefix: a route would divert this host's traffic, or the tunnel's own packets. */
function coveredHere({ namespace }: ServedDevice, cidr: string, vtep: Ip): Ip | undefined {
  const prefix = parseCidr(cidr);
  if (prefix === undefined) return undefined;
  return [vtep, ...namespace.assigned()].find((ip) => {
    const address = parsePrefixOrAddress(ip);
    return address !== undefined && covers(prefix, address);
  });
}

/** The routes that the held neighbours call for. @param stand our present routes */
export function wantedRoutes(device: ServedDevice, stand: Routes, leases: Leases): Routes {
  const wanted = new Map<string, Ip>();
  const leased = new Set(leases.all().map(({ cidr }) => cidr));
  for (const cidr of leased) {
    const gateway = gatewayOf(cidr, leases);
    const vtep = gateway === undefined ? undefined : vtepHeldFrom(device, gateway, cidr);
    if (gateway !== undefined && vtep !== undefined && coveredHere(device, cidr, vtep) === undefined)
      wanted.set(cidr, gateway);
  }
  for (const [cidr, gateway] of stand)
    if (!leased.has(cidr) && leads(device, cidr, gateway)) wanted.set(cidr, gateway);
  return wanted;
}

/** The VTEP of a neighbour that is held from this lease. */
function vtepHeldFrom({ tables }: ServedDevice, gateway: Ip, cidr: string): Ip | undefined {
  const held = tables.neighbours.get(gateway);
  if (held?.source.kind !== 'lease' || held.source.name !== cidr) return undefined;
  return tables.fdb.get(held.mac)?.vtep;
}

/** Whether a route's neighbour is still held from its lease, or adopted and not yet compared with a lease. */
const leads = (device: ServedDevice, cidr: string, gateway: Ip): boolean =>
  vtepHeldFrom(device, gateway, cidr) !== undefined ||
  device.tables.neighbours.get(gateway)?.source.kind === 'adopted';

/** Whether the neighbour of a route is gone or follows another lease. */
export const areStale = (device: ServedDevice): boolean =>
  [...device.routes].some(([cidr, gateway]) => !leads(device, cidr, gateway));
