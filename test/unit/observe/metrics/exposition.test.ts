import { describe, expect, test } from 'vitest';
import { Exposition } from '../../../../src/observe/metrics/exposition.ts';
import { PlainHistogram, observeWaits } from '../../../../src/base/histogram.ts';

test('counters, gauges and histograms as Prometheus reads them', async () => {
  const to = new Exposition();
  const plain = new PlainHistogram([0.5, 1]);
  plain.observe(0.2);
  plain.observe(4, 3);
  to.counter('a_total', 'What it is', () => [
    [{ kind: 'x' }, 1],
    [{ kind: 'y', more: 'z' }, 2.5],
  ]);
  to.gauge('b', 'Another', () => Infinity);
  to.histogram('c_seconds', 'A third', () => plain);
  to.histogram('d_seconds', 'By stage', () => [[{ stage: 's' }, plain]]);
  expect(await to.text()).toBe(`# HELP a_total What it is
# TYPE a_total counter
a_total{kind="x"} 1
a_total{kind="y",more="z"} 2.5
# HELP b Another
# TYPE b gauge
b +Inf
# HELP c_seconds A third
# TYPE c_seconds histogram
c_seconds_bucket{le="0.5"} 1
c_seconds_bucket{le="1"} 1
c_seconds_bucket{le="+Inf"} 4
c_seconds_sum 12.2
c_seconds_count 4
# HELP d_seconds By stage
# TYPE d_seconds histogram
d_seconds_bucket{stage="s",le="0.5"} 1
d_seconds_bucket{stage="s",le="1"} 1
d_seconds_bucket{stage="s",le="+Inf"} 4
d_seconds_sum{stage="s"} 12.2
d_seconds_count{stage="s"} 4
`);
});

test('quotes, backslashes and newlines of a label are escaped', async () => {
  const to = new Exposition();
  to.gauge('a', 'A path', () => [[{ path: 'a"b\\c\nd' }, 1]]);
  expect(await to.text()).toContain('a{path="a\\"b\\\\c\\nd"} 1\n');
});

test('a name cannot be taken twice', () => {
  const to = new Exposition();
  to.gauge('a', 'One', () => 1);
  expect(() => {
    to.counter('a', 'Other', () => 1);
  }).toThrow('two metrics are called a');
});

describe('what is read at one moment', () => {
  /** Takes longer than a slice. */
  const slow = (): number => {
    const end = performance.now() + 3;
    while (performance.now() < end);
    return 1;
  };

  test.each([
    { paused: false, seen: 0 },
    { paused: true, seen: 1 },
  ])('ends with a pause (paused: $paused)', async ({ paused, seen }) => {
    const to = new Exposition();
    let others = 0;
    to.gauge('slow', 'Takes its time', slow);
    if (paused) to.pause();
    to.gauge('others', 'What else was done meanwhile', () => others);
    const text = to.text();
    others++;
    expect(await text).toContain(`others ${seen}\n`);
  });
});

test('waits of those that came together are one observation of so many', () => {
  const histogram = new PlainHistogram([0.01, 0.1]);
  observeWaits(histogram, [{ receivedAt: 1000 }, { receivedAt: 1000 }, { receivedAt: 1050 }], 1060);
  expect(histogram.cumulative().map(({ count }) => count)).toEqual([1, 3, 3]);
  expect(histogram.sum).toBeCloseTo(0.13);
  observeWaits(histogram, [], 2000);
  expect(histogram.cumulative().at(-1)?.count).toBe(3);
});
