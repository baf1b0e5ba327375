/** A directory that is away, frozen, slow or unwilling: what is held goes on, what is asked meanwhile is answered when it is back. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Daemon } from '../../src/lab/daemon.ts';
import { type Entry, addressRecords, ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, ask, booksBalance, close, tellOnFailure } from '../lab/harness.ts';
import { FAR_REDIS, dropped, farRedis } from './far-redis.ts';
import { scaled } from './scale.ts';
import { expectTables } from './tables.ts';
import { Traffic } from './traffic.ts';

const GUEST = '20.0.0.2';
/** Addresses of guest 2 that nobody has asked for; each test takes one. */
const fresh = [30, 31, 32, 33, 34, 35, 36, 37, 38, 39];
/** Addresses nobody answers at, so that more than ten entries are held. */
const others = Array.from({ length: 30 }, (_, i) => `20.0.0.${100 + i}`);
const macOf = (ip: string): string => `02:42:14:00:01:${Number(ip.split('.')[3]).toString(16)}`;
const recordOf = (ip: string, vtep = '10.99.0.9', mac = macOf(ip)): Entry => [
  ipKey(100, ip),
  `${mac} ${vtep}`,
];

let pair: Pair;
let traffic: Traffic;
let held: string[];
let records: Entry[];

beforeAll(async () => {
  pair = await Pair.build({ redis: farRedis, noDaemons: true, also: fresh });
  const own = fresh.map((n): Entry => [
    ipKey(100, `20.0.0.${n}`),
    `02:42:14:00:00:${n.toString(16)} ${pair.host2.vtep}`,
  ]);
  records = [
    ...addressRecords(pair.guest1),
    ...addressRecords(pair.guest2),
    ...own,
    ...others.map((ip) => recordOf(ip)),
  ];
  await pair.publish(...records);
  const flags = ['--redis', FAR_REDIS];
  await Promise.all([pair.serve(pair.host1, flags), pair.serve(pair.host2, flags)]);
  expect((await pair.guest1.ping(GUEST)).received).toBe(1);
  for (const [index, daemon] of pair.daemons.entries())
    await ask(daemon, index === 0 ? pair.guest1 : pair.guest2, others[0] ?? '', others.length);
  held = [GUEST, ...others];
});
afterAll(() => close(pair));
tellOnFailure(() => pair);
beforeEach(async () => {
  traffic = await Traffic.start(pair.lab, pair.guest1, GUEST);
});
afterEach(async () => {
  // A test that failed half way must not take the next ones with it.
  pair.redis.signal('SIGCONT');
  await traffic.stop();
});

const up = (): Promise<number> => pair.daemon.metric('missd_directory_up');
const ready = async (daemon: Daemon = pair.daemon): Promise<number | undefined> =>
  (await daemon.get('/readyz'))?.status;
const goneDown = (): Promise<true> => until('the directory to be seen down', async () => (await up()) === 0);
const inFlight = (): Promise<number> => pair.daemon.metric('missd_misses_in_flight');

/** Guest 1 asks for an address, once and for the first time. */
async function newcomer(): Promise<string> {
  const ip = `20.0.0.${fresh.shift() ?? 0}`;
  await arpBurst(pair.guest1, ip);
  return ip;
}

/** Resolves with how long it took until the address is held, in ms. */
async function answered(ip: string): Promise<number> {
  const since = performance.now();
  await until(
    `${ip} to be answered`,
    async () => (await pair.host1.segment.neighbours()).some((row) => row.ip === ip && row.state === 'NOARP'),
    { timeout: 20_000 },
  );
  held.push(ip);
  return performance.now() - since;
}

/** What every outage must have cost in the end: nothing. */
async function unharmed(): Promise<void> {
  await until('the directory to be up', async () => (await up()) === 1);
  expect(await ready()).toBe(200);
  expect((await traffic.stop()).lost).toBe(0);
  await booksBalance(pair.daemon);
  await expectTables(pair.host1.segment, pair.redis, { ips: held });
}

test('frozen (SIGSTOP): says so after 10 s, holds on, and answers what was asked as soon as it is back', async () => {
  const memory = (): Promise<number> => pair.daemon.metric('process_resident_memory_bytes');
  const before = await memory();
  pair.redis.signal('SIGSTOP');
  const since = performance.now();
  await goneDown();
  expect(await ready()).toBe(200);
  const asked = await newcomer();
  // 5,000 more that nobody has: each waits, none is asked for twice.
  await arpBurst(pair.guest1, '30.0.0.1', 5_000);
  await until('the misses to wait', async () => (await inFlight()) >= 5_001);
  await until('missd to be unready', async () => (await ready()) === 503, { timeout: 12_000 });
  const unready = (performance.now() - since) / 1000;
  expect(unready).toBeGreaterThan(10);
  expect(unready).toBeLessThan(13);
  await traffic.for(scaled(30) - (performance.now() - since));
  expect(await inFlight()).toBe(5_001);
  expect((await memory()) - before).toBeLessThan(64 << 20);
  pair.redis.signal('SIGCONT');
  expect(await answered(asked)).toBeLessThan(3_000);
  await unharmed();
});

