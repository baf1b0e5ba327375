/** What an operator reads at the usual level: a line for each thing to act on, however often it happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, booksBalance, tellOnFailure } from './harness.ts';

let pair: Pair | undefined;
tellOnFailure(() => pair);
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** Lines in all: those of a start, and a handful for what goes wrong. */
const MOST = 30;

test('a storm of unknown addresses, malformed records and a directory that comes and goes are a few lines', async () => {
  pair = await Pair.build({ noDaemons: true });
  const { host1, guest1, redis } = pair;
  const malformed = Array.from(
    { length: 200 },
    (_, n) => [ipKey(100, `20.0.128.${n + 1}`), 'nonsense'] as const,
  );
  await pair.publish(...malformed);
  const daemon = await pair.serve(host1);

  await arpBurst(guest1, '20.0.128.1', 200);
  await arpBurst(guest1, '20.0.16.1', 5_000);
  for (let outage = 0; outage < 3; outage++) {
    await redis.stop();
    await until('the outage to be noticed', async () => (await daemon.metric('missd_directory_up')) === 0);
    await arpBurst(guest1, '20.0.64.1', 500);
    await sleep(300);
    await redis.start();
    await until('its end to be noticed', async () => (await daemon.metric('missd_directory_up')) === 1);
  }
  await booksBalance(daemon);

  const lines = daemon.log.map((line) => JSON.parse(line) as { level: number; msg: string });
  const texts = lines.map(({ msg }) => msg);
  console.log(texts.join('\n'));
  expect(texts.length).toBeLessThanOrEqual(MOST);
  // Nothing is said twice, and of single misses nothing at all.
  expect(new Set(texts).size).toBe(texts.length);
  expect(texts.filter((text) => /20\.0\.(16|64)\./.test(text))).toEqual([]);
  expect(texts.filter((text) => text.includes('malformed record'))).toHaveLength(1);
  expect(texts.filter((text) => text === 'the directory answers')).toHaveLength(1);
  expect(texts.some((text) => text.startsWith('the directory does not answer: '))).toBe(true);
  expect(await daemon.stop()).toBe(0);
});
