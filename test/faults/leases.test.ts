/** Leases that come, go and change while traffic follows them; and many addresses behind one MAC, of which one is used. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Guest } from '../../src/lab/guest.ts';
import { type Entry, addressRecords, ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, ask, close, tellOnFailure } from '../lab/harness.ts';
import { SCALE, scaled } from './scale.ts';
import { expectTables } from './tables.ts';
import { Traffic } from './traffic.ts';

/** Routed to a guest, which answers for all of it. */
const NET = '10.20.64.0/18';
const BUSY = '10.20.64.1';
const MANY = Math.max(1_000, 10_000 * SCALE);

let pair: Pair;
/** Stands by on a third host. */
let guest3: Guest;
let traffic: Traffic | undefined;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  const host3 = await pair.lab.addHost();
  guest3 = await host3.addGuest({ n: 3, dad: false });
  for (const guest of [pair.guest2, guest3])
    await guest.namespace.ip(['route', 'add', 'local', NET, 'dev', 'lo']);
  await pair.guest1.namespace.ip(['route', 'add', NET, 'dev', 'eth0']);
  await Promise.all([pair.serve(pair.host2), pair.serve(host3)]);
});
afterAll(() => close(pair));
afterEach(async () => {
  await traffic?.stop();
  await pair.daemon.stop();
});
tellOnFailure(() => pair);
beforeEach(async () => {
  await pair.redis.cli('FLUSHDB');
  await pair.publish(...addressRecords(pair.guest1));
  for (const guest of [pair.guest1, pair.guest2, guest3]) await guest.forgetNeighbours();
});

const key = (cidr: string): string => `missd:{100}:subnet:${cidr}`;
const value = ({ mac, segment }: Guest): string => `${mac} ${segment.host.vtep}`;
async function lease(cidr: string, guest: Guest): Promise<void> {
  const [name, text]: Entry = [key(cidr), value(guest)];
  await pair.redis.commands(['MULTI', `SET "${name}" "${text}"`, `SADD missd:{100}:subnets ${cidr}`, 'EXEC']);
}
/** Echo requests that a guest has heard. */
async function received({ namespace }: Guest): Promise<number> {
  const text = await namespace.exec(['cat', '/proc/net/snmp']);
  const [names = [], counts = []] = [...text.matchAll(/^Icmp: (.*)$/gm)].map(([, line = '']) =>
    line.split(' '),
  );
  return Number(counts[names.indexOf('InEchos')]);
}

/** Waits until this guest is the one that hears the traffic. */
async function reaches(guest: Guest, within = 2_000): Promise<void> {
  const before = await received(guest);
  await until(`guest ${guest.n} to hear it`, async () => (await received(guest)) > before + 3, {
    timeout: within,
  });
}

test('a lease moves, a more specific one comes and goes, a record overrides it, and it is deleted: traffic follows', async () => {
  await lease(NET, pair.guest2);
  await pair.serve(pair.host1, ['--flush-on-exit']);
  traffic = await Traffic.start(pair.lab, pair.guest1, BUSY);
  const { segment } = pair.host1;
  await reaches(pair.guest2);
  await expectTables(segment, pair.redis, { ips: [BUSY] });

  await lease('10.20.64.0/24', guest3);
  await reaches(guest3);
  // The other lease still says where its MAC is: that entry goes when it is idle.
  const macs = [pair.guest2.mac];
  await expectTables(segment, pair.redis, { ips: [BUSY], macs });
  await pair.redis.cli('DEL', key('10.20.64.0/24'));
  await reaches(pair.guest2);
  await pair.publish([ipKey(100, BUSY), value(guest3)]);
  await reaches(guest3);
  await expectTables(segment, pair.redis, { ips: [BUSY], macs });
  await pair.redis.cli('DEL', ipKey(100, BUSY));
  await reaches(pair.guest2);
  await lease(NET, guest3);
  await reaches(guest3);
  await expectTables(segment, pair.redis, { ips: [BUSY] });
  const { lost } = await traffic.stop();
  // A change takes a moment, and what is under way then goes to the old place, where nobody minds.
  expect(lost).toBeLessThanOrEqual(10);

  await pair.redis.cli('DEL', key(NET));
  await expectTables(segment, pair.redis, { ips: [] });
});

// Which of them the traffic is for cannot be told here: the guest has no need to ask, and the MAC is everybody's. The one
// that is left last counts as the one that is used.
test('bridged, many addresses of a lease contacted once: what is used stays reachable, the others go', async () => {
  await lease(NET, pair.guest2);
  await pair.serve(pair.host1, ['--idle', '4', '--audit', '1', '--flush-on-exit']);
  traffic = await Traffic.start(pair.lab, pair.guest1, BUSY);
  for (let n = 0; n < MANY; n += 1_000)
    await ask(pair.daemon, pair.guest1, `10.20.${65 + Math.floor(n / 1000) * 4}.0`, 1_000);
  expect(await pair.daemon.metric('missd_entries', { table: 'neighbour' })).toBe(MANY + 1);
  const rows = async (): Promise<string[]> => (await pair.host1.segment.neighbours()).map(({ ip }) => ip);
  await until('the unused ones to go', async () => (await rows()).length <= 1, {
    timeout: 30_000,
  });
  await traffic.for(scaled(30, 3));
  expect(await pair.host1.segment.fdb()).toMatchObject([{ lladdr: pair.guest2.mac, vtep: pair.host2.vtep }]);
  expect((await traffic.stop()).lost).toBe(0);
});

test('a guest that takes an address of a leased subnet finds no duplicate, the first time nor the next', async () => {
  await lease('fd30::/64', pair.guest2);
  await pair.serve(pair.host1, ['--flush-on-exit']);
  const newcomer = await pair.host1.addGuest({ n: 9, ip6: null });
  const address = ['fd30::abcd/64', 'dev', 'eth0'] as const;
  const misses = (): Promise<number> => pair.daemon.metric('missd_misses_total', { layer: 'l3' });
  for (const time of ['first', 'second']) {
    const before = await misses();
    await newcomer.namespace.ip(['address', 'add', ...address]);
    await newcomer.settled();
    expect(await newcomer.addressStates(), time).toMatchObject({ 'fd30::abcd': 'ok' });
    // It did ask.
    expect(await misses()).toBeGreaterThan(before);
    await newcomer.namespace.ip(['address', 'delete', ...address]);
  }
});
