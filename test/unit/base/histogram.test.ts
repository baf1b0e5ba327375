import { expect, it } from 'vitest';
import { PlainHistogram, observeWaits } from '../../../src/base/histogram.ts';

it('counts cumulatively by upper bound, as Prometheus does', () => {
  const histogram = new PlainHistogram([0.1, 1, 10]);
  for (const value of [0.05, 0.1, 0.5, 1, 5, 100]) histogram.observe(value);
  expect(histogram.cumulative()).toEqual([
    { le: '0.1', count: 2 },
    { le: '1', count: 4 },
    { le: '10', count: 5 },
    { le: '+Inf', count: 6 },
  ]);
  expect(histogram.sum).toBeCloseTo(106.65);
});

it('counts every wait of a batch', () => {
  const histogram = new PlainHistogram([0.01, 0.1]);
  observeWaits(histogram, [{ receivedAt: 1000 }, { receivedAt: 1000 }, { receivedAt: 1050 }], 1060);
  expect(histogram.cumulative().map(({ count }) => count)).toEqual([1, 3, 3]);
  expect(histogram.sum).toBeCloseTo(0.13);
  observeWaits(histogram, [], 2000);
  expect(histogram.cumulative().at(-1)?.count).toBe(3);
});
