/** Where hosts route, a single address can leave its host's subnet: its `ip:` record wins over the lease. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Words } from '../../src/lab/namespace.ts';
import { ipKey } from '../../src/lab/records.ts';
import { RoutedSegment } from '../../src/lab/routed-segment.ts';
import { until } from '../../src/lab/wait.ts';
import { Traffic } from '../faults/traffic.ts';
import { Pair, booksBalance, close, tellOnFailure } from './harness.ts';

/** Of host 2's subnets. */
const MOVING = ['10.20.2.50', 'fd20:0:0:2::50'];
const NARROW = MOVING.map((ip) => (ip.includes(':') ? `${ip}/128` : `${ip}/32`));

const routed = ({ segment }: Host): RoutedSegment => {
  if (!(segment instanceof RoutedSegment)) throw new Error('not a routed segment');
  return segment;
};

let pair: Pair;
let host3: Host;
let guest3: Guest;
beforeAll(async () => {
  pair = await Pair.build({ segments: [{ topology: 'routed' }], noDaemons: true });
  const { lab, host1, host2 } = pair;
  host3 = await lab.addHost({ topology: 'routed' });
  guest3 = await host3.addGuest({ n: 3, dad: false });
  await pair.publishLeases(routed(host1), routed(host2), routed(host3));
  await Promise.all([host1, host2, host3].map((host) => pair.serve(host, ['--audit', '1'])));
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** The guest takes the addresses, and its host routes them to it; nobody else has them. */
async function settle(at: Guest, from: Guest | undefined): Promise<void> {
  if (from !== undefined) {
    const { namespace, bridge } = from.segment;
    await namespace.ip(...NARROW.map((cidr): Words => ['route', 'del', cidr, 'dev', bridge]));
    await from.namespace.ip(...NARROW.map((cidr): Words => ['address', 'del', cidr, 'dev', 'eth0']));
  }
  const nodad = (cidr: string): string[] => (cidr.includes(':') ? ['nodad'] : []);
  const { namespace, bridge } = at.segment;
  await at.namespace.ip(
    ...NARROW.map((cidr): Words => ['address', 'add', cidr, 'dev', 'eth0', ...nodad(cidr)]),
  );
  await namespace.ip(...NARROW.map((cidr): Words => ['route', 'add', cidr, 'dev', bridge]));
}

const publish = (host: Host): Promise<void> =>
  pair.publish(...MOVING.map((ip) => [ipKey(100, ip), `${routed(host).mac} ${host.vtep}`] as const));

/** Where a host's kernel sends what is for the addresses: the MAC of each, and the VTEP of that. */
async function ways({ segment }: Host): Promise<string[]> {
  const fdb = new Map((await segment.fdb()).map(({ lladdr, vtep }) => [lladdr, vtep]));
  const rows = (await segment.neighbours()).filter(
    ({ ip, protocol }) => MOVING.includes(ip) && protocol === 77,
  );
  return rows.map(({ lladdr = '' }) => `${lladdr} ${fdb.get(lladdr) ?? 'nowhere'}`);
}

const become = async (host: Host, to: Host | undefined): Promise<void> => {
  const wanted = to === undefined ? [] : MOVING.map(() => `${routed(to).mac} ${to.vtep}`);
  const same = async () => JSON.stringify(await ways(host)) === JSON.stringify(wanted);
  await until('the tables to follow', same).catch(() => undefined);
  expect(await ways(host)).toEqual(wanted);
};

test('an address goes to another host, to the asker’s own, and home again, and traffic follows', async () => {
  const { lab, host1, host2, guest1, guest2 } = pair;
  await settle(guest2, undefined);
  const traffic = await Promise.all(MOVING.map((ip) => Traffic.start(lab, guest1, ip)));
  const flows = () => Promise.all(traffic.map((one) => one.flows()));
  await become(host1, host2);

  // A record where only the lease spoke.
  await settle(guest3, guest2);
  await publish(host3);
  await flows();
  await become(host1, host3);
  // The rest of the subnet is where it was.
  expect((await guest1.ping(guest2.ip4 ?? '')).received).toBe(1);

  // Here: what is routed to the bridge needs no entry.
  await settle(guest1, guest3);
  await publish(host1);
  await become(host1, undefined);

  await settle(guest3, guest1);
  await publish(host3);
  await flows();
  await become(host1, host3);

  // Without a record of its own it is the lease's again.
  await settle(guest2, guest3);
  await pair.redis.cli('DEL', ...MOVING.map((ip) => ipKey(100, ip)));
  await flows();
  await become(host1, host2);
  await Promise.all(traffic.map((one) => one.stop()));
});

test('guests of the host whose subnet it is reach it where it went, by a route of its own', async () => {
  const { host2, guest2 } = pair;
  await settle(guest3, guest2);
  await publish(host3);
  await host2.namespace.ip(
    ...NARROW.map((cidr): Words => ['route', 'add', cidr, 'dev', host2.segment.device]),
  );
  for (const ip of MOVING) {
    // The guest takes it for a neighbour in its own subnet: its host has to answer, or it has such a route, too.
    const gateway = ip.includes(':') ? 'fd20:0:0:2::254' : '10.20.2.254';
    await guest2.namespace.ip(['route', 'add', ip, 'via', gateway]);
    expect((await guest2.ping(ip)).received).toBe(1);
  }
  await become(host2, host3);
  // Back home: the lease covers this host itself, and no entry stays.
  const { device } = host2.segment;
  await host2.namespace.ip(...NARROW.map((cidr): Words => ['route', 'del', cidr, 'dev', device]));
  await settle(guest2, guest3);
  await pair.redis.cli('DEL', ...MOVING.map((ip) => ipKey(100, ip)));
  await become(host2, undefined);
  for (const daemon of pair.daemons) await booksBalance(daemon);
});
