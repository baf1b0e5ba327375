import { cut } from './cut.ts';

/** Makes untrusted text harmless for a terminal: anything but printable ASCII becomes a question mark. */
export const harmless = (text: string): string =>
  // missd's own messages contain this apostrophe.
  text.replaceAll('’', "'").replace(/[^\x20-\x7e]/g, '?');

/** Longest cell, characters: addresses are shorter, and a malformed record may be cut. */
const LONGEST = 80;
/** Indentation of a row's second and further lines. */
const INDENT = 4;
const GAP = 2;

/**
 * Left-aligned columns below their titles; the cells are made harmless. A row that is longer than a line continues,
 * indented, on the next line.
 * @param width characters in a line; Infinity for a pipe, where each row is one line
 */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width = Infinity,
): string {
  const clean = rows.map((row) => row.map((cell) => cut(harmless(cell), Math.min(LONGEST, width - INDENT))));
  const widths = head.map((title, at) =>
    clean.reduce((widest, row) => Math.max(widest, row[at]?.length ?? 0), title.length),
  );
  const lines = (row: readonly string[]): string => {
    let made = '';
    let used = 0;
    for (const [at, cell] of row.entries()) {
      const full = used + cell.length > width;
      // An empty cell does not need a line of its own.
      if (full && (cell === '' || cell === '-')) continue;
      if (full && used > 0) {
        made = `${made.trimEnd()}\n${' '.repeat(INDENT)}`;
        used = INDENT;
      }
      const padded = cell.padEnd(widths[at] ?? 0) + ' '.repeat(GAP);
      made += padded;
      used += padded.length;
    }
    return made.trimEnd();
  };
  return `${[head, ...clean].map(lines).join('\n')}\n`;
}
