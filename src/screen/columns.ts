import { cut } from './cut.ts';

/** Makes untrusted text harmless for a terminal: anything but printable ASCII is a question mark. */
export const harmless = (text: string): string =>
  // Except what we write ourselves.
  text.replaceAll('’', "'").replace(/[^\x20-\x7e]/g, '?');

/** Characters of a cell: addresses are shorter, and a malformed record may be cut. */
const LONGEST = 80;
/** Of a line that goes on where another did not have the room. */
const INDENT = 4;
const GAP = 2;

/**
 * Left-aligned columns below their titles; the cells are made harmless. Nothing is left out of a row that is longer than a
 * line: it goes on, indented, in the next.
 * @param width characters in a line; Infinity into a pipe, where a row is a line
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
      // That there is none need not be said in a line of its own.
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
