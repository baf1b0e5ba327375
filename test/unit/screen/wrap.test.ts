import { expect, test } from 'vitest';
import { wrapped } from '../../../src/screen/wrap.ts';

test('words go into lines, and what is longer than a line into several', () => {
  expect(wrapped(['one', 'two', 'three', 'abcdefghijklm', 'x'], 8)).toEqual([
    'one two',
    'three',
    'abcdefgh',
    'ijklm x',
  ]);
});

test('what is to be copied stays whole', () => {
  expect(wrapped(['one', 'abcdefghijklm', 'x'], 8, 'whole')).toEqual(['one', 'abcdefghijklm', 'x']);
});
