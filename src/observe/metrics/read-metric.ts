/**
 * A metric of prom-client that keeps no numbers: a scrape reads the daemon's own counters. A counter of prom-client costs
 * 200 ns per increment, and its histograms cannot be filled from counts.
 */
import type { Metric } from 'prom-client';
import { PlainHistogram } from '../../base/histogram.ts';

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number];
/** A number alone has no labels. */
export type Samples = number | readonly Sample[];
/** A histogram, or one for each set of labels. */
export type Histograms = PlainHistogram | readonly (readonly [Labels, PlainHistogram])[];

/** A line of the exposition, as prom-client takes it. */
interface Line {
  labels: Readonly<Record<string, string>>;
  value: number;
  /** The name of the line, if it differs from the name of the metric. */
  metricName?: string;
  sharedLabels: Labels;
}

/** The members of a metric that prom-client uses; its types name only its own classes. */
export interface ReadMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Reads synchronously, unless `read` returns a promise. */
  get: () => Promise<{ name: string; help: string; type: string; values: Line[] }>;
}

/**
 * The shared labels of every line. For a line without shared labels prom-client makes an object and keeps its text in a
 * WeakMap, which takes a third of the time of a rendering.
 */
const NONE: Labels = {};

export const asMetric = (metric: ReadMetric): Metric => metric as unknown as Metric;

export function readSamples(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: () => Samples | Promise<Samples>,
): ReadMetric {
  return {
    ...{ name, help, type },
    async get() {
      return { name: this.name, help, type, values: linesOf(await read()) };
    },
  };
}

export function readHistograms(name: string, help: string, read: () => Histograms): ReadMetric {
  const type = 'histogram';
  return {
    ...{ name, help, type },
    get() {
      const histograms = read();
      const labelled = histograms instanceof PlainHistogram ? [[{}, histograms] as const] : histograms;
      const values = labelled.flatMap(([labels, histogram]) => bucketsOf(name, labels, histogram));
      return Promise.resolve({ name: this.name, help, type, values });
    },
  };
}

const linesOf = (samples: Samples): Line[] =>
  typeof samples === 'number'
    ? [{ labels: NONE, value: samples, sharedLabels: NONE }]
    : samples.map(([labels, value]) => ({ labels, value, sharedLabels: NONE }));

function bucketsOf(name: string, labels: Labels, histogram: PlainHistogram): Line[] {
  const buckets = histogram.cumulative();
  return [
    ...buckets.map(({ le, count }) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le },
      value: count,
      sharedLabels: NONE,
    })),
    { metricName: `${name}_sum`, labels, value: histogram.sum, sharedLabels: NONE },
    { metricName: `${name}_count`, labels, value: buckets.at(-1)?.count ?? 0, sharedLabels: NONE },
  ];
}
