/** One table for everything, and the same for programs. */
import { cpus, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';

/** One line of the report. */
export interface Row {
  /** What was measured. */
  what: string;
  contender: string;
  /** Figures with their unit, by name: `p50`, `p99`, `lost`. */
  figures: Record<string, string>;
  /** Half of the range of the repetitions, as a share of their median. */
  spread?: number;
  /** Against what it is compared to, by figure. */
  ratios?: Record<string, number>;
  /** In words. */
  target?: string;
  met?: boolean;
}

/** What one group found: lines for people, and every repetition's figures. */
export interface Findings {
  rows: Row[];
  raw: unknown;
}

/** A row with the ratios that other programs compare, null where the row has none; these keys stay whatever the table shows. */
export const keyed = (row: Row): Row & Record<'timeRatio' | 'cpuRatio' | 'p50Ratio', number | null> => ({
  ...row,
  timeRatio: row.ratios?.['time'] ?? null,
  cpuRatio: row.ratios?.['CPU'] ?? null,
  p50Ratio: row.ratios?.['p50'] ?? null,
});

export interface Machine {
  kernel: string;
  cpu: string;
  cpus: number;
  memory: string;
  node: string;
}

export const machine = (): Machine => ({
  kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cpus: cpus().length,
  memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
  node: process.version,
});

export const microseconds = (value: number): string => `${value.toFixed(0)} µs`;
export const percent = (quota: number): string => `${(quota * 100).toFixed(0)} %`;

const HEADER = ['what', 'contender', 'figures', 'spread', 'ratio', 'target', 'met'];

/** Markdown, so that it can go where it is wanted as it is. */
export function printed(rows: readonly Row[]): string {
  const list = (of: Record<string, string>): string =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  const cells = rows.map(({ what, contender, figures, spread, ratios = {}, target = '', met }) => [
    what,
    contender,
    list(figures),
    spread === undefined ? '' : `± ${percent(spread)}`,
    list(Object.fromEntries(Object.entries(ratios).map(([name, value]) => [name, `${value.toFixed(2)}×`]))),
    target,
    met === undefined ? '' : met ? 'met' : 'NOT MET',
  ]);
  const lines = [HEADER, ...cells];
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const line = (texts: readonly string[]): string =>
    `| ${texts.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(HEADER), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n');
}
