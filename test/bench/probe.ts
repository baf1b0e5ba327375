/** The first packet, as somebody who sends it sees it. */
import type { Namespace } from '../../src/lab/namespace.ts';
import type { Field } from './field.ts';
import { percentile } from './statistics.ts';

export interface Probed {
  /** Microseconds of the monotonic clock, of each that was answered. */
  sent: number[];
  /** Microseconds there and back, the first time. */
  first: number[];
  /** Microseconds that the first packet took longer than the ones after it. */
  added: number[];
  /** Microseconds there and back once everything stands. */
  warm: number[];
  lost: number;
  /** Answered, but not before the guest had asked again. */
  late: number;
}

/** A guest asks again after a second. */
const RETRY = 900_000;
/** Milliseconds: enough for the guest's own retry, so that late is told from lost. */
const PATIENCE = 2_500;

export interface ProbeOptions {
  /** Microseconds before each address, in which everybody goes idle. */
  gap?: number;
  /** Milliseconds after which no further address is tried. */
  limit?: number;
}

export async function probe(
  field: Field,
  from: Namespace,
  first: string,
  count: number,
  { gap = 2_000, limit = 120_000 }: ProbeOptions = {},
): Promise<Probed> {
  const argv = [field.program('probe'), first, ...[count, gap, PATIENCE, limit].map(String)];
  const lines = (await from.exec(argv, { timeout: limit + 30_000 })).trim().split('\n');
  const answered = lines.filter((line) => line !== 'lost').map((line) => line.split(' ').map(Number));
  const column = (n: number): number[] => answered.map((values) => values[n] ?? NaN);
  const [firsts, warm, sent] = [column(0), column(1), column(2)];
  return {
    sent,
    first: firsts,
    added: firsts.map((took, index) => took - (warm[index] ?? NaN)),
    warm,
    lost: lines.length - answered.length,
    late: firsts.filter((took) => took > RETRY).length,
  };
}

/** The figures of one round that are kept. */
export interface ProbeFigures {
  p50: number;
  p90: number;
  p99: number;
  warm: number;
  lost: number;
  late: number;
  sent: number;
}

export const figures = ({ added, warm, lost, late }: Probed): ProbeFigures => ({
  p50: percentile(added, 0.5),
  p90: percentile(added, 0.9),
  p99: percentile(added, 0.99),
  warm: percentile(warm, 0.5),
  lost,
  late,
  sent: added.length + lost,
});
