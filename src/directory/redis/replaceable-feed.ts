/**
 * The feed of one server, whose prefixes can change. A second connection is armed with the new prefixes while the first
 * still reports; the first ends when all that it had to report was received. So no change is missed, and none of a VNI
 * that is not served any more is sent.
 *
 *   current armed ── other prefixes wanted ──▶ next armed ──▶ current drained and closed ──▶ next is current
 */
import type { SchedulerLike } from 'rxjs';
import type { Redis } from 'ioredis';
import { type FeedEvents, type FeedSubjects, RedisFeed } from './feed.ts';

export class ReplaceableFeed {
  readonly #open: () => RedisFeed;
  readonly #subjects: () => FeedSubjects;
  readonly #events: FeedEvents;
  #current: RedisFeed;
  #next: RedisFeed | undefined;
  /** Drained connections that are not closed yet. */
  readonly #ending = new Set<RedisFeed>();
  /** Why `#next` is not armed yet, once it failed. */
  #failure: unknown;
  #waiting: (() => void)[] = [];
  #closed = false;

  /** @param open makes the unconnected client with the given retry strategy */
  constructor(
    open: (retryStrategy: () => number) => Redis,
    subjects: () => FeedSubjects,
    events: FeedEvents,
    scheduler: SchedulerLike,
  ) {
    this.#subjects = subjects;
    this.#events = events;
    this.#open = () => {
      const feed: RedisFeed = new RedisFeed(
        open,
        subjects,
        {
          ...events,
          armed: () => {
            this.#onArmed(feed);
          },
          lost: (error) => {
            this.#onLost(feed, error);
          },
        },
        scheduler,
      );
      return feed;
    };
    this.#current = this.#open();
  }

  /** Whether every wanted prefix is reported. */
  get armed(): boolean {
    return this.#current.armed && this.#failure === undefined;
  }

  get lag(): number {
    return this.#current.lag;
  }

  start(): void {
    this.#current.start();
  }

  close(): void {
    this.#closed = true;
    for (const feed of [this.#current, this.#next, ...this.#ending]) feed?.close();
    this.#settle();
  }

  /** Resolves when the prefixes of `subjects` are reported, or when that failed: `armed` is called when it succeeds later. */
  track(): Promise<void> {
    // A connection that is not armed yet takes the prefixes that are wanted then, and its start counts as a gap.
    if (this.#closed || !this.#current.armed || this.#isCurrent(this.#current)) return Promise.resolve();
    if (this.#next === undefined) {
      this.#next = this.#open();
      this.#next.start();
    }
    return this.#failure === undefined
      ? new Promise((resolve) => this.#waiting.push(resolve))
      : Promise.resolve();
  }

  listen(): void {
    void this.#current.listen();
    void this.#next?.listen();
  }

  #isCurrent({ prefixes }: RedisFeed): boolean {
    return this.#subjects().prefixes.join(' ') === prefixes.join(' ');
  }

  #onArmed(feed: RedisFeed): void {
    if (this.#closed) return;
    if (feed === this.#next) {
      const old = this.#current;
      // What changed while neither reported the new prefixes is in no message.
      const isGap = !old.armed || this.#failure !== undefined;
      this.#current = feed;
      this.#next = this.#failure = undefined;
      void this.#end(old);
      if (!isGap) {
        this.#follow();
        return;
      }
    }
    this.#follow();
    this.#events.armed();
  }

  /** The wanted prefixes may have changed again while it connected. */
  #follow(): void {
    if (this.#isCurrent(this.#current)) this.#settle();
    else {
      const waiting = this.#waiting.splice(0);
      void this.track().then(() => {
        for (const resolve of waiting) resolve();
      });
    }
  }

  #onLost(feed: RedisFeed, error: unknown): void {
    if (feed === this.#next) {
      this.#failure = error;
      this.#settle();
    } else if (feed === this.#current) {
      // It comes back with the prefixes that are wanted by then.
      this.#next?.close();
      this.#next = this.#failure = undefined;
      this.#settle();
    } else return;
    this.#events.lost(error);
  }

  async #end(feed: RedisFeed): Promise<void> {
    this.#ending.add(feed);
    await feed.drain();
    feed.close();
    this.#ending.delete(feed);
  }

  #settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
