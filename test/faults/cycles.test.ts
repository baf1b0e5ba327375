import { afterAll, beforeAll, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { macOf } from '../../src/lab/address.ts';
import { ipKey, macKey } from '../../src/lab/records.ts';
import { Pair, arpBurst, close, tellOnFailure } from '../lab/harness.ts';
import { limit, scaledCount } from './scale.ts';
import { Traffic } from './traffic.ts';
import { becomesTrue } from './truth.ts';

const CYCLES = scaledCount(20, 5);
const IPS = Array.from({ length: 100 }, (_, index) => `20.0.1.${index + 1}`);

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

/** Sets, moves, renames and deletes records, one after the other, until told to stop. */
async function churn(stopped: () => boolean): Promise<number> {
  let changes = 0;
  while (!stopped()) {
    const lines = Array.from({ length: 5 }, () => {
      const ip = IPS[Math.floor(Math.random() * IPS.length)] ?? '';
      const mac = Math.random() < 0.8 ? macOf(ip) : `02:aa:${macOf(ip).slice(6)}`;
      const vtep = `10.99.0.${2 + Math.floor(Math.random() * 20)}`;
      const dice = Math.random();
      if (dice < 0.6) return `SET "${ipKey(100, ip)}" "${mac} ${vtep}"`;
      if (dice < 0.8) return `DEL "${ipKey(100, ip)}"`;
      return dice < 0.9 ? `SET "${macKey(100, mac)}" ${vtep}` : `DEL "${macKey(100, mac)}"`;
    });
    await pair.redis.commands(lines);
    changes += lines.length;
    await sleep(10);
  }
  return changes;
}

/** Guest 1 asks for all of them again and again. */
async function load(stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    await arpBurst(pair.guest1, IPS[0] ?? '', IPS.length);
    await sleep(50);
  }
}

test(
  `${CYCLES} times kill -9 and restart at random moments, under load, with records changing`,
  async () => {
    const { lab, host1, guest1, redis } = pair;
    const traffic = await Traffic.start(lab, guest1, '20.0.0.2');
    let stop = false;
    const busy = Promise.all([churn(() => stop), load(() => stop)]);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      // Long enough to be in the middle of starting, of adopting, or of serving.
      await sleep(200 + Math.random() * 1_300);
      await pair.daemon.kill();
      await pair.start(host1);
    }
    await sleep(1_000);
    stop = true;
    const [changes] = await busy;
    await pair.daemon.ready();
    await becomesTrue(redis, host1.segment);
    await arpBurst(guest1, IPS[0] ?? '', IPS.length);
    await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', ...IPS] });
    const { sent, lost } = await traffic.stop();
    console.info(`${CYCLES} cycles, ${changes} changes; established pair: ${lost} of ${sent} packets lost`);
    expect(changes).toBeGreaterThan(CYCLES * 20);
    expect(lost).toBe(0);
  },
  limit(CYCLES * 2_500),
);
