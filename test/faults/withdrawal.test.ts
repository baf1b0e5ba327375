/** A directory that loses its memory must not take the network down: the guard against mass withdrawal. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';
import { type Entry, addressRecords, ipKey } from '../../src/lab/records.ts';
import { Pair, ask, close, tellOnFailure } from '../lab/harness.ts';
import { Traffic } from './traffic.ts';
import { expectTables } from './tables.ts';
import { scaled } from './scale.ts';

/** Seconds; long enough that what happens at once is told from what waits for it. */
const GRACE = scaled(60, 6) / 1000;
const GUARDED = ['--withdrawal-grace', String(GRACE)];
const GUEST = '20.0.0.2';

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
});
afterAll(() => close(pair));
afterEach(async () => {
  await Promise.all(running.splice(0).map((traffic) => traffic.stop()));
  await Promise.all(pair.daemons.map((daemon) => daemon.stop()));
  await Promise.all([pair.guest1, pair.guest2].map((guest) => guest.forgetNeighbours()));
  for (const { namespace } of [pair.host1, pair.host2])
    await run([process.execPath, MISSD, 'flush', '--netns', namespace.name]);
  await pair.redis.cli('FLUSHDB');
});
tellOnFailure(() => pair);

const running: Traffic[] = [];

/** Addresses that nobody answers at, 20.0.0.20 and on. */
const others = (count: number): string[] => Array.from({ length: count }, (_, i) => `20.0.0.${20 + i}`);
const recordOf = (ip: string): Entry => [
  ipKey(100, ip),
  `02:42:14:00:01:${Number(ip.split('.')[3]).toString(16).padStart(2, '0')} 10.99.0.9`,
];

/** Each host holds the entry of the other's guest, with traffic on it, and so many others. */
async function holding(
  count: number,
  flags: readonly string[],
): Promise<{ ips: string[]; traffic: Traffic }> {
  const ips = others(count);
  await pair.publish(...addressRecords(pair.guest1), ...addressRecords(pair.guest2), ...ips.map(recordOf));
  await Promise.all([pair.serve(pair.host1, flags), pair.serve(pair.host2, flags)]);
  const traffic = await Traffic.start(pair.lab, pair.guest1, GUEST);
  running.push(traffic);
  if (count > 0) {
    await ask(pair.daemon, pair.guest1, '20.0.0.20', count);
    await ask(pair.daemons[1] ?? pair.daemon, pair.guest2, '20.0.0.20', count);
  }
  await expectTables(pair.host1.segment, pair.redis, { ips: [GUEST, ...ips] });
  return { ips: [GUEST, ...ips], traffic };
}

const guard = (): Promise<number> => pair.daemon.metric('missd_withdrawal_guard');
const readyz = async (): Promise<{ status: number; degraded: unknown }> => {
  const { status = 0, body = '{}' } = (await pair.daemon.get('/readyz')) ?? {};
  return { status, degraded: (JSON.parse(body) as { degraded?: unknown }).degraded };
};
const guarding = (): Promise<true> => until('the guard to act', async () => (await guard()) === 1);
const held = async (): Promise<string[]> =>
  (await pair.host1.segment.neighbours()).map(({ ip }) => ip).sort();

/** Cuts the feed's connection, so that everything is read again. */
async function gap(): Promise<void> {
  const reads = async (): Promise<number> => pair.daemon.metric('missd_directory_lookup_seconds_count');
  const before = await reads();
  await pair.redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until('everything to be read again', async () => (await reads()) > before);
}

test('FLUSHDB without refill: entries stay for the grace, alarmed, however often the feed breaks; then all go', async () => {
  const { ips, traffic } = await holding(30, GUARDED);
  const rows = await held();
  expect(rows).toHaveLength(ips.length);
  const since = performance.now();
  await pair.redis.cli('FLUSHDB');
  await guarding();
  expect(await readyz()).toEqual({ status: 200, degraded: 'withdrawal' });
  expect(pair.daemon.log.join('\n')).toMatch(/VNI 100: 31 entries lost their records all at once/);
  while (performance.now() - since < (GRACE - 2) * 1000) {
    await gap();
    await traffic.for(500);
    expect(await held()).toEqual(rows);
  }
  expect(await guard()).toBe(1);
  expect(await traffic.stop()).toMatchObject({ lost: 0 });
  await expectTables(pair.host1.segment, pair.redis, { ips: [] });
  const took = (performance.now() - since) / 1000;
  expect(took).toBeGreaterThan(GRACE - 0.1);
  expect(took).toBeLessThan(GRACE + 3);
  expect(await guard()).toBe(0);
  expect(await readyz()).toEqual({ status: 200, degraded: undefined });
});

