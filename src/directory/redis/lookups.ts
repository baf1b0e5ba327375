/**
 * Reading values, and nothing else, on a client of its own: neither a page of a SCAN nor a script stands in the way of a
 * packet that waits, and the replies have bounds that are narrow.
 */
import { Cluster, Command, type Redis } from 'ioredis';
import type { Values } from '../directory.ts';
import { backoff, clusterClient, redisClient } from './client.ts';
import { RedisConnection, type ConnectionEvents } from './connection.ts';
import { Deadline } from './deadline.ts';
import { LONGEST_READ } from './oversized.ts';
import { boundReplies } from './reply-guard.ts';
import type { Bounds } from './reply-bound.ts';
import type { RedisTarget } from './url.ts';

/**
 * A full MGET of records takes 46 kB; what is cut off would be no record. Of UTF-8 no more than three bytes stand for one
 * character of a string (four for two), so what is cut off still counts as too long.
 */
const BOUNDS: Bounds = { value: 3 * LONGEST_READ, reply: 1024 * 1024 };

export class RedisLookups {
  readonly #connection: RedisConnection;
  readonly #deadline = new Deadline();
  /** Connections that were lost since the last answer; ioredis counts only failures to connect. */
  #failures = 0;

  constructor(target: RedisTarget, events: ConnectionEvents) {
    this.#connection = new RedisConnection(this.#open(target), events);
  }

  /** Whether it can be asked. */
  get isReady(): boolean {
    return this.#connection.isReady;
  }

  start(): void {
    this.#connection.start();
  }

  close(): void {
    this.#connection.close();
  }

  /** The masters of a cluster may be others now. */
  refresh(): void {
    const { client } = this.#connection;
    if (client instanceof Cluster && client.status === 'ready') client.refreshSlotsCache();
  }

  /**
   * Values in the order of the keys, of a cluster all in one slot.
   * @throws what the server says, or that it says nothing
   */
  mget(keys: string[]): Promise<Values> {
    return this.#send(this.#connection.client, 'mget', keys).then((reply) => {
      if (!isValues(reply, keys.length)) throw this.#misled();
      this.#failures = 0;
      return reply;
    });
  }

  /** Resolves when the server has answered, of a cluster every master. @throws what it says, or that it says nothing */
  async ping(): Promise<void> {
    const { servers } = this.#connection;
    if (!this.isReady || servers.length === 0) throw new Error('Connection is closed.');
    const replies = await Promise.all(servers.map((server) => this.#send(server, 'ping')));
    if (replies.some((reply) => reply !== 'PONG')) throw this.#misled();
    this.#failures = 0;
  }

  #open(target: RedisTarget): Redis | Cluster {
    // See deadline.ts.
    const more = { commandTimeout: undefined };
    if (target.where.kind === 'cluster') {
      const cluster = clusterClient(target, more);
      cluster.on('+node', (node: Redis) => {
        boundReplies(node, BOUNDS);
      });
      return cluster;
    }
    // At once where it was of use before, as after a reply that was too large.
    const retryStrategy = () => (this.#failures++ === 0 ? 0 : backoff(this.#failures));
    const client = redisClient(target, { ...more, retryStrategy });
    boundReplies(client, BOUNDS);
    return client;
  }

  #send(client: Redis | Cluster, name: string, words: string[] = []): Promise<unknown> {
    const command = new Command(name, words, { replyEncoding: 'utf8' });
    this.#deadline.watch(command);
    return client.sendCommand(command) as Promise<unknown>;
  }

  /** The answer was to another question, and so may all be that follow; of a cluster it is not known whose it was. */
  #misled(): Error {
    const error = new Error('malformed reply: to another question');
    this.#connection.note(error);
    for (const { stream } of this.#connection.servers as { stream: Redis['stream'] | undefined }[])
      stream?.destroy();
    return error;
  }
}

/** The types of ioredis say what a server answers; one that is broken answers something else. */
const isValues = (reply: unknown, count: number): reply is Values =>
  Array.isArray(reply) &&
  reply.length === count &&
  reply.every((one) => one === null || typeof one === 'string');
