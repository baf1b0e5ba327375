import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Counter, Gauge } from 'prom-client';
import { PlainHistogram } from '../../../../src/base/histogram.ts';
import { Metrics, OPEN_METRICS, TEXT } from '../../../../src/observe/metrics/metrics.ts';

let metrics: Metrics;
beforeEach(() => {
  metrics = new Metrics();
});

describe('counters, gauges and histograms', () => {
  beforeEach(() => {
    const plain = new PlainHistogram([0.5, 1]);
    plain.observe(0.2);
    plain.observe(4, 3);
    metrics.counter('a_total', 'What it is', () => [
      [{ kind: 'x' }, 1],
      [{ kind: 'y', more: 'z' }, 2.5],
    ]);
    metrics.gauge('b', 'Another', () => Infinity);
    metrics.histogram('c_seconds', 'A third', () => plain);
    metrics.histogram('d_seconds', 'By stage', () => [[{ stage: 's' }, plain]]);
  });
  const rest = `# HELP b Another
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
`;
  const samples = 'a_total{kind="x"} 1\na_total{kind="y",more="z"} 2.5\n';

  test('in the text format', async () => {
    expect(await metrics.render(TEXT)).toBe(
      `# HELP a_total What it is\n# TYPE a_total counter\n${samples}${rest}`,
    );
  });

  test('in OpenMetrics, and in the text format after it', async () => {
    expect(await metrics.render(OPEN_METRICS)).toBe(
      `# HELP a What it is\n# TYPE a counter\n${samples}${rest}# EOF\n`,
    );
    expect(await metrics.render(TEXT)).toContain(`# TYPE a_total counter\n${samples}`);
  });
});

test('metrics of prom-client itself, in both formats', async () => {
  const counter = new Counter({ name: 'own_total', help: 'Its own', registers: [], labelNames: ['of'] });
  metrics.add(counter);
  metrics.add(new Gauge({ name: 'another', help: 'Another', registers: [] }));
  counter.inc({ of: 'x' }, 2);
  for (const type of [TEXT, OPEN_METRICS] as const) {
    const text = await metrics.render(type);
    expect(text).toContain('\nown_total{of="x"} 2\n');
    expect(text).toContain('\nanother 0\n');
  }
});

test('quotes, backslashes and newlines of a label are escaped', async () => {
  metrics.gauge('a', 'A path', () => [[{ path: 'a"b\\c\nd' }, 1]]);
  expect(await metrics.render(TEXT)).toContain('a{path="a\\"b\\\\c\\nd"} 1\n');
});

test('a name cannot be taken twice', () => {
  metrics.gauge('a', 'One', () => 1);
  expect(() => {
    metrics.counter('a', 'Other', () => 1);
  }).toThrow('name a has already been registered');
});

describe('a metric that cannot be read', () => {
  const fails = new Error('it cannot be read');

  test.each([
    [
      'throws',
      () => {
        throw fails;
      },
    ],
    ['rejects', () => Promise.reject(fails)],
  ])('fails the scrape when it %s, and the next scrape is complete', async (_, failing) => {
    let broken = true;
    // Two of a group: the second failure is not left unhandled.
    metrics.together(() => {
      for (const name of ['a', 'b']) metrics.gauge(name, 'May fail', () => (broken ? failing() : 1));
    });
    await expect(metrics.render(TEXT)).rejects.toThrow(fails);
    broken = false;
    expect(await metrics.render(TEXT)).toMatch(/\na 1\n[^]*\nb 1\n$/);
  });
});

describe('between two metrics', () => {
  let others: number;
  let change: NodeJS.Immediate;
  /** Takes longer than a slice. */
  const slow = (): number => {
    const end = performance.now() + 3;
    while (performance.now() < end);
    return 1;
  };
  const declare = (): void => {
    metrics.gauge('slow', 'Takes its time', slow);
    metrics.gauge('others', 'What else was done meanwhile', () => others);
  };
  beforeEach(() => {
    others = 0;
    change = setImmediate(() => others++);
  });
  afterEach(() => {
    clearImmediate(change);
  });

  test('other work runs', async () => {
    declare();
    expect(await metrics.render(TEXT)).toContain('others 1\n');
  });

  test('no other work runs within a group', async () => {
    metrics.together(declare);
    expect(await metrics.render(TEXT)).toContain('others 0\n');
  });
});
