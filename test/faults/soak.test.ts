/** Churn for as long as the requirement has it: in the end memory is flat and the tables are exact. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressRecords, ipKey, macKey } from '../../src/lab/records.ts';
import { Pair, arpBurst, booksBalance, close, tellOnFailure } from '../lab/harness.ts';
import { SCALE, scaled } from './scale.ts';
import { rowsOf } from './tables.ts';
import { Traffic } from './traffic.ts';

const GUEST = '20.0.0.2';
/** `npm test` has no more than half a minute for it. */
const LENGTH = scaled(SCALE < 1 ? 300 : 600);
/** Addresses of two /16s: of 21.0 records come and go, of 21.1 there is never one. */
const KNOWN = 4_096;
const ip = (n: number): string => `21.0.${n >> 8}.${n & 255}`;
const mac = (n: number): string =>
  `02:42:15:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
const VTEPS = ['10.99.0.2', '10.99.0.8', '10.99.0.9'];
const MB = 1 << 20;

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  await pair.publish(...addressRecords(pair.guest1), ...addressRecords(pair.guest2));
  const flags = ['--lifetime', '5', '--idle', '10', '--audit', '2', '--negative-lifetime', '1'];
  await pair.serve(pair.host1, flags);
  await pair.serve(pair.host2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** The same churn every time: a linear congruential generator (Numerical Recipes). */
let seed = 1;
const random = (below: number): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

/** One record is new, moves, gets another MAC, goes, or is going to expire. */
function change(): string[] {
  const n = random(KNOWN);
  const vtep = VTEPS[random(VTEPS.length)];
  const key = ipKey(100, ip(n));
  switch (random(6)) {
    case 0:
      return [`DEL "${key}" "${macKey(100, mac(n))}"`];
    case 1:
      return [`SET "${key}" "${mac(n)} ${vtep}" PX ${500 + random(3_000)}`];
    case 2:
      return [`SET "${key}" "${mac(n + KNOWN)} ${vtep}"`];
    case 3:
      return [`SET "${macKey(100, mac(n))}" "${vtep}"`, `SET "${key}" "${mac(n)} ${vtep}"`];
    default:
      return [`SET "${key}" "${mac(n)} ${vtep}"`];
  }
}

async function churn(): Promise<void> {
  await pair.redis.commands(Array.from({ length: 200 }, change).flat());
  await arpBurst(pair.guest1, ip(random(KNOWN - 200)), 200);
  await arpBurst(pair.guest1, `21.1.${random(200)}.0`, 200);
  await sleep(50);
}

const memory = (): Promise<number> => pair.daemon.metric('process_resident_memory_bytes');

/** What a row says that the directory does not. */
async function wrong(): Promise<string[]> {
  const keys = (await pair.redis.cli('--raw', 'KEYS', 'missd:{100}:*')).split('\n');
  const values = (await pair.redis.cli('--raw', 'MGET', ...keys)).split('\n');
  const records = new Map(keys.map((key, index) => [key, values[index] ?? '']));
  const vteps = new Map<string, Set<string>>();
  for (const [key, value] of records) {
    const [first = '', second = ''] = value.split(' ');
    const named = key.includes(':mac:');
    const [of, vtep] = named ? [key.slice('missd:{100}:mac:'.length), first] : [first, second];
    const own = records.get(macKey(100, of));
    vteps.set(of, (vteps.get(of) ?? new Set()).add(own ?? vtep));
  }
  return (await rowsOf(pair.host1.segment)).filter((row) => {
    const [table, one = '', other = '', ...rest] = row.split(' ');
    if (table === 'fdb') return rest.join(' ') !== 'extern_learn' || vteps.get(one)?.has(other) !== true;
    return (
      rest.join(' ') !== 'NOARP extern_learn 77' || records.get(ipKey(100, one))?.startsWith(other) !== true
    );
  });
}

test(
  'ten minutes of churn at full length',
  async () => {
    const traffic = await Traffic.start(pair.lab, pair.guest1, GUEST);
    const begun = performance.now();
    const sizes: number[] = [];
    while (performance.now() - begun < LENGTH) {
      await churn();
      sizes.push(await memory());
    }
    expect((await traffic.stop()).lost).toBe(0);
    await expect.poll(wrong, { timeout: 15_000, interval: 500 }).toEqual([]);
    expect((await rowsOf(pair.host1.segment)).length).toBeGreaterThan(100);
    await booksBalance(pair.daemon);
    const third = Math.floor(sizes.length / 3);
    const highest = (some: number[]): number => Math.max(...some);
    const [warm, end] = [highest(sizes.slice(third, 2 * third)), highest(sizes.slice(2 * third))];
    console.log(
      `memory ${Math.round(warm / MB)} MB in the second third, ${Math.round(end / MB)} MB in the last`,
    );
    // A young heap still grows; what leaks at this rate shows over ten minutes.
    expect(end - warm).toBeLessThan((SCALE < 1 ? 32 : 16) * MB);
  },
  LENGTH + 60_000,
);
