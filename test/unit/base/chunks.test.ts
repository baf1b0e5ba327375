import { expect, it } from 'vitest';
import { chunks } from '../../../src/base/chunks.ts';

it('a list is cut into chunks of 500 in order, the last one shorter', () => {
  const items = Array.from({ length: 1_001 }, (_, n) => n);
  const cut = [...chunks(items)];
  expect(cut.map(({ length }) => length)).toEqual([500, 500, 1]);
  expect(cut.flat()).toEqual(items);
  expect([...chunks([])]).toEqual([]);
});
