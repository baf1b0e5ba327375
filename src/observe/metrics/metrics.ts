/**
 * Every metric of the daemon, in two registries of prom-client: one for each format that a scraper may ask for. Nothing is
 * read unless somebody scrapes.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Metric, type OpenMetricsContentType, type PrometheusContentType, Registry } from 'prom-client';
import {
  type Histograms,
  type ReadMetric,
  type Samples,
  asMetric,
  readHistograms,
  readSamples,
} from './read-metric.ts';

export type ContentType = PrometheusContentType | OpenMetricsContentType;

export const TEXT = Registry.PROMETHEUS_CONTENT_TYPE;
export const OPEN_METRICS = Registry.OPENMETRICS_CONTENT_TYPE;

/** Between two metrics other work gets its turn once so much time was taken, ms. */
const SLICE = 1;

/** Its names in the two registries. */
interface Names {
  [TEXT]: string;
  [OPEN_METRICS]: string;
}

export class Metrics {
  readonly #registries = {
    [TEXT]: new Registry(),
    [OPEN_METRICS]: new Registry<OpenMetricsContentType>(),
  };
  /** The metrics of a group are read in one turn of the event loop. */
  readonly #groups: Names[][] = [];
  #together: Names[] | undefined;

  constructor() {
    this.#registries[OPEN_METRICS].setContentType(OPEN_METRICS);
  }

  get names(): string[] {
    return this.#groups.flat().map((names) => names[TEXT]);
  }

  counter(name: string, help: string, read: () => Samples | Promise<Samples>): void {
    this.#add(readSamples('counter', name, help, read));
  }

  gauge(name: string, help: string, read: () => Samples | Promise<Samples>): void {
    this.#add(readSamples('gauge', name, help, read));
  }

  histogram(name: string, help: string, read: () => Histograms): void {
    this.#add(readHistograms(name, help, read));
  }

  /** One of prom-client's own. */
  add(metric: Metric): void {
    this.#add(metric as unknown as ReadMetric);
  }

  /** What is declared meanwhile is read at one moment; misses may come between any two other metrics. */
  together(declare: () => void): void {
    this.#together = [];
    this.#groups.push(this.#together);
    declare();
    this.#together = undefined;
  }

  /**
   * Each group is a piece of work of its own. `Registry.metrics()` renders everything in one go, which with 200 devices
   * would hold up a miss for more than 10 ms.
   * @throws Error of the metric that could not be read
   */
  async render(type: ContentType): Promise<string> {
    const registry = this.#registries[type];
    const texts: string[] = [];
    let since = performance.now();
    for (const group of this.#groups) {
      if (performance.now() - since > SLICE) {
        await turn();
        since = performance.now();
      }
      texts.push(...(await Promise.all(group.map((names) => registry.getSingleMetricAsString(names[type])))));
    }
    if (type === OPEN_METRICS) texts.push('# EOF');
    return `${texts.join('\n')}\n`;
  }

  #add(metric: ReadMetric): void {
    const { name } = metric;
    const family = metric.type === 'counter' ? familyOf(metric) : metric;
    this.#registries[TEXT].registerMetric(asMetric(metric));
    this.#registries[OPEN_METRICS].registerMetric(asMetric(family));
    const names = { [TEXT]: name, [OPEN_METRICS]: family.name };
    if (this.#together === undefined) this.#groups.push([names]);
    else this.#together.push(names);
  }
}

/**
 * OpenMetrics names a counter without the `_total` of its samples, which prom-client puts there itself. `Registry.metrics()`
 * would rename the metric for this, in both registries.
 */
function familyOf(counter: ReadMetric): ReadMetric {
  const name = counter.name.replace(/_total$/, '');
  return { ...counter, name, get: async () => ({ ...(await counter.get()), name }) };
}
