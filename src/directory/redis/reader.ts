/** Reading from one server or from a cluster: values by key, sets, and whether it answers at all. */
import { Cluster } from 'ioredis';
import { from, lastValueFrom, mergeMap, type SchedulerLike, type Subscription } from 'rxjs';
import { DirectoryError, type Values } from '../directory.ts';
import { clusterClient, redisClient } from './client.ts';
import { probeCluster, withDeadline } from './cluster.ts';
import { RedisConnection } from './connection.ts';
import { RedisLookups } from './lookups.ts';
import { LONGEST_READ, OversizedValues } from './oversized.ts';
import { isNotPermitted, isOversized, isTimeout, isWrongType, redisReason } from './reason.ts';
import { TAKE_PART, takePartArguments } from './members.ts';
import { membersOf, scanKeys } from './scan.ts';
import type { RedisTarget } from './url.ts';

/** Keys in one MGET. Two in flight keep server and client both busy: 0.97 µs a key, and no single one blocks the server for long. */
const MGET_KEYS = 512;
const MGETS_IN_FLIGHT = 2;
/** How often an idle connection is asked whether it is still there. */
const PROBE_INTERVAL = 1000;

export class RedisReader {
  readonly #connection: RedisConnection;
  readonly #target: RedisTarget;
  readonly #answering: (reason: string | undefined) => void;
  readonly #scheduler: SchedulerLike;
  readonly #lookups: RedisLookups;
  readonly #oversized = new OversizedValues();
  #probes: Subscription | undefined;
  #closed = false;

