/**
 * Whether a host without a lease can be taken for gone. Leases end while Redis stands still, while it restarts, and while this
 * host cannot reach it; then every host is without a lease for a moment. So nothing is concluded before Redis has answered
 * this host without a gap, and has been up, for as long as a lease lasts: by then every host that lives has renewed.
 */
import type { Clock } from '../base/clock.ts';
import type { Ownership } from '../directory/ownership.ts';

export class Settled {
  readonly #ownership: Pick<Ownership, 'uptime'>;
  readonly #now: Clock;
  #since: number;
  #up = false;

  constructor(ownership: Pick<Ownership, 'uptime'>, now: Clock) {
    this.#ownership = ownership;
    this.#now = now;
    this.#since = now();
  }

  /** Changes may have been missed, the data may be another server's, or this host's own lease has lapsed. */
  gap(): void {
    this.#since = this.#now();
  }

  /** Whether the directory answers. */
  state(up: boolean): void {
    if (up !== this.#up) this.gap();
    this.#up = up;
  }

  /** @param lease its length, ms. @throws DirectoryError */
  async for(lease: number): Promise<boolean> {
    if (!this.soFar(lease)) return false;
    const uptime = (await this.#ownership.uptime()) ?? Infinity;
    // It may have been lost while it was asked.
    return uptime >= lease && this.soFar(lease);
  }

  /** The same as far as this host knows. */
  soFar(lease: number): boolean {
    return this.#up && this.#now() - this.#since >= lease;
  }
}
