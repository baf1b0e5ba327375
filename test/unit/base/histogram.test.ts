import { expect, it } from 'vitest';
import { PlainHistogram } from '../../../src/base/histogram.ts';

it('counts by upper bound, cumulatively, as Prometheus has it', () => {
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
