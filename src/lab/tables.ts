/** Compares the kernel tables of a host with the entries expected after some pairs have talked. */
import type { Guest } from './guest.ts';
import type { Host } from './host.ts';
import { leasesOf } from './record-store.ts';
import { RoutedSegment } from './routed-segment.ts';
import type { Pair, Site } from './site.ts';

/** Rows as `ip` would show them, in order. */
export interface Tables {
  /** `20.0.0.2 lladdr 02:42:14:00:00:02` */
  neighbours: string[];
  /** `02:42:14:00:00:02 dst 10.99.0.2` */
  fdb: string[];
  /** `10.20.2.0/24 via 10.20.2.0`, only routes that missd wrote */
  routes: string[];
}

export interface Comparison extends Tables {
  /** Expected rows that are absent. */
  missing: string[];
  /** Rows that are present and not expected. */
  unexpected: string[];
}

/** The rows about guests, without rows about bridges and default destinations. */
async function tablesOf(site: Site, host: Host): Promise<Tables> {
  const { segment } = host;
  const written = (family: '-4' | '-6'): Promise<Record<string, unknown>[]> =>
    segment.namespace.show(family, 'route', 'show', 'dev', segment.device, 'proto', 77);
  const [neighbours, fdb, ...routes] = await Promise.all([
    segment.neighbours(),
    segment.fdb(),
    written('-4'),
    written('-6'),
  ]);
  const macs = new Set(site.guests.map(macOnTheWire));
  return {
    neighbours: neighbours
      .filter(({ lladdr }) => lladdr !== undefined)
      .map(({ ip, lladdr }) => neighbour(ip, lladdr ?? ''))
      .sort(),
    fdb: fdb
      .filter(({ lladdr }) => macs.has(lladdr))
      .map(({ lladdr, vtep }) => forwarding(lladdr, vtep ?? ''))
      .sort(),
    routes: routes.flat().map(({ dst, gateway }) => route(String(dst), String(gateway))),
  };
}

export async function compareTables(site: Site, host: Host, talked: readonly Pair[]): Promise<Comparison> {
  const actual = await tablesOf(site, host);
  const known = new Set([...actual.neighbours, ...actual.fdb, ...actual.routes]);
  const { filling } = site.blueprint;
  const expected = new Set(
    filling === 'routes'
      ? expectedRoutes(remoteGuests(site, host))
      : expectedRows(partners(site, host, talked), filling !== 'flood'),
  );
  // A learning device also has entries of guests that only sent broadcasts; such an entry must name the right VTEP.
  const tolerated = new Set(filling === 'flood' ? expectedRows(remoteGuests(site, host), false) : []);
  return {
    ...actual,
    missing: [...expected].filter((row) => !known.has(row)),
    unexpected: [...known].filter((row) => !expected.has(row) && !tolerated.has(row)),
  };
}

const neighbour = (ip: string, mac: string): string => `${ip} lladdr ${mac}`;
const route = (cidr: string, gateway: string): string => `${cidr} via ${gateway}`;
const forwarding = (mac: string, vtep: string): string => `${mac} dst ${vtep}`;

/** Destination MAC of frames to a guest inside the tunnel; that of the VXLAN device if hosts route. */
const macOnTheWire = ({ mac, segment }: Guest): string =>
  segment instanceof RoutedSegment ? segment.mac : mac;

function expectedRows(guests: readonly Guest[], neighbours: boolean): string[] {
  return guests.flatMap((guest) => {
    const mac = macOnTheWire(guest);
    const addresses = [guest.ip4, guest.ip6].filter((ip) => ip !== undefined);
    return [
      ...(neighbours ? addresses.map((ip) => neighbour(ip, mac)) : []),
      forwarding(mac, guest.segment.host.vtep),
    ];
  });
}

/** For each lease: a route, the neighbour of its gateway, and the FDB entry of the neighbour's MAC. */
function expectedRoutes(guests: readonly Guest[]): string[] {
  return leasesOf(guests).flatMap(({ segment: { mac, host }, cidr }) => {
    const [gateway = ''] = cidr.split('/');
    return [neighbour(gateway, mac), forwarding(mac, host.vtep), route(cidr, gateway)];
  });
}

const remoteGuests = (site: Site, host: Host): Guest[] =>
  site.guests.filter(({ segment }) => segment.host !== host);

/** The guests that a host needs rows for. */
function partners(site: Site, host: Host, talked: readonly Pair[]): Guest[] {
  if (site.blueprint.filling === 'preload') return remoteGuests(site, host);
  return talked.flatMap(({ from, to }) => {
    if (from.segment.host === host) return [to];
    return to.segment.host === host ? [from] : [];
  });
}
