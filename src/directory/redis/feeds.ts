/** The feeds of a directory: one, or in a cluster one per master, since each key is reported by its own master only. */
import type { Cluster } from 'ioredis';
import type { SchedulerLike } from 'rxjs';
import { redisClient } from './client.ts';
import type { FeedSubjects } from './feed.ts';
import { ReplaceableFeed } from './replaceable-feed.ts';
import { redisReason } from './reason.ts';
import type { RedisTarget } from './url.ts';

export interface FeedsEvents {
  /** A feed was armed: earlier changes may have been missed. */
  armed(): void;
  /** `reason` may have changed. */
  changed(): void;
  keys(keys: Buffer[]): void;
  flushed(): void;
  message(text: string): void;
}

export class RedisFeeds {
  readonly #target: RedisTarget;
  readonly #cluster: Cluster | undefined;
  #subjects: FeedSubjects;
  readonly #events: FeedsEvents;
  readonly #scheduler: SchedulerLike;
  readonly #feeds = new Map<string, ReplaceableFeed>();
  readonly #reasons = new Map<string, string>();
  /** Messages of changed keys received, however many keys each names. */
  messages = 0;

  /** @param prefixes of the keys that are reported until `track` names others */
  constructor(
    target: RedisTarget,
    cluster: Cluster | undefined,
    prefixes: readonly string[],
    events: FeedsEvents,
    scheduler: SchedulerLike,
  ) {
    this.#target = target;
    this.#cluster = cluster;
    this.#subjects = { prefixes, channels: new Set() };
    this.#events = events;
    this.#scheduler = scheduler;
  }

  /** Why changes may be missed; undefined when every feed is armed. */
  get reason(): string | undefined {
    for (const [name, feed] of this.#feeds) {
      if (!feed.armed) return this.#reasons.get(name) ?? 'connecting';
    }
    return this.#feeds.size === 0 ? 'connecting' : undefined;
  }

  /** The longest lag of any feed, ms; see `RedisFeed.lag`. */
  get lag(): number {
    return Math.max(0, ...[...this.#feeds.values()].map((feed) => feed.lag));
  }

  start(): void {
    if (this.#cluster === undefined) {
      this.#open(this.#target);
      return;
    }
    // ioredis emits neither `+node` nor `-node` for a promoted replica, but `refresh` for every new slot map.
    for (const event of ['ready', 'refresh', '-node'])
      this.#cluster.on(event, () => {
        this.#followTopology();
      });
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
  }

  /** Resolves when keys with these prefixes are reported, by the feeds that are armed; a feed that is not reports a gap later. */
  async track(prefixes: readonly string[]): Promise<void> {
    this.#subjects = { ...this.#subjects, prefixes };
    await Promise.all([...this.#feeds.values()].map((feed) => feed.track()));
  }

  /** In a cluster a message comes once by each master. */
  listen(channels: ReadonlySet<string>): void {
    this.#subjects = { ...this.#subjects, channels };
    for (const feed of this.#feeds.values()) feed.listen();
  }

  #followTopology(): void {
    // Before `ready` the nodes are the configured addresses, which may be replicas.
    if (this.#cluster?.status !== 'ready') return;
    const masters = new Map<string, RedisTarget>();
    for (const { options } of this.#cluster.nodes('master')) {
      const { host = '', port = 6379 } = options;
      const name = `${host}:${port}`;
      masters.set(name, { ...this.#target, where: { kind: 'server', address: { host, port } }, name });
    }
    if (masters.size === 0) return;
    for (const [name, feed] of [...this.#feeds]) {
      if (masters.has(name)) continue;
      feed.close();
      this.#feeds.delete(name);
      this.#reasons.delete(name);
    }
    for (const [name, target] of masters) if (!this.#feeds.has(name)) this.#open(target);
    this.#events.changed();
  }

  #open(target: RedisTarget): void {
    const feed = new ReplaceableFeed(
      (retryStrategy) => redisClient(target, { retryStrategy }),
      () => this.#subjects,
      {
        armed: () => {
          this.#reasons.delete(target.name);
          this.#events.armed();
        },
        lost: (error) => {
          this.#reasons.set(target.name, `the feed of changes is down: ${redisReason(error, target)}`);
          this.#events.changed();
          // Another node may be the master by now.
          this.#cluster?.refreshSlotsCache();
        },
        keys: (keys) => {
          this.messages++;
          this.#events.keys(keys);
        },
        flushed: () => {
          this.messages++;
          this.#events.flushed();
        },
        message: (text) => {
          this.#events.message(text);
        },
      },
      this.#scheduler,
    );
    this.#feeds.set(target.name, feed);
    feed.start();
  }
}
