/** A Prometheus histogram without labels or allocation: `observe` is a short loop over a few numbers. */
export class PlainHistogram {
  readonly bounds: readonly number[];
  /** Not cumulative; the last one counts what is above every bound. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds ascending upper bounds, in the unit observed */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? Infinity)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
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
