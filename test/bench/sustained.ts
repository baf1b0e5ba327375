/** A steady stream of misses for addresses that exist. */
import type { Field } from './field.ts';
import { type Flurry, flurry } from './flurry.ts';
import type { BenchOptions } from './options.ts';
import { type Contender, FLOOR, FLOOR_REDIS, MISSD_REDIS, contenders } from './seat.ts';
import { median, ratio, spread } from './statistics.ts';
import type { Findings, Row } from './table.ts';

/** Asked for in turn; a row is removed half a round after it was written. */
const DISTINCT = 400_000;
const FULL = 50_000;
const HALF = 25_000;
const CPU_TARGET = 1.6;
/** A backlog of less than this long is none, seconds: what a batch waits for its turn. */
const FLAT = 0.1;

export async function sustained(field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  const [long, short] = quick ? [5, 4] : [60, 12];
  await field.publish('bridged', DISTINCT);
  // Rows are removed under its hands here, and an audit would bring them back.
  const everybody = (await contenders(field, { flags: ['--audit', '3600'] })).filter(({ name }) =>
    [FLOOR, FLOOR_REDIS, MISSD_REDIS].includes(name),
  );
  const stream = async (one: Contender, rate: number, seconds: number): Promise<Flurry> => {
    await one.seat.renew();
    const total = rate * seconds;
    return flurry(field, one, { topology: 'bridged', first: 0, distinct: DISTINCT, total, rate });
  };
  const full = new Map<string, Flurry>();
  for (const one of everybody) full.set(one.name, await stream(one, FULL, long));
  const half = new Map<string, Flurry[]>(everybody.map(({ name }) => [name, []]));
  for (let at = 0; at < repetitions; at += 1)
    for (const one of everybody) half.get(one.name)?.push(await stream(one, HALF, short));

  return {
    rows: [
      ...everybody.map(({ name }) => lossless(name, long, full.get(name))),
      ...everybody.map(({ name, floor }) => price(name, half, floor)),
    ],
    raw: { full: Object.fromEntries(full), half: Object.fromEntries(half) },
  };
}

function lossless(name: string, seconds: number, found: Flurry | undefined): Row {
  const { sent = 0, resolved = 0, backlog = [], cores = NaN, overruns = 0 } = found ?? {};
  const most = Math.max(...backlog, 0);
  const late = backlog.slice(Math.floor(backlog.length / 2));
  return {
    what: `${FULL.toLocaleString('en')}/s for ${seconds} s`,
    contender: name,
    figures: {
      lost: `${sent - resolved} of ${sent}`,
      backlog: `${most} at most, ${late.at(-1) ?? 0} at the end`,
      cores: cores.toFixed(2),
      overruns: `${overruns}`,
    },
    ...(name === MISSD_REDIS
      ? { target: 'none lost, backlog flat', met: sent === resolved && median(late) <= FULL * FLAT }
      : {}),
  };
}

function price(name: string, rounds: ReadonlyMap<string, Flurry[]>, floor: string | undefined): Row {
  const cpu = (who: string): number[] => (rounds.get(who) ?? []).map((found) => found.cpu);
  const found = rounds.get(name) ?? [];
  const ratios = {
    ...(floor === undefined ? {} : { CPU: ratio(cpu(name), cpu(floor)) }),
    ...(name === MISSD_REDIS ? { 'CPU to floor': ratio(cpu(name), cpu(FLOOR)) } : {}),
  };
  return {
    what: `${HALF.toLocaleString('en')}/s`,
    contender: name,
    figures: {
      CPU: `${median(cpu(name)).toFixed(1)} µs`,
      cores: median(found.map(({ cores }) => cores)).toFixed(2),
      lost: `${found.reduce((lost, { sent, resolved }) => lost + sent - resolved, 0)}`,
    },
    spread: spread(cpu(name)),
    ratios,
    ...(name === MISSD_REDIS
      ? { target: `CPU ≤ ${CPU_TARGET}× ${floor ?? ''}`, met: (ratios.CPU ?? Infinity) <= CPU_TARGET }
      : {}),
  };
}
