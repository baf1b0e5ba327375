/** Reading from one server or from a cluster: values by key, sets, and whether it answers at all. */
import { Cluster, type Redis } from 'ioredis';
import { from, lastValueFrom, mergeMap, type SchedulerLike, type Subscription } from 'rxjs';
import { RuntimeFailure, UsageError } from '../../base/errors.ts';
import { DirectoryError, type Values } from '../directory.ts';
import { BoundedReads } from './bounded-reads.ts';
import { clusterClient, redisClient } from './client.ts';
import { probeCluster, withDeadline } from './cluster.ts';
import { RedisConnection } from './connection.ts';
import { RedisLookups } from './lookups.ts';
import { isOversized, isTimeout, misled, redisReason } from './reason.ts';
import { TAKE_PART, takePartArguments } from './members.ts';
import { membersOf, scanKeys } from './scan.ts';
import type { RedisTarget } from './url.ts';

/** Keys in one MGET. Two in flight keep server and client both busy: 0.97 µs a key, and no single one blocks the server for long. */
const MGET_KEYS = 512;
const MGETS_IN_FLIGHT = 2;
/** Time between two PINGs on a connection, ms. */
const PROBE_INTERVAL = 1000;

const OF_CALLER = [UsageError, RuntimeFailure, DirectoryError];

export class RedisReader {
  readonly #connection: RedisConnection;
  readonly #target: RedisTarget;
  readonly #answering: (reason: string | undefined) => void;
  readonly #scheduler: SchedulerLike;
  readonly #lookups: RedisLookups;
  readonly #reads: BoundedReads;
  #probes: Subscription | undefined;
  #closed = false;

