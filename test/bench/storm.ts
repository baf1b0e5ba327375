/** Everybody asks for everything at once. */
import type { Field } from './field.ts';
import { type Flurry, flurry } from './flurry.ts';
import type { BenchOptions } from './options.ts';
import { TOPOLOGIES, type Topology } from './rule.ts';
import { type Contender, FLOOR, MISSD_REDIS, contenders } from './seat.ts';
import { median, ratio, spread } from './statistics.ts';
import { type Findings, type Row } from './table.ts';
import { DEFAULTS, setThresholds } from './thresholds.ts';

const SIZES = [20_000, 100_000];
/** Times the floor, time and processor time. */
const TARGET = 1.4;
const WARM_UP = 2_000;

export async function storm(field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  const sizes = quick ? SIZES.slice(0, 1) : SIZES;
  const most = 1 + WARM_UP + repetitions * sizes.reduce((a, b) => a + b);
  for (const topology of TOPOLOGIES) await field.publish(topology, most);
  const everybody = await contenders(field);
  const raw: Record<string, Record<string, Flurry[]>> = {};
  const rows: Row[] = [];
  for (const topology of TOPOLOGIES) {
    for (const one of everybody) await flurry(field, one, { topology, first: 1, distinct: WARM_UP });
    let first = 1 + WARM_UP;
    for (const size of sizes) {
      const rounds: Record<string, Flurry[]> = {};
      for (let at = 0; at < repetitions; at += 1, first += size)
        for (const one of everybody) {
          await one.seat.renew();
          (rounds[one.name] ??= []).push(await flurry(field, one, { topology, first, distinct: size }));
        }
      raw[`${topology} ${size}`] = rounds;
      rows.push(...report(`${topology}, ${size.toLocaleString('en')} at once`, topology, everybody, rounds));
    }
  }
  rows.push(...(await withDefaults(field, everybody, most)));
  return { rows, raw };
}

/** What the kernel's own limit lets through: beyond it there is no row to be INCOMPLETE, and so no miss. */
async function withDefaults(field: Field, everybody: readonly Contender[], first: number): Promise<Row[]> {
  const [distinct = 0] = SIZES;
  await field.publish('routed', first + distinct);
  const restore = setThresholds(DEFAULTS);
  try {
    const rows: Row[] = [];
    for (const one of everybody.filter(({ name }) => [FLOOR, MISSD_REDIS].includes(name))) {
      await one.seat.renew();
      const { daemon } = one.seat.responder;
      const misses = async (): Promise<number> => (await daemon?.metric('missd_misses_total')) ?? NaN;
      const before = await misses();
      const { sent, resolved } = await flurry(field, one, { topology: 'routed', first, distinct });
      const said = daemon?.log.some((line) => line.includes('gc_thresh')) ?? false;
      rows.push({
        what: `routed, ${distinct.toLocaleString('en')} at once, gc_thresh by default`,
        contender: one.name,
        figures: {
          resolved: `${resolved} of ${sent}`,
          ...(daemon === undefined
            ? {}
            : { misses: `${(await misses()) - before}`, 'log says why': `${said}` }),
        },
        ...(daemon === undefined
          ? {}
          : { target: 'all, or a log line says why', met: said || resolved === sent }),
      });
    }
    return rows;
  } finally {
    restore();
  }
}

function report(
  what: string,
  topology: Topology,
  everybody: readonly Contender[],
  rounds: Record<string, Flurry[]>,
): Row[] {
  const of = (name: string, figure: 'took' | 'cpu' | 'resolved' | 'overruns'): number[] =>
    (rounds[name] ?? []).map((found) => found[figure]);
  return everybody.map(({ name, floor }): Row => {
    const all = (rounds[name] ?? []).every(({ sent, resolved }) => resolved === sent);
    const overruns = Math.max(...of(name, 'overruns'));
    const against = (by: string) => ({
      time: ratio(of(name, 'took'), of(by, 'took')),
      CPU: ratio(of(name, 'cpu'), of(by, 'cpu')),
    });
    const ratios = floor === undefined ? undefined : against(floor);
    const isMissd = name.startsWith('missd');
    const within = ratios !== undefined && ratios.time <= TARGET && ratios.CPU <= TARGET;
    return {
      what,
      contender: name,
      figures: {
        resolved: `${Math.min(...of(name, 'resolved'))}`,
        last: `${median(of(name, 'took')).toFixed(0)} ms`,
        CPU: `${median(of(name, 'cpu')).toFixed(1)} µs`,
        ...(isMissd ? { overruns: `${overruns}` } : {}),
      },
      spread: spread(of(name, 'took')),
      ...(ratios === undefined
        ? {}
        : { ratios: { ...ratios, ...(isMissd ? { 'CPU to floor': against(FLOOR).CPU } : {}) } }),
      ...(isMissd
        ? {
            target: topology === 'bridged' ? `all, ≤ ${TARGET}×, no overrun` : 'all',
            met: all && (topology === 'routed' || (within && overruns === 0)),
          }
        : {}),
    };
  });
}
