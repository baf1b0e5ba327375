/** A client that reports when it is ready and when it is lost, with the last error. */
import { Cluster, type Redis } from 'ioredis';
import { connectAgain } from './client.ts';
import { isAftermath, isWithoutSentinel } from './reason.ts';

export interface ConnectionEvents {
  ready(): void;
  /** Called for every failed attempt too; not when it is closed on purpose. */
  lost(error: unknown): void;
}

export class RedisConnection {
  readonly client: Redis | Cluster;
  #lastError: unknown;
  #closed = false;

  /** @param client not connected yet */
  constructor(client: Redis | Cluster, events: ConnectionEvents) {
    this.client = client;
    for (const event of ['error', 'node error']) {
      client.on(event, (error: unknown) => {
        this.note(error);
        // The client asks them again and again, and neither connects nor closes.
        if (isWithoutSentinel(error) && !this.#closed) events.lost(this.explain(error));
      });
    }
    const lost = (): void => {
      if (!this.#closed) events.lost(this.explain(new Error('Connection is closed.')));
    };
    connectAgain(client, () => this.#closed, lost);
    client.on('ready', () => {
      events.ready();
    });
    client.on('connect', () => (this.#lastError = undefined));
    client.on('close', lost);
  }

  /** ioredis calls a connection ready until it hears that the socket is closed, which is later than the socket is. */
  get isReady(): boolean {
    const { client } = this;
    return client.status === 'ready' && (client instanceof Cluster || client.stream.writable);
  }

  /** The servers that it asks: of a cluster its masters. */
  get servers(): Redis[] {
    return this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
  }

  /** Connects, the first time that it is called. */
  start(): void {
    if (this.client.status !== 'wait') return;
    // A failure is also reported by an event.
    this.client.connect().catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    this.client.disconnect();
  }

  /** Something went wrong with the connection. */
  note(error: unknown): void {
    if (this.#lastError === undefined || !isAftermath(error)) this.#lastError = error;
  }

  /** The error of the connection, which explains more than that of a command. */
  explain(error: unknown): unknown {
    return this.#lastError ?? error;
  }
}
