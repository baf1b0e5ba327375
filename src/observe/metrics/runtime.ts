/** What keeps the event loop from answering misses: work that takes long, and collections of garbage. */
import { type PerformanceEntry, PerformanceObserver, constants } from 'node:perf_hooks';
import { PlainHistogram } from '../../base/histogram.ts';

/** Between two looks at the clock, ms. */
const INTERVAL = 100;

/** Upper bounds in seconds. A timer is late by up to a millisecond at any time. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const KINDS: readonly [flag: number, kind: string][] = [
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
];

/** Its `detail` is not in the types of Node. */
type CollectionEntry = PerformanceEntry & { detail: { kind: number } };

/** Of this process; from when it is made to the end. Keeps nothing alive. */
export class Runtime {
  /** How late a timer was that fires ten times a second: how long a miss would have waited at that moment. */
  readonly loopDelay = new PlainHistogram(BUCKETS);
  readonly collections = KINDS.map(([flag, kind]) => ({ flag, kind, seconds: new PlainHistogram(BUCKETS) }));

  constructor() {
    let due = performance.now() + INTERVAL;
    setInterval(() => {
      const now = performance.now();
      this.loopDelay.observe(Math.max(0, now - due) / 1000);
      due = now + INTERVAL;
    }, INTERVAL).unref();
    new PerformanceObserver((list) => {
      for (const { duration, detail } of list.getEntries() as CollectionEntry[])
        this.collections.find(({ flag }) => flag === detail.kind)?.seconds.observe(duration / 1000);
    }).observe({ entryTypes: ['gc'] });
  }
}
