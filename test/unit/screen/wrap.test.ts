import { expect, test } from 'vitest';
import { wrapped } from '../../../src/screen/wrap.ts';

test('words are wrapped, and a word longer than a line is broken', () => {
  expect(wrapped(['one', 'two', 'three', 'abcdefghijklm', 'x'], 8)).toEqual([
    'one two',
    'three',
    'abcdefgh',
    'ijklm x',
  ]);
});

test('a word to be copied stays whole', () => {
  expect(wrapped(['one', 'abcdefghijklm', 'x'], 8, 'whole')).toEqual(['one', 'abcdefghijklm', 'x']);
});
