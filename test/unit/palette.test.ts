import { describe, expect, test, vi } from 'vitest';
import { paletteFor } from '../../src/screen/palette.ts';

// A library that colours whatever runs in a CI decides so as it is imported.
vi.hoisted(() => {
  process.env['CI'] = '1';
});

/** As Node has it: `isTTY` is missing, not false, where output goes to a pipe. */
const pipe = {};
const terminal = { isTTY: true };

describe('colour', () => {
  test.each([
    ['a terminal', terminal, {}, true],
    ['a terminal, NO_COLOR set and empty', terminal, { NO_COLOR: '' }, true],
    ['a terminal, NO_COLOR', terminal, { NO_COLOR: '1' }, false],
    ['a dumb terminal', terminal, { TERM: 'dumb' }, false],
    ['a pipe', pipe, {}, false],
    ['a pipe in a CI', pipe, { CI: '1' }, false],
    ['a pipe, FORCE_COLOR', pipe, { FORCE_COLOR: '1' }, false],
  ])('%s', (_, out, env, colored) => {
    expect(paletteFor(out, env).green('up')).toBe(colored ? '\u001b[32mup\u001b[39m' : 'up');
  });
});
