/** What the first packet to a fresh address takes longer than the next one. */
import type { Field } from './field.ts';
import type { BenchOptions } from './options.ts';
import { type ProbeFigures, figures, probe } from './probe.ts';
import { startFloor, startMissd } from './responder.ts';
import { DEVICE, type Kind, type Topology, address } from './rule.ts';
import type { Stand } from './stand.ts';
import { median, ratio, spread } from './statistics.ts';
import { type Findings, type Row, microseconds } from './table.ts';

interface Contender {
  name: string;
  kind: Kind;
  stand: Stand;
  /** Before each round. */
  prepare?: (topology: Topology, first: number, count: number) => Promise<void>;
  /** Compared to which other, and what is aimed at, per topology. */
  floor?: string;
  targets?: Partial<Record<Topology, { p50: number; p99?: number }>>;
}

const TOPOLOGIES: readonly Topology[] = ['bridged', 'routed'];
const [BY_RULE, LEASE_BY_RULE, WITH_REDIS] = ['floor', 'floor, one MAC', 'floor with Redis'];
/** Addresses contacted before anything is measured. */
const WARM_UP = 200;

type Rounds = Map<string, ProbeFigures[]>;

export async function latency(field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  const count = quick ? 100 : 400;
  const contenders = await enter(field, WARM_UP + repetitions * count);
  const rounds: Record<Topology, Rounds> = { bridged: new Map(), routed: new Map() };
  const round = async (topology: Topology, contender: Contender, first: number, n: number) => {
    const { stand, kind, prepare } = contender;
    await prepare?.(topology, first, n);
    const from = topology === 'bridged' ? stand.guest.namespace : stand.host.namespace;
    const found = figures(await probe(field, from, address(topology, kind, first), n));
    await stand.guest.forgetNeighbours();
    return found;
  };
  for (const topology of TOPOLOGIES) {
    for (const contender of contenders) await round(topology, contender, 1, WARM_UP);
    for (let at = 0; at < repetitions; at += 1)
      for (const contender of contenders) {
        const found = await round(topology, contender, 1 + WARM_UP + at * count, count);
        rounds[topology].set(contender.name, [...(rounds[topology].get(contender.name) ?? []), found]);
      }
  }
  return {
    rows: TOPOLOGIES.flatMap((topology) => report(topology, contenders, rounds[topology])),
    raw: Object.fromEntries(TOPOLOGIES.map((topology) => [topology, Object.fromEntries(rounds[topology])])),
  };
}

/** Everybody on a stand of its own, answering; the floor and missd serve two contenders each, by address. */
async function enter(field: Field, most: number): Promise<Contender[]> {
  for (const topology of TOPOLOGIES) await field.publish(topology, 1 + most);
  const [ruling, asking, missd, prepared] = [
    await field.addStand(),
    await field.addStand(),
    await field.addStand(),
    await field.addStand(),
  ];
  await startFloor(field, ruling);
  await startFloor(field, asking, { redis: true });
  await startMissd(field, missd);
  return [
    { name: BY_RULE, kind: 'record', stand: ruling },
    { name: LEASE_BY_RULE, kind: 'lease', stand: ruling },
    { name: WITH_REDIS, kind: 'record', stand: asking, floor: BY_RULE },
    {
      name: 'missd, lease in memory',
      kind: 'lease',
      stand: missd,
      floor: LEASE_BY_RULE,
      targets: { bridged: { p50: 2, p99: 3 }, routed: { p50: 2.3 } },
    },
    {
      name: 'missd, through Redis',
      kind: 'record',
      stand: missd,
      floor: WITH_REDIS,
      targets: { bridged: { p50: 2, p99: 4 }, routed: { p50: 2.5 } },
    },
    {
      name: 'written beforehand',
      kind: 'record',
      stand: prepared,
      prepare: async (topology, first, count) => {
        const where = [DEVICE[topology], field.far.vtep, address(topology, 'record', first), String(count)];
        await prepared.host.namespace.exec([field.program('rows'), ...where]);
      },
    },
  ];
}

function report(topology: Topology, contenders: readonly Contender[], rounds: Rounds): Row[] {
  const of = (name: string, figure: keyof ProbeFigures): number[] =>
    (rounds.get(name) ?? []).map((found) => found[figure]);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const lines = contenders.map(({ name, floor, targets }): Row => {
    const shown = (['p50', 'p90', 'p99'] as const).map(
      (figure) => [figure, microseconds(median(of(name, figure)))] as const,
    );
    const against = (figure: 'p50' | 'p99'): number => ratio(of(name, figure), of(floor ?? '', figure));
    const target = targets?.[topology];
    return {
      what: `${topology}, first packet, added`,
      contender: name,
      figures: { ...Object.fromEntries(shown), warm: microseconds(median(of(name, 'warm'))) },
      spread: spread(of(name, 'p50')),
      ...(floor === undefined ? {} : { ratios: { p50: against('p50'), p99: against('p99') } }),
      ...(target === undefined
        ? {}
        : {
            target: `p50 ≤ ${target.p50}×${target.p99 === undefined ? '' : `, p99 ≤ ${target.p99}×`} ${floor ?? ''}`,
            met: against('p50') <= target.p50 && !(against('p99') > (target.p99 ?? Infinity)),
          }),
    };
  });
  return [
    ...lines,
    ...contenders.map(({ name }): Row => {
      const [lost, late, sent] = (['lost', 'late', 'sent'] as const).map((figure) => sum(of(name, figure)));
      return {
        what: `${topology}, first packets lost`,
        contender: name,
        figures: { lost: `${lost} of ${sent}`, late: `${late}` },
        ...(name.startsWith('missd') ? { target: 'none', met: lost === 0 } : {}),
      };
    }),
  ];
}
