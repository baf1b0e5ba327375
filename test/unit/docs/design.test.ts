/** The path of a miss in docs/design.md is that of the code: files, order, callers and entry points. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';

const url = (path: string): URL => new URL(`../../../${path}`, import.meta.url);
const design = readFileSync(url('docs/design.md'), 'utf8');
const source = (path: string): string => readFileSync(url(`src/${path}`), 'utf8');

/** Files that stand behind a stage's number, by that number. */
const stagesOf = (text: string, line: RegExp): Map<number, string> =>
  new Map([...text.matchAll(line)].map(([, number = '', file = '']) => [Number(number), file]));
const STAGES = stagesOf(design, /^ ?(\d+) +([\w/-]+\.ts)/gm);

const ROWS = [...design.matchAll(/^\| (\d+) +\| (.*?) +\| (.*?) +\|$/gm)].map(
  ([, number = '', from = '', to = '']) => {
    const [caller = '', port] = [...from.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one);
    const entries = [...to.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one);
    const file = STAGES.get(Number(number)) ?? '';
    return { file, caller, imported: port ?? file, entries };
  },
);

test('it has ten stages, those at the head of the pipeline, in the same order', () => {
  expect([...STAGES.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(STAGES).toEqual(stagesOf(source('resolver/pipeline.ts'), /^ \* +(\d+)\. ([\w/-]+\.ts)/gm));
  for (const file of STAGES.values()) expect(existsSync(url(`src/${file}`)), file).toBe(true);
  expect(ROWS.map(({ file }) => file)).toEqual([...STAGES.values()]);
});

describe('the table says which file calls each stage', () => {
  test.each(ROWS)('$caller calls $entries of $file', ({ file, caller, imported, entries }) => {
    const text = source(caller);
    expect(text).toMatch(new RegExp(`^import [^;]*from '[./\\w-]*\\b${basename(imported)}';$`, 'm'));
    expect(entries.length).toBeGreaterThan(0);
    for (const entry of entries) {
      expect(source(file), `${file} defines ${entry}`).toMatch(
        new RegExp(`^(export (function|class) |  )${entry}\\b( implements|[ (<])`, 'm'),
      );
      expect(text, `${caller} calls ${entry}`).toMatch(new RegExp(`(\\.|new |[^\\w.])${entry}\\(`));
    }
  });
});
