/**
 * What metrics cost: a scrape of a daemon with 200 devices and 100,000 entries, what it does to misses that come
 * meanwhile, and what counting takes of a miss. On a kernel and a directory in memory, so that there is nothing else to
 * be measured; a real miss takes many times as long, and the shares are the highest they can be.
 */
import { mock } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { NUD_STALE } from '../../src/kernel/netlink.ts';
import { Counters } from '../../src/model/counters.ts';
import { PlainHistogram } from '../../src/base/histogram.ts';
import { TEXT } from '../../src/observe/metrics/metrics.ts';
import { openRegistry } from '../../src/observe/metrics/registry.ts';
import type { Miss } from '../../src/base/vocabulary.ts';
import { type Crowd, crowd } from '../unit/fake/crowd.ts';
import type { Field } from './field.ts';
import type { BenchOptions } from './options.ts';
import { median, percentile } from './statistics.ts';
import type { Findings } from './table.ts';

const DEVICES = 200;
const ENTRIES = 500;
/** Between two misses, and of scrapes that many misses apart: a second, more often than any Prometheus, ms. */
const PACE = 2;
const EVERY = 500;
const STORM = 20_000;
const TIMED = 2_000_000;
/** Aims: ms, bytes, times, share. */
const AIM = { took: 100, size: 1_000_000, p99: 2, quota: 0.05 };

export async function scrape(_field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  const all = await crowd(DEVICES, ENTRIES);
  const metrics = openRegistry(all.daemon);
  let asked = 0;
  const next = (): Miss => {
    const device = all.devices[asked % DEVICES];
    const ifindex = device?.ifindex ?? 0;
    const address = `20.8.${(asked >> 8) & 255}.${asked & 255}`;
    asked += 1;
    all.directory.set(device?.vni ?? 0, 'ip', address, '02:00:00:08:08:08 10.99.0.9');
    const asker = { port: ifindex - 1, lladdr: '02:00:00:00:00:01', ip: '20.0.255.1' };
    return { layer: 'l3', ifindex, address, state: NUD_STALE, count: 1, asker };
  };
  const misses = quick ? 1_000 : 5_000;
  await paced(all, next, misses, () => undefined);
  for (let at = 0; at < 50; at += 1) await metrics.render(TEXT);

  const took: number[] = [];
  let size = 0;
  const scraping = async (): Promise<void> => {
    const started = performance.now();
    size = (await metrics.render(TEXT)).length;
    took.push(performance.now() - started);
  };
  const latency: Record<'without' | 'with', number[]> = { without: [], with: [] };
  const cpu: number[] = [];
  for (let round = 0; round < repetitions; round += 1) {
    latency.without.push(percentile(await paced(all, next, misses, () => undefined), 0.99));
    latency.with.push(percentile(await paced(all, next, misses, scraping), 0.99));
    cpu.push(await storm(all, next));
  }
  const count = await counting(all, next);
  const plain = increments(all);
  await all.daemon.stop();
  const ratio = median(latency.with) / median(latency.without);
  const taken = (count.storm * count.each + plain) / 1000;
  return {
    rows: [
      {
        ...{ what: `scrape, ${DEVICES} devices, ${DEVICES * ENTRIES} entries`, contender: 'missd' },
        figures: {
          p50: `${median(took).toFixed(1)} ms`,
          most: `${Math.max(...took).toFixed(1)} ms`,
          size: `${(size / 1000).toFixed(0)} kB`,
        },
        target: `≤ ${AIM.took} ms, ≤ 1 MB`,
        met: Math.max(...took) <= AIM.took && size <= AIM.size,
      },
      {
        ...{ what: `p99 of a miss, a scrape every ${PACE * EVERY} ms`, contender: 'missd' },
        figures: {
          without: `${(median(latency.without) * 1000).toFixed(0)} µs`,
          with: `${(median(latency.with) * 1000).toFixed(0)} µs`,
        },
        ratios: { p99: ratio },
        target: `≤ ${AIM.p99}×`,
        met: ratio <= AIM.p99,
      },
      {
        ...{ what: `counting, ${STORM} at once`, contender: 'missd' },
        figures: {
          observations: count.storm.toFixed(3),
          each: `${count.each.toFixed(0)} ns`,
          'plain counts': `${plain.toFixed(0)} ns`,
          'CPU of a miss': `${median(cpu).toFixed(2)} µs`,
        },
        ratios: { quota: taken / median(cpu) },
        target: `≤ ${AIM.quota} of it`,
        met: taken / median(cpu) <= AIM.quota,
      },
      {
        ...{ what: 'counting, a miss alone', contender: 'missd' },
        figures: {
          observations: count.alone.toFixed(1),
          'all counting': `${((count.alone * count.each + plain) / 1000).toFixed(2)} µs`,
        },
      },
    ],
    raw: { took, size, latency, cpu, count, plain },
  };
}

/** Misses one by one: from the kernel's word to the announcement, ms each. */
async function paced(all: Crowd, next: () => Miss, count: number, beside: () => unknown): Promise<number[]> {
  const latencies: number[] = [];
  const due = performance.now();
  for (let at = 0; at < count; at += 1) {
    if (at % EVERY === 0) setImmediate(beside);
    // When it should have come: what held up the loop held up the miss.
    const came = due + at * PACE;
    const wait = came - performance.now();
    if (wait > 0) await sleep(wait);
    const before = all.kernel.announced.length;
    const began = Math.max(came, performance.now() - PACE);
    all.kernel.tell({ type: 'misses', misses: [next()] });
    while (all.kernel.announced.length === before) await turn();
    latencies.push(performance.now() - began);
  }
  return latencies;
}

/** All at once: processor time each, µs. */
async function storm(all: Crowd, next: () => Miss): Promise<number> {
  const misses = Array.from({ length: STORM }, next);
  const before = process.cpuUsage();
  for (let at = 0; at < STORM; at += 256)
    all.kernel.tell({ type: 'misses', misses: misses.slice(at, at + 256) });
  while (all.daemon.admission.inFlight > 0) await turn();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / STORM;
}

/** Observations of one miss, alone and in a storm, and what each takes with its look at the clock, ns. */
async function counting(
  all: Crowd,
  next: () => Miss,
): Promise<{ alone: number; storm: number; each: number }> {
  const observed = mock.method(PlainHistogram.prototype, 'observe').mock;
  const during = async (work: () => Promise<unknown>): Promise<number> => {
    observed.resetCalls();
    await work();
    return observed.callCount();
  };
  const alone = (await during(() => paced(all, next, 100, () => undefined))) / 100;
  const inStorm = (await during(() => storm(all, next))) / STORM;
  observed.restore();
  const histogram = new PlainHistogram(all.daemon.counters.stageSeconds.queue.bounds);
  const started = performance.now();
  for (let at = 0; at < TIMED; at += 1) histogram.observe((performance.now() - started) / 1e6);
  return { alone, storm: inStorm, each: ((performance.now() - started) / TIMED) * 1e6 };
}

/** What is only counted of a miss: received, taken to the directory, how it ended; ns. */
function increments(all: Crowd): number {
  const counters = new Counters();
  const [device] = all.devices;
  if (device === undefined) return NaN;
  const started = performance.now();
  for (let at = 0; at < TIMED; at += 1) {
    counters.misses.l3 += 1;
    counters.ignored.duplicate += at & 1;
    device.counters.misses.l3 += 1;
    device.counters.lookups += 1;
    counters.lookupKeys += 1;
    counters.announcements.sent += 1;
    counters.settled(device, 'l3', 'resolved');
  }
  return ((performance.now() - started) / TIMED) * 1e6;
}
