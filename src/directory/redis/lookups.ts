/**
 * Lookups of records (MGET) on a client of their own: no SCAN page and no script delays a miss, and replies have narrow
 * bounds.
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
 * A full MGET of records takes 46 kB; a value that is cut is no record. UTF-8 takes at most three bytes per UTF-16 code
 * unit, so a cut value still has at least LONGEST_READ characters.
 */
const BOUNDS: Bounds = { value: 3 * LONGEST_READ, reply: 1024 * 1024 };

export class RedisLookups {
  readonly #connection: RedisConnection;
  readonly #deadline = new Deadline();
  /** Connections lost since the last reply; ioredis counts only failures to connect. */
  #failures = 0;

  constructor(target: RedisTarget, events: ConnectionEvents) {
    this.#connection = new RedisConnection(this.#open(target), events);
  }

  /** Whether commands can be sent. */
  get isReady(): boolean {
    return this.#connection.isReady;
  }

  start(): void {
    this.#connection.start();
  }

  close(): void {
    this.#connection.close();
  }

  /** Reads the slot map again: the masters of a cluster may have changed. */
  refresh(): void {
    const { client } = this.#connection;
    if (client instanceof Cluster && client.status === 'ready') client.refreshSlotsCache();
  }

  /**
   * Values in the order of the keys; in a cluster all keys must be in one slot.
   * @throws the error reply, or a timeout
   */
  mget(keys: string[]): Promise<Values> {
    return this.#send(this.#connection.client, 'mget', keys).then((reply) => {
      if (!isValues(reply, keys.length)) throw this.#misled();
      this.#failures = 0;
      return reply;
    });
  }

  /** Resolves when the server, or every master of a cluster, has answered. @throws the error reply, or a timeout */
  async ping(): Promise<void> {
    const { servers } = this.#connection;
    if (!this.isReady || servers.length === 0) throw new Error('Connection is closed.');
    const replies = await Promise.all(servers.map((server) => this.#send(server, 'ping')));
    if (replies.some((reply) => reply !== 'PONG')) throw this.#misled();
    this.#failures = 0;
  }

  #open(target: RedisTarget): Redis | Cluster {
    // deadline.ts limits the time of lookups.
    const more = { commandTimeout: undefined };
    if (target.where.kind === 'cluster') {
      const cluster = clusterClient(target, more);
      cluster.on('+node', (node: Redis) => {
        boundReplies(node, BOUNDS);
      });
      return cluster;
    }
    // The first attempt is immediate if the connection had answered before, as after an oversized reply.
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

  /** A reply to another command: later replies may be shifted too, so the connection ends. In a cluster the sender is unknown, so all end. */
  #misled(): Error {
    const error = new Error('malformed reply: to another question');
    this.#connection.note(error);
    for (const { stream } of this.#connection.servers as { stream: Redis['stream'] | undefined }[])
      stream?.destroy();
    return error;
  }
}

/** A broken server may reply with other types than ioredis declares. */
const isValues = (reply: unknown, count: number): reply is Values =>
  Array.isArray(reply) &&
  reply.length === count &&
  reply.every((one) => one === null || typeof one === 'string');
