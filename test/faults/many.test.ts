import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { Redis as Client } from 'ioredis';
import { macOf } from '../../src/lab/address.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, close, tellOnFailure } from '../lab/harness.ts';
import { limit, scaledCount } from './scale.ts';
import { expectTables } from './tables.ts';

const COUNT = scaledCount(100_000, 10_000);
/** 21.0.0.0 and on. */
const IPS = Array.from({ length: COUNT }, (_, n) => `21.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
/** Asked for at once; few enough that no buffer overflows. */
const BURST = 5_000;

let pair: Pair;
let client: Redis;
beforeAll(async () => {
  // One guest asks for all of it, and a port's quota is a quarter.
  pair = await Pair.build({ also: [3], flags: ['--max-entries', String(4 * COUNT + 10_000)] });
  client = new Client({ path: pair.redis.socket });
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(async () => {
  client.disconnect();
  await close(pair);
});
tellOnFailure(() => pair);

async function publish(ips: readonly string[], vtep: string): Promise<void> {
  for (let start = 0; start < ips.length; start += 10_000) {
    const some = ips.slice(start, start + 10_000);
    await client.mset(...some.flatMap((ip) => [ipKey(100, ip), `${macOf(ip)} ${vtep}`]));
  }
}

const held = (): Promise<number> => pair.daemon.metric('missd_entries', { table: 'neighbour' });

test(
  `${COUNT} entries held at a restart: reconciled in seconds, new misses answered meanwhile`,
  async () => {
    const { host1, guest1, redis } = pair;
    await publish(IPS, '10.99.0.5');
    for (let start = 0; start < COUNT; start += BURST) {
      await arpBurst(guest1, IPS[start] ?? '', Math.min(BURST, COUNT - start));
      await until('their entries', async () => (await held()) >= Math.min(COUNT, start + BURST), {
        timeout: 60_000,
      });
    }
    await pair.daemon.kill();
    const deleted = IPS.filter((_, n) => n % 100 === 7);
    await client.del(...deleted.map((ip) => ipKey(100, ip)));
    await publish(
      IPS.filter((_, n) => n % 100 === 8),
      '10.99.0.6',
    );
    await pair.publish([ipKey(100, '20.0.0.3'), `${macOf('20.0.0.3')} ${pair.host2.vtep}`]);

    const started = performance.now();
    const daemon = await (await pair.start(host1, ['--max-entries', String(4 * COUNT + 10_000)])).alive();
    const alive = performance.now() - started;
    const answered = guest1.ping('20.0.0.3', { timeout: 30 }).then(({ received }) => ({
      received,
      after: performance.now() - started,
    }));
    await until('it to be ready', async () => (await daemon.get('/readyz'))?.status === 200, {
      timeout: 120_000,
    });
    const ready = performance.now() - started;
    const first = await answered;
    console.info(
      `${COUNT} entries: alive after ${alive.toFixed(0)} ms, a new miss answered after ${first.after.toFixed(0)} ms, ready after ${ready.toFixed(0)} ms`,
    );
    expect(first.received).toBe(1);
    // A question waits for nothing that is read again: it is answered first, or as soon as it is asked.
    expect(first.after).toBeLessThan(Math.max(ready, alive + 2_000));
    expect(ready).toBeLessThan(5_000 + COUNT / 5);
    const gone = new Set(deleted);
    const ips = ['20.0.0.3', ...IPS.filter((ip) => !gone.has(ip))];
    await expectTables(host1.segment, redis, { ips, timeout: 0 });
  },
  limit(COUNT * 3),
);
