/** A hostile guest asks for what nobody has, as fast as it can; another guest beside it wants to work. */
import { cpus } from 'node:os';
import { cpuOf } from './cpu.ts';
import type { Field } from './field.ts';
import type { BenchOptions } from './options.ts';
import { type ProbeFigures, figures, probe } from './probe.ts';
import { address } from './rule.ts';
import { type Contender, FLOOR, MISSD_REDIS, contenders } from './seat.ts';
import { median, ratio, spread, sum } from './statistics.ts';
import { type Findings, type Row, microseconds } from './table.ts';

/** Between two new pairs of the innocent guest, µs. */
const GAP = 20_000;
/** Of the probing, ms: where much is lost there are fewer of them. */
const LIMIT = 40_000;
const WARM_UP = 200;
/** Lookups a second that one port may cause for unknown addresses, `--lookup-rate`'s default. */
const LOOKUP_RATE = 2_000;

interface Round {
  quiet: ProbeFigures;
  flooded: ProbeFigures;
  /** Requests a second of the hostile guest. */
  rate: number;
  /** Cores the responder used meanwhile. */
  cores: number;
  /** Keys a second that Redis was asked for and did not have. */
  lookups: number;
}

export async function flood(field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  // 30 s and the quiet before it.
  const count = quick ? 150 : 1_400;
  const each = 2 * count;
  await field.publish('bridged', 1 + WARM_UP + 2 * repetitions * each);
  const everybody = (await contenders(field)).filter(({ name }) => [FLOOR, MISSD_REDIS].includes(name));
  const every = cpus().map((_, cpu) => cpu);
  const ways = { 'one CPU': [0], 'every CPU': every };
  const rows: Row[] = [];
  const raw: Record<string, Record<string, Round[]>> = {};
  for (const one of everybody) await round(field, one, 1, WARM_UP, []);
  let first = 1 + WARM_UP;
  for (const [where, pinned] of Object.entries(ways)) {
    const rounds: Record<string, Round[]> = {};
    for (let at = 0; at < repetitions; at += 1, first += each)
      for (const one of everybody)
        (rounds[one.name] ??= []).push(await round(field, one, first, count, pinned));
    raw[where] = rounds;
    rows.push(...report(`hostile guest on ${where}`, where === 'one CPU', everybody, rounds));
  }
  return { rows, raw };
}

/** First in quiet, then with the flood. */
async function round(
  field: Field,
  { seat, kind }: Contender,
  first: number,
  count: number,
  pinned: readonly number[],
): Promise<Round> {
  const { guest, hostile } = seat.stand;
  const { pid } = seat.responder.program;
  const run = async (at: number): Promise<ProbeFigures> => {
    const found = await probe(field, guest.namespace, address('bridged', kind, at), count, {
      gap: GAP,
      limit: LIMIT,
    });
    await guest.forgetNeighbours();
    return figures(found);
  };
  const quiet = await run(first);
  const argv = hostile.namespace.inside([field.program('flood'), 'eth0', 'arp', '0', ...pinned.map(String)]);
  const flooding = await field.lab.start(argv);
  await flooding.until('the flood', () => flooding.lines.includes('ready'));
  const [unknownBefore, cpuBefore, began] = [await unknownKeys(field), cpuOf(pid), performance.now()];
  const flooded = await run(first + count);
  const seconds = (performance.now() - began) / 1000;
  const cores = (cpuOf(pid) - cpuBefore) / 1e6 / seconds;
  const lookups = ((await unknownKeys(field)) - unknownBefore) / seconds;
  await flooding.stop();
  return { quiet, flooded, rate: Number(flooding.lines.at(-1)) / seconds, cores, lookups };
}

/** What Redis itself counts. */
async function unknownKeys(field: Field): Promise<number> {
  return Number(/^keyspace_misses:(\d+)/m.exec(await field.redis.cli('INFO', 'stats'))?.[1]);
}

function report(
  what: string,
  pinnedToOne: boolean,
  everybody: readonly Contender[],
  rounds: Record<string, Round[]>,
): Row[] {
  const of = (name: string, figure: (round: Round) => number): number[] => (rounds[name] ?? []).map(figure);
  return everybody.flatMap(({ name }): Row[] => {
    const p50 = (who: string) => of(who, ({ flooded }) => flooded.p50);
    const p99 = (who: string) => of(who, ({ flooded }) => flooded.p99);
    const quiet = of(name, (one) => one.quiet.p99);
    const lost = sum(of(name, ({ flooded }) => flooded.lost));
    const sent = sum(of(name, ({ flooded }) => flooded.sent));
    const cores = median(of(name, (one) => one.cores));
    const lookups = median(of(name, (one) => one.lookups));
    const ratios: Record<string, number> = {
      'p99 to own quiet': ratio(p99(name), quiet),
      ...(name === FLOOR
        ? {}
        : { 'p50 to floor': ratio(p50(name), p50(FLOOR)), 'p99 to floor': ratio(p99(name), p99(FLOOR)) }),
    };
    const within = (figure: string, most: number): boolean => (ratios[figure] ?? Infinity) <= most;
    const pairs: Row = {
      what: `${what}: another guest's new pairs`,
      contender: name,
      figures: {
        lost: `${lost} of ${sent}`,
        p50: microseconds(median(p50(name))),
        p99: microseconds(median(p99(name))),
        'quiet p99': microseconds(median(quiet)),
        'requests/s': median(of(name, ({ rate }) => rate)).toFixed(0),
      },
      spread: spread(p50(name)),
      ratios,
    };
    const load: Row = { what: `${what}: load`, contender: name, figures: { cores: cores.toFixed(2) } };
    if (name === FLOOR) return [pairs, load];
    const [target, met] = pinnedToOne
      ? ['none lost, p99 ≤ 2× own quiet', lost === 0 && within('p99 to own quiet', 2)]
      : [
          'none lost, p50 ≤ 2.5× and p99 ≤ 1.5× floor',
          lost === 0 && within('p50 to floor', 2.5) && within('p99 to floor', 1.5),
        ];
    return [
      { ...pairs, target, met },
      { ...load, ...(pinnedToOne ? {} : { target: '≤ 0.25, ≤ 0.15 with nftables', met: cores <= 0.25 }) },
      {
        what: `${what}: Redis lookups for unknown addresses`,
        contender: name,
        figures: { 'a second': lookups.toFixed(0) },
        target: `≤ ${LOOKUP_RATE}`,
        met: lookups <= LOOKUP_RATE,
      },
    ];
  });
}
