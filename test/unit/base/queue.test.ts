import { expect, it } from 'vitest';
import { Queue } from '../../../src/base/queue.ts';

it('returns items in order of arrival, and an item pushed to the front first', () => {
  const queue = new Queue<number>();
  for (const item of [1, 2, 3]) queue.push(item);
  queue.pushFirst(0);
  queue.shift();
  queue.pushFirst(9);
  expect(queue.size).toBe(4);
  expect(queue.take(2)).toEqual([9, 1]);
  expect(queue.peek()).toBe(2);
  expect(queue.take(5)).toEqual([2, 3]);
  queue.shift();
  expect(queue.size).toBe(0);
});

it('keeps its order while it releases memory', () => {
  const queue = new Queue<number>();
  const taken: number[] = [];
  for (let item = 0; item < 30_000; item++) {
    queue.push(item);
    if (item % 3 !== 0) taken.push(...queue.take(1));
  }
  taken.push(...queue.take(Infinity));
  expect(taken).toEqual(Array.from({ length: 30_000 }, (_, item) => item));
});
