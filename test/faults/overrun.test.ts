import { afterAll, beforeAll, expect, test } from 'vitest';
import { macOf } from '../../src/lab/address.ts';
import { type Entry, ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, ask, close, tellOnFailure } from '../lab/harness.ts';
import { Traffic } from './traffic.ts';
import { becomesTrue } from './truth.ts';

const IPS = Array.from({ length: 50 }, (_, index) => `20.0.1.${index + 1}`);

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const overruns = (): Promise<number> => pair.daemon.metric('missd_netlink_overruns_total');

test('misses overrun the buffer while records change and somebody meddles: the tables converge, counted', async () => {
  const { lab, host1, guest1, redis } = pair;
  const records = (vtep: string): Entry[] => IPS.map((ip) => [ipKey(100, ip), `${macOf(ip)} ${vtep}`]);
  await pair.publish(...records('10.99.0.5'));
  await ask(pair.daemon, guest1, IPS[0] ?? '', IPS.length);
  await pair.daemon.stop();
  await pair.serve(host1, ['--receive-buffer', '4096', '--audit', '3600']);
  const traffic = await Traffic.start(lab, guest1, '20.0.0.2');
  await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', ...IPS] });

  const before = await overruns();
  const flood = arpBurst(guest1, '30.0.0.0', 50_000);
  for (let round = 0; round < 10; round++) await pair.publish(...records(`10.99.0.${6 + round}`));
  // Nobody tells of this, and the next audit by the clock is an hour away: only that of the overrun can find it.
  await host1.namespace.ip(['neigh', 'del', IPS[0] ?? '', 'dev', 'vxlan100']);
  await flood;
  await arpBurst(guest1, '31.0.0.0', 20_000);
  await until('the overrun to be counted', async () => (await overruns()) > before);
  await becomesTrue(redis, host1.segment, { held: ['20.0.0.2', ...IPS] });
  expect((await traffic.stop()).lost).toBe(0);
  await guest1.forgetNeighbours();
  expect((await guest1.ping('fd20::2')).received).toBe(1);
});
