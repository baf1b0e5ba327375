/**
 * A page of the documentation as a script: its commands in their order, and what it says they print.
 *
 *   ```sh        commands, one after another; each has to succeed
 *   ```console   `$ command` and below it what it prints, whatever its exit code: figures may differ, a line `…` is any lines,
 *               and `…` within a line is anything
 *   ```yaml      <!-- file: NAME --> before it: written to that file
 *   <!-- world: pair -->        where the page plays: see docs.test.ts
 *   <!-- prepare: COMMAND -->   not shown to the reader: what has to be so for what follows
 *   <!-- seen in: FILE -->      the block below runs in that test instead
 */
export interface Step {
  /** Line of the page, from 1. */
  line: number;
  kind: 'command' | 'console' | 'file' | 'elsewhere';
  /** A command, a file's name, or the test that runs it. */
  what: string;
  /** What it prints, or what is in the file. */
  text?: string;
}

const FENCE = /^```(\w*)$/;
const REMARK = /^<!-- ([a-z ]+): ([^]*?) ?-->/;

/** @throws Error on a block that is never closed, or a remark that nobody understands */
export function stepsOf(page: string): Step[] {
  const lines = page.split('\n');
  const steps: Step[] = [];
  let remark: { what: string; value: string } | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const said = REMARK.exec(lines.slice(at).join('\n'));
    if (said !== null) {
      const [whole, what = '', value = ''] = said;
      const line = at + 1;
      at += whole.split('\n').length - 1;
      if (what === 'prepare')
        for (const one of commandsOf(value)) steps.push({ line, kind: 'command', what: one });
      else if (what === 'file' || what === 'seen in') remark = { what, value };
      else if (what !== 'world') throw new Error(`line ${line}: "${what}" means nothing`);
      continue;
    }
    const fence = FENCE.exec(lines[at] ?? '');
    if (fence === null) continue;
    const end = lines.indexOf('```', at + 1);
    if (end === -1) throw new Error(`line ${at + 1}: a block without an end`);
    const text = lines.slice(at + 1, end).join('\n');
    steps.push(...blockOf(fence[1] ?? '', text, at + 1, remark));
    remark = undefined;
    at = end;
  }
  return steps;
}

export const worldOf = (page: string): string => /^<!-- world: (\w+) -->$/m.exec(page)?.[1] ?? 'pair';

function blockOf(
  language: string,
  text: string,
  line: number,
  remark?: { what: string; value: string },
): Step[] {
  if (remark?.what === 'seen in') return [{ line, kind: 'elsewhere', what: remark.value, text }];
  if (remark?.what === 'file') return [{ line, kind: 'file', what: remark.value, text: `${text}\n` }];
  if (language === 'sh') return commandsOf(text).map((what) => ({ line, kind: 'command', what }));
  if (language === 'console')
    return text
      .split(/^\$ /m)
      .slice(1)
      .map((one) => {
        const [what = '', ...printed] = one.trimEnd().split('\n');
        return { line, kind: 'console', what, text: printed.join('\n') };
      });
  return [];
}

/** Lines that end in a backslash go on; comments alone and empty ones are none. */
const commandsOf = (text: string): string[] =>
  text
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Whether `printed` is what the page shows, figures aside. */
export function shows(shown: string, printed: string): boolean {
  const pattern = shown
    .trim()
    .split('\n')
    .map((line) =>
      line.trim() === '…'
        ? '[^]*?'
        : line
            .trim()
            .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
            .replace(/\d+(\\\.\d+)?/g, '\\d+(\\.\\d+)?')
            .replace(/\s+/g, '\\s+')
            .replaceAll('…', '.*?'),
    )
    .join('\\s*\\n\\s*')
    .replace(/\\s\*\\n\\s\*\[\^\]\*\?\\s\*\\n\\s\*/g, '\\s*\\n[^]*?');
  return new RegExp(`^\\s*${pattern}\\s*$`).test(printed);
}
