/**
 * What one port may still ask the directory in vain: a token bucket, charged only for answers that turn out to be
 * "nobody has it". A token is held while a question is under way and given back for an address that exists, so a storm
 * of real addresses passes whole, and no more can be outstanding than could be paid for.
 *
 * A quarter of the rate is the bucket and three quarters a second flow in: no second ever sees more than the rate.
 */
export class Budget {
  /** Tokens it holds at most. */
  capacity = 0;
  /** Fewer than this are not worth a round trip of their own, where more are wanted. */
  #quantum = 0;
  /** Tokens per millisecond. */
  #flow = 0;
  #tokens: number;
  #at: number;
  #held = 0;

  /**
   * @param rate lookups a second for unknown addresses
   * @param now monotonic ms
   */
  constructor(rate: number, now: number) {
    this.limit(rate);
    this.#tokens = this.capacity;
    this.#at = now;
  }

  /** From now on. @param rate lookups a second for unknown addresses */
  limit(rate: number): void {
    this.capacity = Math.max(1, rate / 4);
    this.#quantum = Math.max(1, this.capacity / 4);
    this.#flow = (rate * 3) / 4 / 1000;
  }

  /** So many of its last answers were unknown that what it asks now may be, too. */
  get inDebt(): boolean {
    return this.#tokens < this.capacity / 2;
  }

  /** How many of the `wanted` questions may be asked now; none rather than a few of many. */
  allowance(wanted: number, now: number): number {
    this.flow(now);
    const free = Math.floor(this.#tokens - this.#held);
    return free >= Math.min(wanted, this.#quantum) ? Math.min(wanted, free) : 0;
  }

  /** Milliseconds until `allowance` is not nought, if nothing comes back before. */
  readyIn(wanted: number): number {
    const short = Math.min(wanted, this.#quantum) - (this.#tokens - this.#held);
    return Math.max(1, Math.ceil(short / this.#flow));
  }

  hold(): void {
    this.#held++;
  }

  /** An answer to a question for which a token is held. */
  answered(unknown: boolean): void {
    this.#held--;
    if (unknown) this.#tokens--;
  }

  /** Takes up to so many tokens that nothing is held for. @returns how many there were */
  spend(wanted: number): number {
    const spent = Math.max(0, Math.min(wanted, Math.floor(this.#tokens - this.#held)));
    this.#tokens -= spent;
    return spent;
  }

  flow(now: number): void {
    this.#tokens = Math.min(this.capacity, this.#tokens + (now - this.#at) * this.#flow);
    this.#at = now;
  }
}
