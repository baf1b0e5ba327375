/** What it takes to hold many entries: memory, processor time while nothing happens, and the price of one more. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOf, rssOf, timesOf } from './cpu.ts';
import type { Field } from './field.ts';
import { flurry } from './flurry.ts';
import type { BenchOptions } from './options.ts';
import { type Contender, MISSD_REDIS, seatMissd } from './seat.ts';
import { median, ratio, spread } from './statistics.ts';
import type { Findings, Row } from './table.ts';

const MANY = 100_000;
const FEW = 1_000;
const SAMPLE = 5_000;
const MEGABYTE = 1e6;
/** Until what a start or a storm has left is collected, which takes 30 s without a miss, and the tables have been compared, ms. */
const SETTLE = 45_000;

const enter = async (field: Field, flags: readonly string[] = []): Promise<Contender> => ({
  name: MISSD_REDIS,
  kind: 'record',
  seat: await seatMissd(field, { flags }),
});

/** Asks for `count` addresses; the price of one, µs. */
async function fill(field: Field, one: Contender, first: number, count: number): Promise<number> {
  const { resolved, cpu } = await flurry(field, one, { topology: 'bridged', first, distinct: count });
  if (resolved !== count) throw new Error(`${resolved} of ${count} entries came to be`);
  return cpu;
}

export async function memory(field: Field, { quick }: BenchOptions): Promise<Findings> {
  const count = quick ? MANY / 5 : MANY;
  await field.publish('bridged', count);
  const one = await enter(field);
  const { pid } = one.seat.responder.program;
  await sleep(SETTLE);
  const idle = rssOf(pid);
  await fill(field, one, 0, count);
  await sleep(SETTLE);
  const holding = rssOf(pid);
  const each = (holding - idle) / count;
  const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(0)} MB`;
  const row = (what: string, text: string, target: string, met: boolean): Row => ({
    what,
    contender: 'missd',
    figures: { '': text },
    target,
    met,
  });
  return {
    rows: [
      row('memory, idle', megabytes(idle), '≤ 90 MB', idle <= 90 * MEGABYTE),
      row(`memory, ${count} entries`, megabytes(holding), '≤ 200 MB', holding <= 200 * MEGABYTE),
      row('memory, an entry', `${each.toFixed(0)} B`, '≤ 1000 B', each <= 1000),
    ],
    raw: { count, idle, holding },
  };
}

export async function idle(field: Field, { quick }: BenchOptions): Promise<Findings> {
  const [count, seconds] = quick ? [MANY / 5, 12] : [MANY, 60];
  await field.publish('bridged', count);
  const one = await enter(field);
  const { pid } = one.seat.responder.program;
  await fill(field, one, 0, count);
  await sleep(SETTLE);
  const [cpu, before, began] = [cpuOf(pid), timesOf(pid), performance.now()];
  await sleep(seconds * 1000);
  const took = (performance.now() - began) / 1000;
  const after = timesOf(pid);
  const quota = (cpuOf(pid) - cpu) / 1e6 / took;
  const [user, system] = [(after.user - before.user) / took, (after.system - before.system) / took];
  const shown = (value: number): string => `${(value * 100).toFixed(1)} %`;
  return {
    rows: [
      {
        what: `idle, ${count} entries held, ${seconds} s`,
        contender: 'missd',
        figures: {
          'of a core': shown(quota),
          'in the kernel (dumps)': shown(system),
          'its own': shown(user),
        },
        target: '≤ 2 %, kernel dumps told apart',
        met: quota - system <= 0.02,
      },
    ],
    raw: { count, seconds: took, quota, user, system },
  };
}

export async function growth(field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  const [many, fewRecords, manyRecords] = [quick ? MANY / 5 : MANY, 2 * SAMPLE, quick ? 200_000 : 1_000_000];
  const [held, records]: [[number[], number[]], [number[], number[]]] = [
    [[], []],
    [[], []],
  ];
  // Few records first: they cannot be taken back.
  await field.publish('bridged', fewRecords);
  const one = await enter(field);
  const sample = async (first: number): Promise<number> => {
    await one.seat.renew();
    return fill(field, one, first, SAMPLE);
  };
  await sample(SAMPLE);
  for (let at = 0; at < repetitions; at += 1) records[0].push(await sample(0));
  await field.publish('bridged', manyRecords);
  await sleep(SETTLE / 4);
  for (let at = 0; at < repetitions; at += 1) records[1].push(await sample(2 * at * SAMPLE));
  for (let at = 0; at < repetitions; at += 1) {
    await one.seat.renew();
    await fill(field, one, 0, FEW);
    held[0].push(await fill(field, one, many, SAMPLE));
    await one.seat.renew();
    await fill(field, one, 0, many);
    held[1].push(await fill(field, one, many, SAMPLE));
  }
  const row = (what: string, [few, more]: readonly [number[], number[]]): Row => ({
    what: `CPU per miss: ${what}`,
    contender: MISSD_REDIS,
    figures: { from: `${median(few).toFixed(1)} µs`, to: `${median(more).toFixed(1)} µs` },
    spread: spread(more),
    ratios: { '': ratio(more, few) },
    target: '≤ 1.2×',
    met: ratio(more, few) <= 1.2,
  });
  return {
    rows: [
      row(`${FEW} → ${many} entries held`, held),
      row(`${fewRecords} → ${manyRecords} records in Redis`, records),
    ],
    raw: { held, records },
  };
}
