import type { Clock } from '../base/clock.ts';
import type { ServedDevice, DeviceNamespace } from '../model/device.ts';

/** How long frames are read after the last time it was needed, ms. */
const DURATION = 10_000;

/**
 * Turns on the search for the senders of L2 misses, which the kernel does not name. While more L2 misses come than all ports
 * together may ask, the heads of unicast frames are read where they enter the bridge, so that each port has its own lane for
 * L2 misses, too.
 */
export class Senders {
  readonly #until = new Map<DeviceNamespace, number>();
  readonly #now: Clock;

  constructor(now: Clock) {
    this.#now = now;
  }

  follows({ namespace }: ServedDevice): boolean {
    return this.#until.has(namespace);
  }

  follow({ namespace }: ServedDevice): void {
    if (!this.#until.has(namespace)) setFollow(namespace, true);
    this.#until.set(namespace, this.#now() + DURATION);
  }

  /** Once a second. */
  tick(): void {
    for (const [namespace, until] of this.#until) {
      if (until > this.#now()) continue;
      this.#until.delete(namespace);
      setFollow(namespace, false);
    }
  }
}

/** Without a packet socket, or in a closed namespace, senders stay unknown. */
function setFollow({ kernel }: DeviceNamespace, follow: boolean): void {
  try {
    kernel.followFrames(follow);
  } catch {
    // Misses without a sender are charged to the common lane of L2 misses.
  }
}