test('FLUSHDB and refill: nothing is lost, and the guard ends with the last record', async () => {
  const { ips, traffic } = await holding(30, GUARDED);
  await pair.redis.cli('FLUSHDB');
  await guarding();
  await traffic.for(500);
  const [last = '', ...rest] = others(30);
  await pair.publish(...addressRecords(pair.guest1), ...addressRecords(pair.guest2), ...rest.map(recordOf));
  await until('the records to be heard of', async () => (await readyz()).degraded === 'withdrawal');
  expect(await guard()).toBe(1);
  await pair.publish(recordOf(last));
  await until('the guard to end', async () => (await guard()) === 0);
  expect(await traffic.stop()).toMatchObject({ lost: 0 });
  await expectTables(pair.host1.segment, pair.redis, { ips });
});

test('FLUSHDB and refill in one go: whatever part of it is read, nothing is lost', async () => {
  const { ips, traffic } = await holding(30, GUARDED);
  const records = [
    ...addressRecords(pair.guest1),
    ...ips.slice(1).map(recordOf),
    ...addressRecords(pair.guest2),
  ];
  for (let round = 0; round < 20; round++)
    await pair.redis.commands(['FLUSHDB', ...records.map(([key, value]) => `SET "${key}" "${value}"`)]);
  await until('the guard to end', async () => (await guard()) === 0);
  expect(await traffic.stop()).toMatchObject({ lost: 0 });
  expect(await pair.daemon.metric('missd_reconcile_changes_total')).toBe(0);
  await expectTables(pair.host1.segment, pair.redis, { ips });
});

test('leases that are flushed are kept like records', async () => {
  const { traffic } = await holding(0, GUARDED);
  await pair.publish(['missd:{100}:subnet:20.0.0.128/25', '02:42:14:00:02:01 10.99.0.9']);
  await pair.redis.cli('SADD', 'missd:{100}:subnets', '20.0.0.128/25');
  await ask(pair.daemon, pair.guest1, '20.0.0.200', 30);
  await ask(pair.daemons[1] ?? pair.daemon, pair.guest2, '20.0.0.200', 30);
  const rows = await held();
  expect(rows).toHaveLength(31);
  await pair.redis.cli('FLUSHDB');
  await guarding();
  await traffic.for(500);
  expect(await held()).toEqual(rows);
  expect(await traffic.stop()).toMatchObject({ lost: 0 });
  await expectTables(pair.host1.segment, pair.redis, { ips: [] });
});

test('with the guard off all go at once', async () => {
  const { traffic } = await holding(30, ['--withdrawal-grace', '0']);
  await pair.redis.cli('FLUSHDB');
  await expectTables(pair.host1.segment, pair.redis, { ips: [], timeout: 3_000 });
  expect(await guard()).toBe(0);
  await traffic.stop();
});

test('ten or fewer go at once', async () => {
  const { traffic } = await holding(9, GUARDED);
  await pair.redis.cli('FLUSHDB');
  await expectTables(pair.host1.segment, pair.redis, { ips: [], timeout: 3_000 });
  expect(await guard()).toBe(0);
  await traffic.stop();
});

test('single deletions and expiries act at once, and leave alone what the guard keeps', async () => {
  const { ips, traffic } = await holding(30, GUARDED);
  const [one = '', two = '', ...rest] = others(30);
  await pair.redis.cli('PEXPIRE', ipKey(100, one), '300');
  await pair.redis.cli('DEL', ipKey(100, two));
  const left = ips.filter((ip) => ip !== one && ip !== two);
  await expectTables(pair.host1.segment, pair.redis, { ips: left, timeout: 3_000 });
  expect(await guard()).toBe(0);
  await pair.redis.cli('FLUSHDB');
  await guarding();
  // One that came back is like any other again.
  const [third = ''] = rest;
  await pair.publish(recordOf(third));
  const kept = await held();
  await pair.redis.cli('DEL', ipKey(100, third));
  await until('a single deletion to act', async () => !(await held()).includes(third), { timeout: 3_000 });
  expect(await held()).toEqual(kept.filter((ip) => ip !== third));
  expect(await traffic.stop()).toMatchObject({ lost: 0 });
});

test.each([
  { what: 'a VNI without any record keeps its entries', records: [], stay: true },
  { what: 'orphans go before it is ready', records: [['missd:{100}:ip:20.0.0.9', 'x']], stay: false },
] as const)('at start $what', async ({ records, stay }) => {
  const { traffic } = await holding(30, GUARDED);
  const rows = await held();
  await pair.daemon.kill();
  await pair.redis.cli('FLUSHDB');
  await pair.publish(...records);
  await pair.serve(pair.host1, GUARDED);
  expect(await held()).toEqual(stay ? rows : []);
  expect(await guard()).toBe(stay ? 1 : 0);
  const { lost } = await traffic.stop();
  if (stay) expect(lost).toBe(0);
});