  /** @param answering is told the reason when the server stops answering, and nothing when it answers; also repeatedly */
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
        // Not before: while a server refuses, one connection is enough to learn it.
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
        // The server answers, if too much, and is asked again at once.
        if (!isOversized(error) || !this.#connection.isReady) this.#fail(error);
      },
    });
    this.cluster?.on('refresh', () => {
      this.#lookups.refresh();
    });
  }

  /** Present when the target is a cluster. */
  get cluster(): Cluster | undefined {
    return this.#client instanceof Cluster ? this.#client : undefined;
  }

  get #client() {
    return this.#connection.client;
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
    return keys.length === 0 ? Promise.resolve([]) : this.#read(keys).catch(this.#refuse);
  }

  async #valuesOfMany(keys: string[], tags: number[]): Promise<Values> {
    const values = Array<string | null>(keys.length).fill(null);
    const inFlight = this.cluster === undefined ? MGETS_IN_FLIGHT : Infinity;
    const batches = this.#batches(tags);
    await this.#asked(() =>
      lastValueFrom(
        from(batches).pipe(
          mergeMap(async (indices) => {
            const read = await this.#read(indices.map((index) => keys[index] ?? ''));
            for (const [at, index] of indices.entries()) values[index] = read[at] ?? null;
          }, inFlight),
        ),
        { defaultValue: undefined },
      ),
    );
    return values;
  }

  /** Of a set, by the thousand and some perhaps twice. @throws DirectoryError */
  async *members(key: string): AsyncGenerator<string[]> {
    const pages = membersOf(this.#client, key);
    for (;;) {
      const page = await this.#asked(() => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  /** The feed names a key: what it holds now is not known. */
  heard(key: string): void {
    this.#oversized.heard(key);
  }

  /** The feed may have missed something. */
  heardOfAll(): void {
    this.#oversized.heardOfAll();
  }

  /** Whether no key but one matches; ends at the first that does. @throws DirectoryError */
  none(pattern: string, except: string): Promise<boolean> {
    return this.#asked(async () => {
      for await (const keys of scanKeys(this.#client, pattern))
        if (keys.some((key) => key.toString() !== except)) return false;
      return true;
    });
  }

  /** Renews these members of a set for so long and reads it. @throws DirectoryError */
  takePart(key: string, members: readonly string[], milliseconds: number): Promise<string[]> {
    return this.#asked(async () => {
      const argv = takePartArguments(members, milliseconds);
      const taking: unknown = await this.#client.eval(TAKE_PART, 1, key, ...argv);
      return isTexts(taking) ? taking : misled('EVAL');
    });
  }

  /** @throws DirectoryError */
  leave(key: string, members: readonly string[]): Promise<void> {
    return this.#asked(async () => {
      if (members.length > 0) await this.#client.zrem(key, ...members);
    });
  }

  /** How many keys of any kind the server has; undefined of a cluster. @throws DirectoryError */
  async size(): Promise<number | undefined> {
    const client = this.#client;
    if (client instanceof Cluster) return undefined;
    const size: unknown = await this.#asked(() => client.dbsize());
    return typeof size === 'number' ? size : undefined;
  }

  /** Keys that match, by the thousand and some perhaps twice. @throws DirectoryError */
  async *keys(pattern: string): AsyncGenerator<Buffer[]> {
    const pages = scanKeys(this.#client, pattern);
    for (;;) {
      const page = await this.#asked(() => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  /** Keys of one VNI that begin like this, some perhaps twice, with their values. @throws DirectoryError */
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

  #read(keys: string[]): Promise<Values> {
    return this.#oversized.concerns(keys) ? this.#readApart(keys) : this.#readWhole(keys);
  }

  #readWhole(keys: string[]): Promise<Values> {
    return this.#lookups.mget(keys).then(
      (values) => {
        for (const [index, value] of values.entries())
          if (value !== null && value.length >= LONGEST_READ) this.#oversized.note(keys[index] ?? '', value);
        return values;
      },
      (error: unknown) => {
        if (isOversized(error)) return this.#readRanges(keys);
        if (isTimeout(error)) this.#oversized.suspect(keys);
        throw error;
      },
    );
  }

  /** Those that are known from memory, those that are suspect with a bound, and the others whole. */
  async #readApart(keys: string[]): Promise<Values> {
    const suspects = keys.filter((key) => this.#oversized.isSuspect(key));
    const others = keys.filter(
      (key) => !this.#oversized.isSuspect(key) && this.#oversized.of(key) === undefined,
    );
    const known = new Map(keys.map((key) => [key, this.#oversized.of(key) ?? null]));
    const [ranges, whole] = await Promise.all([
      this.#readRanges(suspects),
      others.length === 0 ? [] : this.#readWhole(others),
    ]);
    for (const [index, key] of suspects.entries()) known.set(key, ranges[index] ?? null);
    for (const [index, key] of others.entries()) known.set(key, whole[index] ?? null);
    return keys.map((key) => known.get(key) ?? null);
  }

  /** What a range cannot tell: an empty value is no value. */
  async #readRanges(keys: string[]): Promise<Values> {
    try {
      const ranges = Promise.all(
        keys.map(async (key) => {
          const bytes: unknown = await this.#client
            .getrangeBuffer(key, 0, LONGEST_READ - 1)
            .catch(noneIfMistyped);
          if (bytes !== null && !Buffer.isBuffer(bytes)) return misled('GETRANGE');
          // As long as in bytes, however few characters they stand for: else it would be taken for a short one.
          const value = bytes?.toString(bytes.length < LONGEST_READ ? 'utf8' : 'latin1') ?? null;
          this.#oversized.note(key, value);
          return value === '' ? null : value;
        }),
      );
      return await (this.cluster === undefined ? ranges : withDeadline(ranges));
    } catch (error) {
      if (isNotPermitted(error)) this.#oversized.forget();
      else this.#oversized.suspect(keys);
      throw error;
    }
  }

  /** Indices of keys that may be read with one MGET. */
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

  async #asked<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await (this.cluster === undefined ? command() : withDeadline(command()));
    } catch (error) {
      return this.#refuse(error);
    }
  }

  readonly #refuse = (error: unknown): never => {
    // One answer that is late says little; whether the next one comes says more.
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
      await (this.#client instanceof Cluster
        ? withDeadline(probeCluster(this.#client))
        : this.#client.ping());
      // Why they cannot be asked lookups tell by themselves.
      if (!this.#lookups.isReady) return;
      await this.#lookups.ping();
      if (!this.#closed) this.#answering(undefined);
    } catch (error) {
      this.#fail(this.#connection.explain(error));
    }
  }

  #fail(error: unknown): void {
    if (!this.#closed) this.#answering(redisReason(error, this.#target));
  }
}

/** As MGET has it. */
function noneIfMistyped(error: unknown): null {
  if (isWrongType(error)) return null;
  throw error;
}

/** The types of ioredis say what a server answers; one that is broken answers something else. */
const isTexts = (reply: unknown): reply is string[] =>
  Array.isArray(reply) && reply.every((one) => typeof one === 'string');
function misled(command: string): never {
  throw new Error(`malformed reply: to ${command}`);
}