test('killed and back with its data: nothing is lost', async () => {
  await pair.redis.cli('SAVE');
  await pair.redis.kill();
  await goneDown();
  const asked = await newcomer();
  await traffic.for(scaled(20));
  await pair.redis.start();
  expect(await answered(asked)).toBeLessThan(3_000);
  await unharmed();
  expect(await pair.daemon.metric('missd_withdrawal_guard')).toBe(0);
});

test('killed and back empty, refilled later: what is held waits for its records', async () => {
  await pair.redis.kill();
  await pair.lab.start(['rm', '-f', `${pair.lab.directory}/dump.rdb`]).then(({ ended }) => ended);
  await goneDown();
  await traffic.for(scaled(10));
  await pair.redis.start();
  await until('the guard to act', async () => (await pair.daemon.metric('missd_withdrawal_guard')) === 1);
  await traffic.for(1_000);
  await pair.publish(...records);
  await until('the guard to end', async () => (await pair.daemon.metric('missd_withdrawal_guard')) === 0);
  await unharmed();
});

test('the feed is cut again and again while records change: no change is missed', async () => {
  for (let round = 1; round <= 20; round++) {
    const moved = others.map((ip) => recordOf(ip, `10.99.0.${9 + (round % 3)}`));
    const lines = moved.map(([key, value]) => `SET "${key}" "${value}"`);
    await pair.redis.commands([...lines.slice(0, 15), 'CLIENT KILL TYPE pubsub', ...lines.slice(15)]);
    if (round % 5 === 0) await expectTables(pair.host1.segment, pair.redis, { ips: held });
  }
  await unharmed();
});

test('packets to it dropped without a reset: found out, and no change of the meantime is missed', async () => {
  const pick = await dropped(pair.lab);
  await goneDown();
  const asked = await newcomer();
  const [moved = '', deleted = '', other = ''] = others;
  await pair.publish(recordOf(moved, '10.99.0.12'), recordOf(other, '10.99.0.9', '02:42:14:00:02:01'));
  await pair.redis.cli('DEL', ipKey(100, deleted));
  held = held.filter((ip) => ip !== deleted);
  await traffic.for(scaled(30));
  await pick();
  expect(await answered(asked)).toBeLessThan(4_000);
  await unharmed();
});

test('another password at run time: said in words, and over as soon as it is the old one again', async () => {
  await pair.redis.cli('CONFIG', 'SET', 'requirepass', 'other');
  for (const type of ['pubsub', 'normal'])
    await pair.redis.cli('-a', 'other', 'CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
  await goneDown();
  const asked = await newcomer();
  await until('the reason', () => pair.daemon.log.join('\n').includes('the server wants a password'));
  await traffic.for(scaled(20));
  await pair.redis.cli('-a', 'other', 'CONFIG', 'SET', 'requirepass', '');
  expect(await answered(asked)).toBeLessThan(3_000);
  await unharmed();
});

test('out of memory: it takes no records any more, and missd goes on in every way', async () => {
  await pair.redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1');
  expect(await pair.redis.cli('SET', 'x', 'y')).toMatch(/OOM/);
  await pair.redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const asked = await newcomer();
  expect(await answered(asked)).toBeLessThan(3_000);
  await traffic.for(scaled(10));
  await unharmed();
  await pair.redis.cli('CONFIG', 'SET', 'maxmemory', '0');
});

test('read-only, and then not even that: a replica that has lost its master', async () => {
  await pair.redis.cli('REPLICAOF', '127.0.0.1', '1');
  expect(await pair.redis.cli('SET', 'x', 'y')).toMatch(/READONLY/);
  expect(await answered(await newcomer())).toBeLessThan(3_000);
  expect(await up()).toBe(1);
  await pair.redis.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
  await goneDown();
  const asked = await newcomer();
  await traffic.for(scaled(10));
  await pair.redis.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
  expect(await answered(asked)).toBeLessThan(3_000);
  await pair.redis.cli('REPLICAOF', 'NO', 'ONE');
  await unharmed();
});

test('slow: every answer takes up to 0.15 s, and still all are answered', async () => {
  const slowness = await pair.lab.start([
    'redis-cli',
    '-s',
    pair.redis.socket,
    '-r',
    '-1',
    'DEBUG',
    'SLEEP',
    '0.15',
  ]);
  await until('it to be slow', () => slowness.lines.length > 1);
  // A second as a rule; where something else takes the processor answers come later than they are waited for, and
  // are asked for again.
  const took = await answered(await newcomer());
  expect(took).toBeLessThan(15_000);
  await traffic.for(scaled(30));
  await slowness.stop();
  await unharmed();
});
