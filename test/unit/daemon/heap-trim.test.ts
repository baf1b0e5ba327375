import { beforeEach, expect, it } from 'vitest';
import { HeapTrim } from '../../../src/daemon/heap-trim.ts';

const MIB = 1024 ** 2;
const LIVE = 40 * MIB;

let time: number;
let heap: number;
let collected: number;
let misses: number;
let heapTrim: HeapTrim;

beforeEach(() => {
  [time, heap, collected, misses] = [1_000_000, 100 * MIB, 0, 0];
  heapTrim = new HeapTrim(
    () => time,
    () => heap,
    () => {
      collected++;
      heap = LIVE;
    },
  );
});

/** Ten seconds go by. */
function pass(more = 0): void {
  time += 10_000;
  misses += more;
  heapTrim.tick(misses);
}

it('collects once, half a minute after a storm', () => {
  pass(50_000);
  pass(101);
  for (let i = 0; i < 2; i++) pass(3);
  expect(collected).toBe(0);
  pass();
  expect(collected).toBe(1);
  for (let i = 0; i < 10; i++) pass();
  expect(collected).toBe(1);
});

it('collects again if the heap has grown', () => {
  for (let i = 0; i < 3; i++) pass();
  expect(collected).toBe(1);
  heap += 23 * MIB;
  pass();
  expect(collected).toBe(1);
  heap += MIB;
  pass();
  expect(collected).toBe(2);
});

it('finds the garbage collector of V8', () => {
  const big = new HeapTrim(() => time);
  expect(() => {
    for (let i = 0; i < 4; i++) {
      time += 10_000;
      big.tick(0);
    }
  }).not.toThrow();
});
