/** What anybody could have written, as text that cannot steer a terminal: anything but printable ASCII is a question mark. */
export const harmless = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');

/** Left-aligned columns below their titles; the cells are made harmless. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => harmless(cell).slice(0, 80)));
  const widths = head.map((title, at) =>
    clean.reduce((widest, row) => Math.max(widest, row[at]?.length ?? 0), title.length),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[head, ...clean].map(line).join('\n')}\n`;
}
