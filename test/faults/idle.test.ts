/** Entries go when they are unused and not before, and what comes back after that costs at most the packet that asks. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { addressRecords, ipKey, macRecord } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, booksBalance, close, tellOnFailure } from '../lab/harness.ts';
import { scaled } from './scale.ts';
import { expectTables } from './tables.ts';
import { Traffic } from './traffic.ts';

const GUEST = '20.0.0.2';
/** Everything at its shortest. */
const HASTY = ['--lifetime', '1', '--idle', '2', '--audit', '1', '--flush-on-exit'];

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  // The other side is not what is looked at here.
  await pair.serve(pair.host2);
});
afterAll(() => close(pair));
afterEach(async () => {
  await pair.daemon.stop();
  await pair.redis.cli('FLUSHDB');
  for (const guest of [pair.guest1, pair.guest2]) await guest.forgetNeighbours();
});
tellOnFailure(() => pair);

const empty = (): Promise<true> =>
  until('the unused entries to go', async () => {
    const { segment } = pair.host1;
    return (await segment.neighbours()).length + (await segment.fdb()).length === 0;
  });

test.each([
  { what: 'with a mac: record', mac: true, restart: false },
  { what: 'with only an ip: record', mac: false, restart: false },
  { what: 'with a mac: record, after a restart', mac: true, restart: true },
  { what: 'with only an ip: record, after a restart', mac: false, restart: true },
])('a guest whose own ARP entry outlived ours loses one packet at most, $what', async ({ mac, restart }) => {
  await pair.publish(...addressRecords(pair.guest1), ...addressRecords(pair.guest2));
  if (mac) await pair.publish(macRecord(pair.guest2));
  await pair.serve(pair.host1, HASTY);
  expect((await pair.guest1.ping(GUEST)).received).toBe(1);
  await empty();
  if (restart) {
    await pair.daemon.kill();
    await pair.serve(pair.host1, HASTY);
  }
  // The guest may have asked again by itself while it was waited for; what counts is that it does not from here on.
  const asked = (): Promise<number> => pair.daemon.metric('missd_misses_total', { layer: 'l3' });
  const before = await asked();
  const own = ['neigh', 'replace', GUEST, 'lladdr', pair.guest2.mac, 'dev', 'eth0', 'nud', 'stale'];
  await pair.guest1.namespace.ip(own);
  // Less than the 5 s after which the guest would ask for the address again.
  const { sent, received } = await pair.guest1.ping(GUEST, { count: 40, interval: 0.05 });
  expect(sent - received).toBeLessThanOrEqual(1);
  expect(await asked()).toBe(before);
  await expectTables(pair.host1.segment, pair.redis, { ips: [], macs: [pair.guest2.mac], timeout: 1_000 });
  await booksBalance(pair.daemon);
});

test('a MAC that no record names is searched for once, and found when a record comes', async () => {
  await pair.publish(...addressRecords(pair.guest1));
  await pair.serve(pair.host1, ['--negative-lifetime', '1', '--flush-on-exit']);
  const own = ['neigh', 'replace', GUEST, 'lladdr', pair.guest2.mac, 'dev', 'eth0', 'nud', 'permanent'];
  await pair.guest1.namespace.ip(own);
  expect((await pair.guest1.ping(GUEST, { count: 20, interval: 0.1, timeout: 0.1 })).received).toBe(0);
  await pair.publishGuests(pair.guest2);
  await until(
    'the record to be found',
    async () => (await pair.guest1.ping(GUEST, { timeout: 0.5 })).received,
  );
  await expectTables(pair.host1.segment, pair.redis, { ips: [], macs: [pair.guest2.mac] });
});

test('a hot pair never sees a gap, over many lifetimes and idles', async () => {
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.serve(pair.host1, HASTY);
  const traffic = await Traffic.start(pair.lab, pair.guest1, GUEST);
  await traffic.for(scaled(120, 10));
  expect((await traffic.stop()).lost).toBe(0);
  // Neither withdrawn nor written again.
  expect(await pair.daemon.metric('missd_reconcile_changes_total')).toBe(0);
  expect(await pair.daemon.metric('missd_misses_total')).toBe(1);
  await expectTables(pair.host1.segment, pair.redis, { ips: [GUEST] });
});

test('an FDB entry stays for as long as one of its neighbours is there', async () => {
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.serve(pair.host1, ['--flush-on-exit']);
  expect((await pair.guest1.ping('fd20::2')).received).toBe(1);
  const traffic = await Traffic.start(pair.lab, pair.guest1, GUEST);
  await expectTables(pair.host1.segment, pair.redis, { ips: [GUEST, 'fd20::2'] });
  await pair.redis.cli('DEL', ipKey(100, 'fd20::2'));
  await expectTables(pair.host1.segment, pair.redis, { ips: [GUEST] });
  await traffic.flows();
  expect((await traffic.stop()).lost).toBe(0);
  await pair.redis.cli('DEL', ipKey(100, GUEST));
  await expectTables(pair.host1.segment, pair.redis, { ips: [] });
});

test('answers are checked again at the end of their lifetime: what changed without a word is found out', async () => {
  const ips = [GUEST, 'fd20::2'];
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.serve(pair.host1, ['--lifetime', '2', '--flush-on-exit']);
  for (const ip of ips) expect((await pair.guest1.ping(ip)).received).toBe(1);
  await expectTables(pair.host1.segment, pair.redis, { ips });
  // SWAPDB puts other records in the place of these, and Redis pushes no invalidation for it.
  const moved = addressRecords(pair.guest2).map(
    ([key, value]) => `SET "${key}" "${value.split(' ')[0]} 10.99.0.9"`,
  );
  await pair.redis.commands(['SELECT 1', moved[0] ?? '', 'SWAPDB 0 1']);
  await expectTables(pair.host1.segment, pair.redis, { ips: [GUEST], timeout: 5_000 });
  expect(await pair.host1.segment.fdb()).toMatchObject([{ vtep: '10.99.0.9' }]);
  await pair.redis.cli('FLUSHALL');
});
