import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MetricsText } from '../../../../src/lab/metrics-text.ts';
import { TEXT } from '../../../../src/observe/metrics/metrics.ts';
import { openRegistry } from '../../../../src/observe/metrics/registry.ts';
import { NUD_STALE } from '../../../../src/kernel/netlink.ts';
import { type Crowd, crowd } from '../../fake/crowd.ts';
import { daemonOnFakes } from '../../fake/daemon.ts';
import { turns } from '../../fake/world.ts';

const labelsOf = (text: string): [name: string, value: string][] =>
  [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value]);

test('every counter is there from the start, at 0', async () => {
  const text = await openRegistry(daemonOnFakes()).render(TEXT);
  const counters = [...text.matchAll(/^# TYPE (missd_\w+) counter$/gm)].map(([, name = '']) => name);
  const ofDevices = counters.filter((name) => /^missd_(device_|broadcasts_)/.test(name));
  expect(counters.length).toBeGreaterThan(15);
  for (const name of counters.filter((one) => !ofDevices.includes(one)))
    expect(text, name).toMatch(new RegExp(`^${name}(\\{.*\\})? `, 'm'));
  for (const word of ['resolved', 'unknown', 'failed', 'shed', 'local'])
    expect(text).toContain(`missd_resolutions_total{layer="l2",outcome="${word}"} 0\n`);
  for (const stage of ['queue', 'lookup', 'write', 'announce'])
    expect(text).toContain(`missd_stage_seconds_count{stage="${stage}"} 0\n`);
});

describe('200 devices and 100,000 entries', () => {
  let all: Crowd;
  beforeAll(async () => {
    all = await crowd(200, 500);
  });
  afterAll(() => all.daemon.stop());

  test('a scrape is less than a megabyte, and takes no second', async () => {
    const metrics = openRegistry(all.daemon);
    const started = performance.now();
    const text = await metrics.render(TEXT);
    // The aim is 100 ms.
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(text.length).toBeLessThan(1_000_000);
    const read = new MetricsText(text);
    expect(read.sum('missd_devices')).toBe(200);
    expect(read.sum('missd_device_entries', { table: 'neighbour' })).toBe(100_000);
    expect(read.sum('missd_entries', { table: 'neighbour' })).toBe(100_000);
  });

  test('the counts of devices add up to the totals, and no address is a label', async () => {
    const { kernel, directory, daemon, devices } = all;
    const [one] = devices;
    if (one === undefined) throw new Error('no device');
    directory.set(one.vni, 'ip', '20.9.9.9', '02:00:00:09:09:09 10.99.0.9');
    const misses = ['20.9.9.9', '20.9.9.8'].map((address) => ({
      ...{ layer: 'l3' as const, ifindex: one.ifindex, address, state: NUD_STALE, count: 1 },
      asker: { port: one.ifindex - 1, lladdr: '02:00:00:00:00:01', ip: '20.0.255.1' },
    }));
    kernel.tell({ type: 'misses', misses });
    while (daemon.admission.inFlight > 0) await turns();
    const text = await openRegistry(daemon).render(TEXT);
    const metrics = new MetricsText(text);
    const device = one.name;
    expect(metrics.sum('missd_device_misses_total', { device, layer: 'l3' })).toBe(2);
    expect(metrics.sum('missd_device_lookups_total', { device })).toBe(2);
    for (const outcome of ['resolved', 'unknown']) {
      expect(metrics.sum('missd_device_resolutions_total', { device, outcome })).toBe(1);
      expect(metrics.sum('missd_resolutions_total', { outcome })).toBe(1);
    }
    // Both waited for their turn and the directory; one was written and told.
    const stages = ['queue', 'lookup', 'write', 'announce'];
    expect(stages.map((stage) => metrics.sum('missd_stage_seconds_count', { stage }))).toEqual([2, 2, 1, 1]);
    for (const [name, value] of labelsOf(text)) {
      expect(['address', 'ip', 'mac', 'port']).not.toContain(name);
      expect(value).not.toMatch(/\d+\.\d+\.\d+\.\d+|([0-9a-f]{2}:){5}/);
    }
  });
});
