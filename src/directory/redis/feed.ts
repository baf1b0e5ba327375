/**
 * Change notifications from one server. One RESP2 connection tracks and subscribes: tracking redirects to the connection
 * itself, so neither tracking nor subscription outlives the other.
 *
 *   ready → CLIENT ID → CLIENT TRACKING ON REDIRECT self BCAST PREFIX … → SUBSCRIBE → armed
 *   close, or a PING unanswered → lost → connect again with backoff → ready …
 *
 * A connection that has subscribed takes no further prefixes over RESP2: other prefixes need another connection, see
 * replaceable-feed.ts. Further channels it takes at any time.
 */
import type { Redis } from 'ioredis';
import type { SchedulerLike, Subscription } from 'rxjs';
import { monotonic } from '../../base/clock.ts';
import { backoff, connectAgain } from './client.ts';

const CHANNEL = '__redis__:invalidate';
/** Time between two PINGs, ms: without them a dead connection looks like one without changes. */
const PING_INTERVAL = 1000;

export interface FeedEvents {
  armed(): void;
  /** Called for every failed attempt too, with its error. */
  lost(error: unknown): void;
  keys(keys: Buffer[]): void;
  flushed(): void;
  /** A message of a channel in `channels`. */
  message(text: string): void;
}

/** What feeds are to report; it may change at any time. */
export interface FeedSubjects {
  /** Of keys. */
  readonly prefixes: readonly string[];
  readonly channels: ReadonlySet<string>;
}

export class RedisFeed {
  readonly #client: Redis;
  readonly #subjects: () => FeedSubjects;
  /** Of this connection. */
  #prefixes: readonly string[] = [];
  #channels: ReadonlySet<string> = new Set();
  readonly #events: FeedEvents;
  readonly #scheduler: SchedulerLike;
  #armed = false;
  #closed = false;
  /** Failures since the last PONG; ioredis counts only failures to connect, and would retry a refused SUBSCRIBE at once. */
  #failures = 0;
  #lastError: unknown;
  #pings: Subscription | undefined;
  /** Time of the last PING on the clock of `clock.ts`, and the round trip of the last answered one, ms. */
  #askedAt = monotonic();
  #answered = true;
  #took = 0;

  /** @param open makes the unconnected client with the given retry strategy */
  constructor(
    open: (retryStrategy: () => number) => Redis,
    subjects: () => FeedSubjects,
    events: FeedEvents,
    scheduler: SchedulerLike,
  ) {
    this.#subjects = subjects;
    this.#events = events;
    this.#scheduler = scheduler;
    this.#client = open(() => backoff(this.#failures++));
    this.#client.on('error', (error: unknown) => (this.#lastError = error));
    this.#client.on('connect', () => (this.#lastError = undefined));
    this.#client.on('ready', () => void this.#arm());
    const lost = (): void => {
      this.#lose();
    };
    this.#client.on('close', lost);
    connectAgain(this.#client, () => this.#closed, lost);
    this.#client.on('messageBuffer', (channel: Buffer, payload: unknown) => {
      if (channel.toString() === CHANNEL) this.#receive(payload);
      else if (Buffer.isBuffer(payload)) this.#events.message(payload.toString());
    });
  }

  get armed(): boolean {
    return this.#armed;
  }

  /** The prefixes that it reports when it is armed. */
  get prefixes(): readonly string[] {
    return this.#prefixes;
  }

  /** Delay of notifications, ms: the PONG queues behind them. Grows while the last PING has no answer. */
  get lag(): number {
    const since = monotonic() - this.#askedAt;
    return this.#answered ? this.#took : Math.max(this.#took, since);
  }

  start(): void {
    // A failure is also reported by an event.
    this.#client.connect().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#pings?.unsubscribe();
    this.#client.disconnect();
  }

  /** Subscribes to the channels of `subjects`; without a connection that happens when there is one. */
  async listen(): Promise<void> {
    if (!this.#armed) return;
    const { channels } = this.#subjects();
    const before = this.#channels;
    this.#channels = channels;
    const more = [...channels].filter((one) => !before.has(one));
    const fewer = [...before].filter((one) => !channels.has(one));
    try {
      if (more.length > 0) await this.#client.subscribe(...more);
      if (fewer.length > 0) await this.#client.unsubscribe(...fewer);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Resolves when what the server has reported so far was received, or the connection is lost. */
  async drain(): Promise<void> {
    if (this.#armed) await this.#client.ping().catch(() => undefined);
  }

  async #arm(): Promise<void> {
    const { prefixes, channels } = this.#subjects();
    this.#prefixes = prefixes;
    this.#channels = channels;
    try {
      const id = await this.#client.client('ID');
      const words = prefixes.flatMap((prefix) => ['PREFIX', prefix]);
      await this.#client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...words);
      await this.#client.subscribe(CHANNEL, ...channels);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#closed) return;
    this.#armed = true;
    this.#ping();
    void this.listen();
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
          // Arming does not reset the backoff: a server may break every armed feed.
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
    // The `close` event reports the error.
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
    // A malformed invalidation may concern any key: the feed starts again, which reports a gap.
    else this.#fail(new Error('malformed reply: an invalidation that names no keys'));
  }
}