  /** @param answering receives the reason when the server does not answer, undefined when it does; also repeatedly */
  constructor(
    target: RedisTarget,
    answering: (reason: string | undefined) => void,
    scheduler: SchedulerLike,
  ) {
    this.#target = target;
    this.#answering = answering;
    this.#scheduler = scheduler;
    const client = target.where.kind === 'cluster' ? clusterClient(target) : redisClient(target);
    this.#connection = new RedisConnection(client, {
      ready: () => {
        // The second connection waits for the first: while a server refuses, one attempt is enough.
        this.#lookups.start();
        void this.#probe();
      },
      lost: (error) => {
        this.#fail(error);
      },
    });
    this.#lookups = new RedisLookups(target, {
      ready: () => void this.#probe(),
      lost: (error) => {
        // A server that sends too much does answer; lookups connect again at once.
        if (!isOversized(error) || !this.#connection.isReady) this.#fail(error);
      },
    });
    this.#reads = new BoundedReads(this.#lookups, client);
    this.cluster?.on('refresh', () => {
      this.#lookups.refresh();
    });
  }

  /** Present when the target is a cluster. */
  get cluster(): Cluster | undefined {
    return this.client instanceof Cluster ? this.client : undefined;
  }

  start(): void {
    this.#connection.start();
    this.#scheduleProbe();
  }

  close(): void {
    this.#closed = true;
    this.#probes?.unsubscribe();
    this.#lookups.close();
    this.#connection.close();
  }

  /**
   * Values in the order of the keys.
   * @param tags which keys may share an MGET: one number per key, the VNI
   * @throws DirectoryError
   */
  values(keys: string[], tags: number[]): Promise<Values> {
    if (keys.length > MGET_KEYS || (this.cluster !== undefined && tags.some((tag) => tag !== tags[0])))
      return this.#valuesOfMany(keys, tags);
    return keys.length === 0 ? Promise.resolve([]) : this.#reads.read(keys).catch(this.#refuse);
  }

  async #valuesOfMany(keys: string[], tags: number[]): Promise<Values> {
    const values = Array<string | null>(keys.length).fill(null);
    const inFlight = this.cluster === undefined ? MGETS_IN_FLIGHT : Infinity;
    const batches = this.#batches(tags);
    await this.asked(() =>
      lastValueFrom(
        from(batches).pipe(
          mergeMap(async (indices) => {
            const read = await this.#reads.read(indices.map((index) => keys[index] ?? ''));
            for (const [at, index] of indices.entries()) values[index] = read[at] ?? null;
          }, inFlight),
        ),
        { defaultValue: undefined },
      ),
    );
    return values;
  }

  /** Members of a set in pages of about a thousand; a member may appear twice. @throws DirectoryError */
  async *members(key: string): AsyncGenerator<string[]> {
    const pages = membersOf(this.client, key);
    for (;;) {
      const page = await this.asked(() => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  /** The feed names a key: the value may have changed. */
  heard(key: string): void {
    this.#reads.heard(key);
  }

  /** The feed may have missed changes: every value may have changed. */
  heardOfAll(): void {
    this.#reads.heardOfAll();
  }

  /** Whether none of the keys that match the pattern counts; stops at the first that does. @throws DirectoryError */
  none(pattern: string, counts: (key: Buffer) => boolean): Promise<boolean> {
    return this.asked(async () => {
      for await (const keys of scanKeys(this.client, pattern)) if (keys.some(counts)) return false;
      return true;
    });
  }

  /** Renews these members of a sorted set, then reads the set. @throws DirectoryError */
  takePart(key: string, members: readonly string[], milliseconds: number): Promise<string[]> {
    return this.asked(async () => {
      const argv = takePartArguments(members, milliseconds);
      const taking: unknown = await this.client.eval(TAKE_PART, 1, key, ...argv);
      return isTexts(taking) ? taking : misled('EVAL');
    });
  }

  /** @throws DirectoryError */
  leave(key: string, members: readonly string[]): Promise<void> {
    return this.asked(async () => {
      if (members.length > 0) await this.client.zrem(key, ...members);
    });
  }

  /** Number of keys on the server (DBSIZE); undefined for a cluster. @throws DirectoryError */
  async size(): Promise<number | undefined> {
    const client = this.client;
    if (client instanceof Cluster) return undefined;
    const size: unknown = await this.asked(() => client.dbsize());
    return typeof size === 'number' ? size : undefined;
  }

  /** Matching keys in pages of about a thousand; a key may appear twice. @throws DirectoryError */
  async *keys(pattern: string): AsyncGenerator<Buffer[]> {
    const pages = scanKeys(this.client, pattern);
    for (;;) {
      const page = await this.asked(() => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  /** Keys of one VNI with this prefix, and their values; a key may appear twice. @throws DirectoryError */
  async *everything(prefix: string, vni: number): AsyncGenerator<[key: string, value: string | null]> {
    for await (const page of this.keys(`${prefix}*`)) {
      const keys = page.map((key) => key.toString());
      const values = await this.values(
        keys,
        keys.map(() => vni),
      );
      for (const [index, key] of keys.entries()) yield [key, values[index] ?? null];
    }
  }

  /** Indices of the keys of each MGET. */
  #batches(tags: number[]): number[][] {
    const batches: number[][] = [];
    const open = new Map<number, number[]>();
    for (const [index, tag] of tags.entries()) {
      const slot = this.cluster === undefined ? 0 : tag;
      let batch = open.get(slot);
      if (batch === undefined || batch.length === MGET_KEYS) {
        open.set(slot, (batch = []));
        batches.push(batch);
      }
      batch.push(index);
    }
    return batches;
  }

  /**
   * Commands on the connection that is not for lookups. Each has its time limit, all together have none.
   * @throws DirectoryError, and what `commands` throws for its caller as it is
   */
  async ask<T>(commands: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    try {
      return await commands(this.client);
    } catch (error) {
      if (OF_CALLER.some((kind) => error instanceof kind)) throw error;
      return this.#refuse(error);
    }
  }

  /** The client for everything but lookups. */
  get client(): Redis | Cluster {
    return this.#connection.client;
  }

  /** The servers that `client` asks: of a cluster its masters. */
  get servers(): Redis[] {
    return this.#connection.servers;
  }

  /** The answer of `client`, within its time. @throws DirectoryError */
  async asked<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await (this.cluster === undefined ? command() : withDeadline(command()));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  readonly #refuse = (error: unknown): never => {
    // One late reply does not mean that the server is down; a PING decides.
    if (isTimeout(error)) void this.#probe();
    throw new DirectoryError(redisReason(error, this.#target), { cause: error });
  };

  #scheduleProbe(): void {
    this.#probes?.unsubscribe();
    if (!this.#closed) this.#probes = this.#scheduler.schedule(() => void this.#probe(), PROBE_INTERVAL);
  }

  async #probe(): Promise<void> {
    this.#scheduleProbe();
    try {
      if (!this.#connection.isReady && this.cluster === undefined) return;
      await (this.client instanceof Cluster ? withDeadline(probeCluster(this.client)) : this.client.ping());
      // The lookups report their own failures.
      if (!this.#lookups.isReady) return;
      await this.#lookups.ping();
      if (!this.#closed) this.#answering(undefined);
    } catch (error) {
      // The reply to another question was too large: the server answers, and is asked again at once.
      if (isOversized(error) && this.#connection.isReady) return;
      this.#fail(this.#connection.explain(error));
    }
  }

  #fail(error: unknown): void {
    if (!this.#closed) this.#answering(redisReason(error, this.#target));
  }
}

/** A broken server may reply with other types than ioredis declares. */
const isTexts = (reply: unknown): reply is string[] =>
  Array.isArray(reply) && reply.every((one) => typeof one === 'string');
