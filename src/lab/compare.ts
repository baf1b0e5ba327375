/** `missd lab compare`: the same workload through all labs, one row each. */
import type { Figures } from './workload.ts';
import { ms } from '../screen/span.ts';

const HEAD = ['LAB', 'ENTRIES', 'FIRST', 'LATER', 'LOST', 'FLOODED', 'MOVE', 'CPU'];
const WIDTHS = [14, 12, 8, 8, 5, 7, 8, 7];

/** The meaning of the columns, printed below the table. */
export const LEGEND = `
ENTRIES  neighbours + FDB entries + routes on host 1, about guests elsewhere
FIRST    median round trip of the first ping of a pair; LATER of the other pings
LOST     pings without an answer
FLOODED  packets that a host received because the sender had no entry
MOVE     time until all guests that ping a moved guest hear it again;
         - if the guest's address belongs to its host
CPU      processor time of all daemons together
`;

export const heading = (): string => line(HEAD);

export function row({ lab, entries, first, later, sent, lost, flooded, move, cpu }: Figures): string {
  const { neighbours = 0, fdb = 0, routes = 0 } = entries[0] ?? {};
  return line([
    lab,
    `${neighbours} + ${fdb} + ${routes}`,
    ms(median(first)),
    ms(median(later)),
    lost === 0 ? '0' : `${lost}/${sent}`,
    String(flooded),
    move === 'impossible' ? '-' : move === 'never' ? move : ms(move),
    // The kernel counts in ticks of 10 ms.
    cpu === null ? '-' : cpu === 0 ? '< 10 ms' : ms(cpu),
  ]);
}

const line = (cells: readonly string[]): string =>
  `${cells
    .map((cell, at) => cell.padEnd(WIDTHS[at] ?? 0))
    .join(' ')
    .trimEnd()}\n`;

/** NaN without values. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
