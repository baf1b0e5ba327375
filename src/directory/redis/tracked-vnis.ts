/** The VNIs whose changes the feed reports, and those it does not report yet: their records are read afterwards. */
import type { Vni } from '../../base/vocabulary.ts';
import type { RedisFeeds } from './feeds.ts';
import type { RedisKeys } from './keys.ts';

/**
 * VNIs that the feed names one by one. The server checks that no prefix begins another, each against each: 1 ms for the
 * prefixes of this many. Beyond, the feed reports every key.
 */
const MOST_TRACKED = 128;

export class TrackedVnis {
  readonly #feeds: RedisFeeds;
  readonly #keys: RedisKeys;
  #followed: ReadonlySet<Vni> = new Set();
  #pending: ReadonlySet<Vni> = new Set();
  #tracking: Promise<void> = Promise.resolve();

  constructor(feeds: RedisFeeds, keys: RedisKeys) {
    this.#feeds = feeds;
    this.#keys = keys;
  }

  get followed(): ReadonlySet<Vni> {
    return this.#followed;
  }

  has(vni: Vni): boolean {
    return this.#followed.has(vni);
  }

  /** Resolves when the feed reports changes of these VNIs and no others, or will report a gap. Never rejects. */
  async follow(vnis: ReadonlySet<Vni>): Promise<void> {
    const isPending = (vni: Vni): boolean => this.#pending.has(vni) || !this.#followed.has(vni);
    this.#pending = new Set([...vnis].filter(isPending));
    this.#followed = new Set(vnis);
    const tracking = this.#feeds.track(this.#prefixes());
    this.#tracking = tracking;
    await tracking;
    if (this.#tracking === tracking) this.#pending = new Set();
  }

  /**
   * A value that was read before the feed reports its changes could be out of date for long: a read waits for this.
   * @returns undefined where there is nothing to wait for
   */
  ready(vnis: readonly Vni[]): Promise<void> | undefined {
    return this.#pending.size > 0 && vnis.some((vni) => this.#pending.has(vni)) ? this.#tracking : undefined;
  }

  #prefixes(): string[] {
    if (this.#followed.size > MOST_TRACKED) return [this.#keys.prefix];
    const vnis = this.#followed.size === 0 ? [0] : [...this.#followed].sort((a, b) => a - b);
    return vnis.flatMap((vni) => this.#keys.tracked(vni));
  }
}
