/**
 * Every metric of the daemon, in two registries of prom-client: one for each format that a scraper may ask for. Values are
 * read only during a scrape.
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

/** After this time a scrape yields to other work before its next group of metrics, ms. */
const SLICE = 1;

/** The names of a metric in the two registries. */
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

  /** Adds a metric object of prom-client. */
  add(metric: Metric): void {
    this.#add(metric as unknown as ReadMetric);
  }

  /** Metrics that `declare` adds are read in one turn of the event loop, so that their values agree. */
  together(declare: () => void): void {
    this.#together = [];
    this.#groups.push(this.#together);
    declare();
    this.#together = undefined;
  }

  /**
   * Renders group by group. `Registry.metrics()` renders all metrics in one turn of the event loop, which with 200 devices
   * would delay a miss by more than 10 ms.
   * @throws Error of a metric that could not be read
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
 * OpenMetrics names a counter without the `_total` of its samples, which prom-client appends itself. `Registry.metrics()`
 * would rename the metric in both registries.
 */
function familyOf(counter: ReadMetric): ReadMetric {
  const name = counter.name.replace(/_total$/, '');
  return { ...counter, name, get: async () => ({ ...(await counter.get()), name }) };
}
