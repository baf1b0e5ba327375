import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { explain } from '../../../src/explain/explain.ts';
import { screen } from '../../../src/explain/screen.ts';
import { paletteFor } from '../../../src/screen/palette.ts';
import { vtep } from '../fake/world.ts';
import { record, spoiled, talked } from './facts.ts';

const plain = paletteFor({}, {});
const coloured = paletteFor({ isTTY: true }, {});

it('fits into 80 columns, except for the command to copy', () => {
  const explanation = explain(
    spoiled((facts) => (facts.directory.users = [{ ip: '20.0.0.3', vtep: vtep(3) }])),
  );
  const lines = screen(explanation, plain, 80).split('\n');
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) if (!line.startsWith('next:')) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(lines.at(-2)).toBe(`next:    ${explanation.verdict.next ?? ''}`);
});

it('has the same text with and without colour', () => {
  const explanation = explain(talked());
  const text = screen(explanation, coloured, 80);
  const bare = stripVTControlCharacters(text);
  expect(text).not.toBe(bare);
  expect(bare).toBe(screen(explanation, plain, 80));
});

it('escapes control characters of records', () => {
  const evil = { ...record, value: '\x1b]0;owned\x07 x', malformed: 'syntax' as const };
  const text = screen(explain(spoiled((facts) => (facts.directory.records = [evil]))), plain, 80);
  expect(text).toMatch(/^[\n -~]+$/);
});
