/**
 * Word of changed keys from one server. One RESP2 connection does it all: tracking redirects to itself, so that
 * tracking and subscription die together and there is no moment in which one is there without the other.
 *
 *   ready → CLIENT ID → CLIENT TRACKING ON REDIRECT self BCAST PREFIX → SUBSCRIBE → armed
 *   close, or a PING unanswered → lost → connect again with backoff → ready …
 */
import type { Redis } from 'ioredis';
import type { SchedulerLike, Subscription } from 'rxjs';
import { monotonic } from '../../base/clock.ts';
import { backoff, connectAgain } from './client.ts';

const CHANNEL = '__redis__:invalidate';
/** A connection that is silently dead looks like one on which nothing changes; only a question tells. */
const PING_INTERVAL = 1000;

export interface FeedEvents {
  armed(): void;
  /** Called for every failed attempt too, each time with what went wrong. */
  lost(error: unknown): void;
  keys(keys: Buffer[]): void;
  flushed(): void;
}

export class RedisFeed {
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #events: FeedEvents;
  readonly #scheduler: SchedulerLike;
  #armed = false;
  #closed = false;
  /** Failures since it was armed; ioredis counts only failures to connect, and would retry a refused SUBSCRIBE at once. */
  #failures = 0;
  #lastError: unknown;
  #pings: Subscription | undefined;
  /** When the server was asked last, on the clock of `clock.ts`, and how long it took the last time that it answered, ms. */
  #askedAt = monotonic();
  #answered = true;
  #took = 0;

  /** @param open makes the unconnected client; it is given the retry strategy */
  constructor(
    open: (retryStrategy: () => number) => Redis,
    prefix: string,
    events: FeedEvents,
    scheduler: SchedulerLike,
  ) {
    this.#prefix = prefix;
    this.#events = events;
    this.#scheduler = scheduler;
    this.#client = open(() => backoff(this.#failures++));
    connectAgain(this.#client, () => this.#closed);
    this.#client.on('error', (error: unknown) => (this.#lastError = error));
    this.#client.on('connect', () => (this.#lastError = undefined));
    this.#client.on('ready', () => void this.#arm());
    this.#client.on('close', () => {
      this.#lose();
    });
    this.#client.on('messageBuffer', (_channel: Buffer, payload: unknown) => {
      this.#receive(payload);
    });
  }

  get armed(): boolean {
    return this.#armed;
  }

  /** Milliseconds that word of a change takes to come: its answers queue behind it. Grows while there is none. */
  get lag(): number {
    const since = monotonic() - this.#askedAt;
    return this.#answered ? this.#took : Math.max(this.#took, since);
  }

  start(): void {
    // What goes wrong is also an event.
    this.#client.connect().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#pings?.unsubscribe();
    this.#client.disconnect();
  }

  async #arm(): Promise<void> {
    try {
      const id = await this.#client.client('ID');
      await this.#client.client('TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', this.#prefix);
      await this.#client.subscribe(CHANNEL);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#closed) return;
    this.#armed = true;
    this.#ping();
    this.#events.armed();
  }

  #ping(): void {
    this.#pings?.unsubscribe();
    this.#pings = this.#scheduler.schedule(() => {
      this.#askedAt = monotonic();
      this.#answered = false;
      this.#client.ping().then(
        () => {
          this.#took = monotonic() - this.#askedAt;
          this.#answered = true;
          // Not when it was armed: a server that breaks the feed each time is given more and more rest.
          this.#failures = 0;
          if (this.#armed) this.#ping();
        },
        (error: unknown) => {
          this.#fail(error);
        },
      );
    }, PING_INTERVAL);
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#lastError ??= error;
    // Ends in `close`, which tells.
    this.#client.disconnect(true);
  }

  #lose(): void {
    this.#armed = false;
    this.#pings?.unsubscribe();
    if (!this.#closed) this.#events.lost(this.#lastError ?? new Error('Connection is closed.'));
  }

  #receive(payload: unknown): void {
    if (payload === null) this.#events.flushed();
    else if (Array.isArray(payload) && payload.every((key) => Buffer.isBuffer(key)))
      this.#events.keys(payload);
    // Nobody knows what it meant to say, so whatever it may concern is read again, as after any gap.
    else this.#fail(new Error('malformed reply: an invalidation that names no keys'));
  }
}
