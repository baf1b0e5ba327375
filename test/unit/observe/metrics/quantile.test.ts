import { expect, test } from 'vitest';
import { quantile } from '../../../../src/observe/metrics/quantile.ts';

const BOUNDS = [1, 2, 4];

test.each([
  ['nothing', 0.5, [0, 0, 0, 0], undefined],
  ['one bucket, spread evenly', 0.5, [0, 10, 0, 0], 1.5],
  ['the end of a bucket', 0.5, [5, 0, 5, 0], 1],
  ['past an empty one', 0.6, [5, 0, 5, 0], 2.4],
  ['all of it', 1, [5, 5, 0, 0], 2],
  ['above every bound: the highest', 0.99, [1, 0, 0, 99], 4],
])('%s', (_, quota, counts, expected) => {
  const value = quantile(quota, BOUNDS, counts);
  if (expected === undefined) expect(value).toBeUndefined();
  else expect(value).toBeCloseTo(expected);
});
