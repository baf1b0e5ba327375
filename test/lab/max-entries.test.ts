import { afterAll, beforeAll, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import type { Guest } from '../../src/lab/guest.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, ask, booksBalance, close, tellOnFailure } from './harness.ts';

const MAX = 2_000;
const QUOTA = MAX / 4;
/** Questions answered before room is made, two batches: what the tables may have too many for a moment. */
const BATCH = 2 * 256;
const SCANNED = 4_000;
const MINE = 50;

const address = (net: number, n: number): string => `${net}.0.${n >> 8}.${n & 255}`;
const addresses = (net: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => address(net, n));

let pair: Pair;
let bystander: Guest;
beforeAll(async () => {
  pair = await Pair.build({ flags: ['--max-entries', String(MAX)] });
  bystander = await pair.host1.addGuest({ n: 3, dad: false });
  await pair.publishGuests(pair.guest1, pair.guest2, bystander);
  const all = [...addresses(21, SCANNED), ...addresses(22, MINE)];
  await pair.publish(...all.map<[string, string]>((ip) => [ipKey(100, ip), `${macOf(ip)} 10.99.0.5`]));
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const evictions = (): Promise<number> => pair.daemon.metric('missd_evictions_total');

test('a guest that scans what exists evicts its own oldest entries, and nobody else’s', async () => {
  const { daemon, guest1, guest2, host1 } = pair;
  await ask(daemon, bystander, address(22, 0), MINE);
  expect((await bystander.ping(guest2.ip4 ?? '')).received).toBe(1);
  const theirs = [...addresses(22, MINE), guest2.ip4];

  const pinging = bystander.ping(guest2.ip4 ?? '', { count: 40, interval: 0.05 });
  const sizes: number[] = [];
  for (let from = 0; from < SCANNED; from += 500) {
    await arpBurst(guest1, address(21, from), 500);
    sizes.push((await host1.segment.neighbours()).length);
  }
  await booksBalance(daemon);
  await until('room to be made', async () => (await evictions()) >= SCANNED - QUOTA);

  const held = new Set((await host1.segment.neighbours()).map(({ ip }) => ip));
  expect(theirs.filter((ip) => ip !== undefined && !held.has(ip))).toEqual([]);
  // All that was asked for was answered, and the latest of it is there.
  expect(held.has(address(21, SCANNED - 1))).toBe(true);
  expect(addresses(21, SCANNED).filter((ip) => held.has(ip)).length).toBeLessThanOrEqual(QUOTA);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(QUOTA + theirs.length + BATCH);
  const lost = await pinging;
  expect(lost.received).toBe(lost.sent);

  // No FDB entry is left behind by a neighbour that went, and no neighbour is without one.
  const macs = new Set((await host1.segment.fdb()).map(({ lladdr }) => lladdr));
  expect([...held].filter((ip) => ip.startsWith('21.') && !macs.has(macOf(ip)))).toEqual([]);
  expect(macs.size).toBeLessThanOrEqual(held.size + 5);
  expect(await daemon.metric('missd_evictions_total', { reason: 'max_entries' })).toBe(0);
});

test('what was evicted is back with the next miss', async () => {
  const [first = ''] = addresses(21, 1);
  await ask(pair.daemon, pair.guest1, first);
  expect((await pair.host1.segment.neighbours()).map(({ ip }) => ip)).toContain(first);
});
