/** Metrics, dashboard and alert rules before the real Prometheus, which scrapes real daemons under traffic. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { guestIp4, macOf } from '../../src/lab/address.ts';
import { attempt } from '../../src/lab/command.ts';
import { Prometheus, type Series } from '../../src/lab/prometheus.ts';
import { ipKey } from '../../src/lab/records.ts';
import { until } from '../../src/lab/wait.ts';
import { panelsOf } from '../../grafana/reading.ts';
import { Pair, arpBurst, close, tellOnFailure } from './harness.ts';

const GRAFANA = new URL('../../grafana/', import.meta.url);
const panels = panelsOf(readFileSync(new URL('dashboard.json', GRAFANA), 'utf8'));

/** Addresses with a record, all on host 2; asked for in turn. */
const recorded = Array.from({ length: 2_000 }, (_, n) => `20.1.${n >> 8}.${n & 255}`);

let pair: Pair;
let prometheus: Prometheus;
beforeAll(async () => {
  await Prometheus.mustBeInstalled();
  pair = await Pair.build({ flags: ['--broadcast', '100'] });
  const { guest1, guest2, host2, redis } = pair;
  await pair.publishGuests(guest1, guest2);
  await redis.commands(recorded.map((ip) => `SET "${ipKey(100, ip)}" "${macOf(ip)} ${host2.vtep}"`));
  prometheus = await Prometheus.start(pair.lab, pair.daemons, '250ms');
});
afterAll(() => close(pair));
tellOnFailure(() => pair);

let asked = 0;
/** New pairs of guests, addresses that nobody has, and a record that changes. */
async function someTraffic(): Promise<void> {
  const { guest1, guest2, host2 } = pair;
  const first = recorded[(asked += 20) % recorded.length] ?? '';
  await arpBurst(guest1, first, 20);
  await arpBurst(guest1, `20.9.${(asked >> 8) & 255}.${asked & 255}`, 2);
  await guest1.ping(guest2.ip4 ?? '');
  await pair.publish([ipKey(100, guestIp4(2)), `${guest2.mac} ${host2.vtep}`]);
}

/** What must be more than nothing under this traffic; everything else must be there, and a number. */
const SOMETHING: Record<string, (series: Series) => boolean> = {
  Ready: () => true,
  Directory: () => true,
  'Devices served': () => true,
  'Misses, by how they end': ({ labels }) => ['resolved', 'unknown'].includes(labels['outcome'] ?? ''),
  'Parts of the directory': () => true,
  'Lag of the feed': () => true,
  Processor: () => true,
  Memory: () => true,
  'Miss to entry': () => true,
  'Where the time goes': () => true,
  'Round trip to the directory': () => true,
  'Change to tables': () => true,
  Entries: ({ labels }) => labels['table'] !== 'route',
  'Neighbours, largest devices': ({ labels }) => labels['device']?.includes('h1') ?? false,
  'Misses, busiest devices': ({ labels }) => labels['device']?.includes('h1') ?? false,
  'Remembered as nobody’s': ({ labels }) => labels['instance'] === 'host1',
  Devices: () => true,
  'Not resolved': ({ labels }) => labels['outcome'] === 'unknown',
  'Told to guests': ({ labels }) => labels['outcome'] === 'sent',
};
test('the table of expectations speaks of panels that there are', () => {
  const titles = panels.map(({ title }) => title);
  expect(Object.keys(SOMETHING).filter((title) => !titles.includes(title))).toEqual([]);
});

test.each(panels.flatMap(({ title, queries }) => queries.map(({ expr }) => ({ title, expr }))))(
  'panel "$title": $expr',
  async ({ title, expr }) => {
    const wanted = SOMETHING[title] ?? (() => false);
    const value = ({ points }: Series): number => points.at(-1)?.[1] ?? NaN;
    let series: Series[] = [];
    const good = async (): Promise<boolean> => {
      series = await prometheus.query(expr);
      return (
        series.length > 0 &&
        series.every((one) => value(one) >= 0 && value(one) < Infinity) &&
        series.every((one) => !wanted(one) || value(one) > 0) &&
        (SOMETHING[title] === undefined || series.some(wanted))
      );
    };
    try {
      await until(
        title,
        async () => {
          const seen = await good();
          if (!seen) await someTraffic();
          return seen;
        },
        { timeout: 30_000 },
      );
    } catch {
      expect(series.map((one) => [one.labels, value(one)])).toBe(
        'numbers, and more than nothing where there is traffic',
      );
    }
  },
);

/** Of how fast it is: a machine that stumbles may have them waited for, but not for as long as it takes to fire. */
const OF_SPEED = ['MissdSlow', 'MissdBusy', 'MissdFeedLagging'];

test('no alert has anything to say in health, and none is wrong', async () => {
  const evaluated = await until('all rules to be evaluated', async () => {
    const all = await prometheus.alerts();
    return all.length > 0 && all.every(({ health }) => health !== 'unknown') && all;
  });
  expect(evaluated.filter(({ health }) => health !== 'ok')).toEqual([]);
  expect(evaluated.filter(({ state }) => state === 'firing')).toEqual([]);
  await until('all to be inactive', async () =>
    (await prometheus.alerts()).every(({ name, state }) => state === 'inactive' || OF_SPEED.includes(name)),
  );
});

test('a Redis that stands still is an alert, until it goes on', async () => {
  const state = async (): Promise<string | undefined> =>
    (await prometheus.alerts()).find(({ name }) => name === 'MissdDirectoryDown')?.state;
  pair.redis.signal('SIGSTOP');
  await until('the alert', async () => (await state()) !== 'inactive');
  pair.redis.signal('SIGCONT');
  await until('its end', async () => (await state()) === 'inactive');
});

test('a daemon that is gone is an alert', async () => {
  const down = async (): Promise<unknown> =>
    (await prometheus.alerts()).find(({ name, state }) => name === 'MissdDown' && state !== 'inactive');
  await pair.daemons[1]?.kill();
  await until('the alert', down);
});

test('what Prometheus asks for, and gets, is OpenMetrics', async () => {
  // The text format calls the counter by the name of its samples.
  expect(await prometheus.types()).toMatchObject({
    missd_misses: 'counter',
    missd_resolution_seconds: 'histogram',
    process_cpu_seconds: 'counter',
    nodejs_gc_duration_seconds: 'histogram',
  });
});

test.each([
  { what: 'metrics', argv: ['check', 'metrics'] },
  { what: 'rules', argv: ['check', 'rules', new URL('alerts.yaml', GRAFANA).pathname] },
  { what: 'cases of the rules', argv: ['test', 'rules', new URL('alerts.test.yaml', GRAFANA).pathname] },
])('promtool has nothing against the $what', async ({ argv }) => {
  const input = (await pair.daemon.get('/metrics'))?.body ?? '';
  const { code, stdout, stderr } = await attempt(['promtool', ...argv], { input });
  expect({ code, said: stdout + stderr }).toMatchObject({ code: 0 });
  if (argv[1] === 'metrics') expect(stdout + stderr).toBe('');
});
