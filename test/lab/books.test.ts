import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MetricsText } from '../../src/lab/metrics-text.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, arpBurst, close, tellOnFailure } from './harness.ts';

/** misses = resolutions + ignored + in flight, at every moment and not only at rest. */
let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build();
  await pair.publishGuests(pair.guest1, pair.guest2);
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

const balanceOf = (metrics: MetricsText): number =>
  metrics.sum('missd_misses_total') -
  metrics.sum('missd_resolutions_total') -
  metrics.sum('missd_misses_ignored_total') -
  metrics.sum('missd_misses_in_flight');

test.each([
  { what: 'many addresses once', distinct: 20_000, ignored: '' },
  { what: 'few addresses over and over', distinct: 50, ignored: 'negative' },
  { what: 'few addresses while Redis takes its time', distinct: 40, ignored: 'in_flight' },
])('$what: every miss is heard and accounted for', async ({ distinct, ignored }) => {
  const { daemon, guest1, redis } = pair;
  // Not those of the case before, which are known to be nobody's.
  const first = ignored === 'in_flight' ? '20.2.0.0' : '20.1.0.0';
  const before = await daemon.metrics();
  if (ignored === 'in_flight') redis.signal('SIGSTOP');
  const seen: MetricsText[] = [];
  const sending = new Set([1]);
  const burst = arpBurst(guest1, first, 20_000, distinct).finally(() => {
    sending.clear();
  });
  while (sending.size > 0) seen.push(await daemon.metrics());
  await burst;
  redis.signal('SIGCONT');
  const count = async (name: string, labels?: Record<string, string>) =>
    (await daemon.metric(name, labels)) - before.sum(name, labels);
  // At least, because the guests have questions of their own.
  await until('all of them to be heard', async () => (await count('missd_misses_total')) >= 20_000);
  await until('all of them to be settled', async () => (await daemon.metric('missd_misses_in_flight')) === 0);
  seen.push(await daemon.metrics());
  expect(seen.map(balanceOf)).toEqual(seen.map(() => 0));
  expect(await count('missd_netlink_overruns_total')).toBe(0);
  // That each case is what it says.
  if (ignored === '') expect(await count('missd_resolutions_total')).toBeGreaterThanOrEqual(20_000);
  else expect(await count('missd_misses_ignored_total', { reason: ignored })).toBeGreaterThan(0);
});
