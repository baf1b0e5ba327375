/** Standard output, for people in columns and for programs as JSON. */

export function say(text: string): void {
  process.stdout.write(text);
}

export function sayJson(value: unknown): void {
  say(`${JSON.stringify(value)}\n`);
}

/** Left-aligned columns; a record is anybody's to write, so what could steer a terminal is shown as a question mark. */
export function columns(head: string[], rows: string[][]): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)));
  const widths = head.map((title, at) =>
    clean.reduce((widest, row) => Math.max(widest, row[at]?.length ?? 0), title.length),
  );
  const line = (row: string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[head, ...clean].map(line).join('\n')}\n`;
}
