import type { Clock } from './clock.ts';

/**
 * Remembers addresses for a while, all for the same time: a Map in order of insertion is its own queue of what
 * expires next, so there is no timer. At the bound the oldest is forgotten early, which costs a lookup, not an error.
 */
export class ExpiringSet {
  readonly #until = new Map<string, number>();
  /** Milliseconds. */
  lifetime: number;
  readonly #most: number;
  readonly #now: Clock;

  /** @param lifetime milliseconds */
  constructor(lifetime: number, most: number, now: Clock) {
    this.lifetime = lifetime;
    this.#most = most;
    this.#now = now;
  }

  /** Sets the lifetime and clears the set, because old addresses would expire out of order. */
  keepFor(lifetime: number): void {
    this.clear();
    this.lifetime = lifetime;
  }

  get size(): number {
    this.#expire();
    return this.#until.size;
  }

  add(key: string): void {
    if (this.lifetime <= 0) return;
    this.#expire();
    this.#until.delete(key);
    if (this.#until.size >= this.#most) this.#forgetOldest();
    this.#until.set(key, this.#now() + this.lifetime);
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    return until !== undefined && until > this.#now();
  }

  /** Milliseconds until an address expires; undefined when it is not in the set. */
  left(key: string): number | undefined {
    const left = (this.#until.get(key) ?? 0) - this.#now();
    return left > 0 ? left : undefined;
  }

  delete(key: string): void {
    this.#until.delete(key);
  }

  clear(): void {
    this.#until.clear();
  }

  #expire(): void {
    const now = this.#now();
    for (const [key, until] of this.#until) {
      if (until > now) return;
      this.#until.delete(key);
    }
  }

  #forgetOldest(): void {
    for (const key of this.#until.keys()) {
      this.#until.delete(key);
      return;
    }
  }
}
