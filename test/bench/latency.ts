/** What the first packet to a fresh address takes longer than the next one. */
import type { Field } from './field.ts';
import type { BenchOptions } from './options.ts';
import { type ProbeFigures, figures, probe } from './probe.ts';
import { DEVICE, type Kind, TOPOLOGIES, type Topology, address } from './rule.ts';
import { MISSD_LEASE, MISSD_REDIS, contenders } from './seat.ts';
import type { Stand } from './stand.ts';
import { median, ratio, spread, sum } from './statistics.ts';
import { type Findings, type Row, microseconds } from './table.ts';

interface Prober {
  name: string;
  kind: Kind;
  stand: Stand;
  floor?: string;
  /** Before each round. */
  prepare?: (topology: Topology, first: number, count: number) => Promise<void>;
}

/** Times its floor. */
const TARGETS: Record<Topology, Record<string, { p50: number; p99?: number }>> = {
  bridged: { [MISSD_LEASE]: { p50: 2, p99: 3 }, [MISSD_REDIS]: { p50: 2, p99: 4 } },
  routed: { [MISSD_LEASE]: { p50: 2.3 }, [MISSD_REDIS]: { p50: 2.5 } },
};
/** Addresses contacted before anything is measured. */
const WARM_UP = 200;

type Rounds = Map<string, ProbeFigures[]>;

export async function latency(field: Field, { repetitions, quick }: BenchOptions): Promise<Findings> {
  const count = quick ? 100 : 400;
  for (const topology of TOPOLOGIES) await field.publish(topology, 1 + WARM_UP + repetitions * count);
  const probers: Prober[] = (await contenders(field)).map(({ seat, ...one }) => ({
    ...one,
    stand: seat.stand,
  }));
  probers.push(await writtenBeforehand(field));

  const rounds: Record<Topology, Rounds> = { bridged: new Map(), routed: new Map() };
  const round = async (topology: Topology, prober: Prober, first: number, n: number) => {
    const { stand, kind, prepare } = prober;
    await prepare?.(topology, first, n);
    const from = topology === 'bridged' ? stand.guest.namespace : stand.host.namespace;
    const found = figures(await probe(field, from, address(topology, kind, first), n));
    await stand.guest.forgetNeighbours();
    return found;
  };
  for (const topology of TOPOLOGIES) {
    for (const prober of probers) await round(topology, prober, 1, WARM_UP);
    for (let at = 0; at < repetitions; at += 1)
      for (const prober of probers) {
        const found = await round(topology, prober, 1 + WARM_UP + at * count, count);
        rounds[topology].set(prober.name, [...(rounds[topology].get(prober.name) ?? []), found]);
      }
  }
  return {
    rows: TOPOLOGIES.flatMap((topology) => report(topology, probers, rounds[topology])),
    raw: Object.fromEntries(TOPOLOGIES.map((topology) => [topology, Object.fromEntries(rounds[topology])])),
  };
}

async function writtenBeforehand(field: Field): Promise<Prober> {
  const stand = await field.addStand();
  return {
    name: 'written beforehand',
    kind: 'record',
    stand,
    prepare: async (topology, first, count) => {
      const where = [DEVICE[topology], field.far.vtep, address(topology, 'record', first), String(count)];
      await stand.host.namespace.exec([field.program('rows'), ...where]);
    },
  };
}

function report(topology: Topology, probers: readonly Prober[], rounds: Rounds): Row[] {
  const of = (name: string, figure: keyof ProbeFigures): number[] =>
    (rounds.get(name) ?? []).map((found) => found[figure]);
  const lines = probers.map(({ name, floor }): Row => {
    const shown = (['p50', 'p90', 'p99', 'warm'] as const).map(
      (figure) => [figure, microseconds(median(of(name, figure)))] as const,
    );
    const against = (figure: 'p50' | 'p99'): number => ratio(of(name, figure), of(floor ?? '', figure));
    const target = TARGETS[topology][name];
    return {
      what: `${topology}, first packet, added`,
      contender: name,
      figures: Object.fromEntries(shown),
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
  const lost = probers.map(({ name }): Row => {
    const [lost, late, sent] = [sum(of(name, 'lost')), sum(of(name, 'late')), sum(of(name, 'sent'))];
    return {
      what: `${topology}, first packets lost`,
      contender: name,
      figures: { lost: `${lost} of ${sent}`, late: `${late}` },
      ...(name.startsWith('missd') ? { target: 'none', met: lost === 0 } : {}),
    };
  });
  return [...lines, ...lost];
}
