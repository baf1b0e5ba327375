/** Metrics of the process: those of prom-client under their usual names, and the delay of the event loop. */
import { type Metric, Registry, collectDefaultMetrics } from 'prom-client';
import { PlainHistogram } from '../../base/histogram.ts';
import { VERSION } from '../../base/version.ts';
import { addon } from '../../kernel/addon.ts';
import type { Metrics } from './metrics.ts';

/** Interval of the timer that measures the delay of the event loop, ms. */
const INTERVAL = 100;

/** Upper bounds in seconds. A timer is late by up to a millisecond at any time. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * prom-client measures the event loop with a timer of its own, by default 100 times a second: that costs 0.4 % of a core
 * when idle, and the measured lag contains the interval of the timer. `missd_event_loop_delay_seconds` replaces it.
 */
const MONITOR_INTERVAL = 60_000;
const MONITOR_METRICS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (what) => `nodejs_eventloop_lag_${what}_seconds`,
);

/**
 * Gauges with the suffix of a counter, to which promtool objects. Each is the sum over the types of `nodejs_active_handles`,
 * `nodejs_active_requests` or `nodejs_active_resources`.
 */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

interface Watched {
  readonly metrics: readonly Metric[];
  /** How late a timer was that fires ten times a second: how long a miss would have waited at that moment. */
  readonly loopDelay: PlainHistogram;
}

/** Created once for the process: prom-client cannot stop its observers of garbage collection and the event loop. */
let watched: Watched | undefined;

export function publishProcess(to: Metrics): void {
  const { metrics, loopDelay } = (watched ??= watch());
  to.gauge('missd_build_info', 'Always 1; the versions of missd and Node', () => [
    [{ version: VERSION, node: process.versions.node }, 1],
  ]);
  to.histogram(
    'missd_event_loop_delay_seconds',
    'How late a timer was that fires ten times a second',
    () => loopDelay,
  );
  to.counter(
    'missd_event_loop_active_seconds_total',
    'Time that the event loop was not idle',
    () => performance.eventLoopUtilization().active / 1000,
  );
  to.counter(
    'missd_table_dump_cpu_seconds_total',
    'Processor time for dumps of kernel tables, nearly all of it in the kernel; contained in process_cpu_seconds_total',
    () => addon.dumpSeconds(),
  );
  for (const metric of metrics) to.add(metric);
}

/** The timer does not keep the process running. */
function watch(): Watched {
  const register = new Registry();
  collectDefaultMetrics({
    register,
    gcDurationBuckets: BUCKETS,
    eventLoopMonitoringPrecision: MONITOR_INTERVAL,
  });
  for (const name of [...MONITOR_METRICS, ...MISNAMED]) register.removeSingleMetric(name);
  const loopDelay = new PlainHistogram(BUCKETS);
  let due = performance.now() + INTERVAL;
  setInterval(() => {
    const now = performance.now();
    loopDelay.observe(Math.max(0, now - due) / 1000);
    due = now + INTERVAL;
  }, INTERVAL).unref();
  return { metrics: register.getMetricsAsArray() as unknown as Metric[], loopDelay };
}
