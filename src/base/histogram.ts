/** A Prometheus histogram without labels or allocation: `observe` is a short loop over a few numbers. */
export class PlainHistogram {
  readonly bounds: readonly number[];
  /** Not cumulative; the last one counts values above every bound. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds ascending upper bounds, in the unit observed */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** @param times number of items: each item of a batch waited as long as the batch took */
  observe(value: number, times = 1): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? Infinity)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
    this.#sum += value * times;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Cumulative counts by upper bound, `+Inf` last, as the exposition format wants them. */
  cumulative(): { le: string; count: number }[] {
    let count = 0;
    return this.#counts.map((here, bucket) => {
      count += here;
      return { le: bucket < this.bounds.length ? String(this.bounds[bucket]) : '+Inf', count };
    });
  }
}

/** Observes the waiting times of questions in seconds, with one observation for questions that arrived together. */
export function observeWaits(
  histogram: PlainHistogram,
  waited: Iterable<{ receivedAt: number }>,
  now: number,
): void {
  let since = 0;
  let times = 0;
  for (const { receivedAt } of waited) {
    if (receivedAt !== since && times > 0) {
      histogram.observe((now - since) / 1000, times);
      times = 0;
    }
    since = receivedAt;
    times++;
  }
  if (times > 0) histogram.observe((now - since) / 1000, times);
}
