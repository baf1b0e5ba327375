import type { Clock } from '../base/clock.ts';
import type { ServedDevice, Surroundings } from '../model/device.ts';

/** How long the senders of L2 misses are looked for after it was last needed, ms. */
const DURATION = 10_000;

/**
 * Whose an L2 miss is the kernel does not say. While more of them come than all ports together may ask, the heads of unicast
 * frames are read where they enter the bridge: then each port has its own lane for L2 misses, too.
 */
export class Senders {
  readonly #until = new Map<Surroundings, number>();
  readonly #now: Clock;

  constructor(now: Clock) {
    this.#now = now;
  }

  follows({ namespace }: ServedDevice): boolean {
    return this.#until.has(namespace);
  }

  follow({ namespace }: ServedDevice): void {
    if (!this.#until.has(namespace)) tell(namespace, true);
    this.#until.set(namespace, this.#now() + DURATION);
  }

  /** Once a second. */
  tick(): void {
    for (const [namespace, until] of this.#until) {
      if (until > this.#now()) continue;
      this.#until.delete(namespace);
      tell(namespace, false);
    }
  }
}

/** Without a packet socket, or with the namespace closed, senders stay unknown. */
function tell({ kernel }: Surroundings, follow: boolean): void {
  try {
    kernel.followFrames(follow);
  } catch {
    // What is not known is charged to the lane of L2 misses.
  }
}
