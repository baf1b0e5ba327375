/**
 * Limits a port's lookups of unknown addresses: a token bucket, charged only for addresses that turn out to be unknown. A
 * question holds a token while it is under way and returns it for an address that exists. So a storm of existing addresses
 * passes whole, and no more questions are under way than the bucket could pay for.
 *
 * The bucket holds a quarter of the rate, and three quarters flow in each second: no second exceeds the rate.
 */
export class Budget {
  /** Tokens of a full bucket. */
  capacity = 0;
  /** Fewer tokens are not worth a round trip, where more are wanted. */
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

  /** Sets the rate from now on. @param rate lookups a second for unknown addresses */
  limit(rate: number): void {
    this.capacity = Math.max(1, rate / 4);
    this.#quantum = Math.max(1, this.capacity / 4);
    this.#flow = (rate * 3) / 4 / 1000;
  }

  /** So many of the port's last addresses were unknown that its next ones may be, too. */
  get inDebt(): boolean {
    return this.#tokens < this.capacity / 2;
  }

  /** How many of the `wanted` questions may be asked now; none rather than a few of many. */
  allowance(wanted: number, now: number): number {
    this.flow(now);
    const free = Math.floor(this.#tokens - this.#held);
    return free >= Math.min(wanted, this.#quantum) ? Math.min(wanted, free) : 0;
  }

  /** Milliseconds until `allowance` is above zero, if no held token returns before. */
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

  /** Takes up to `wanted` tokens that no question holds. @returns how many were taken */
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
