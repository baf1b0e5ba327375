/** Commands that write and list records, for the command line: one connection, opened, used and closed. */
import { type ChainableCommander, type Cluster, Redis } from 'ioredis';
import { RuntimeFailure, UsageError } from '../../base/errors.ts';
import type { Vni } from '../../base/vocabulary.ts';
import { clusterClient, redisClient } from './client.ts';
import { RedisKeys } from './keys.ts';
import { LONGEST_READ } from './oversized.ts';
import { isAftermath, isNotPermitted, isWrongDatabase, isWrongType, redisReason } from './reason.ts';
import { membersOf, scanKeys } from './scan.ts';
import type { RedisTarget } from './url.ts';

/** A person waits, so there is time for a server that is busy; the daemon's 200 ms are for packets that wait. */
const DEADLINE = 1500;
/** Commands sent at once. */
const BATCH = 512;
/** Of a set that is read: ten times what the daemon looks at. */
const MOST_MEMBERS = 655_360;
/** Attempts at a transaction that others disturb. */
const MOST_ATTEMPTS = 10;

export class RedisWriter {
  readonly keys: RedisKeys;
  readonly client: Redis | Cluster;
  readonly #target: RedisTarget;

  /** @throws RuntimeFailure in one line when Redis cannot be reached or refuses; so do all others */
  static async use<T>(
    target: RedisTarget,
    keyPrefix: string,
    act: (writer: RedisWriter) => Promise<T>,
  ): Promise<T> {
    const writer = new RedisWriter(target, keyPrefix);
    let lastError: unknown;
    for (const event of ['error', 'node error']) {
      writer.client.on(event, (error: unknown) => {
        if (lastError === undefined || !isAftermath(error)) lastError = error;
      });
    }
    try {
      await withinDeadline(writer.client.connect());
      // Connected all the same; a database that is not there is found out only now.
      if (!(lastError instanceof Error && isWrongDatabase(lastError))) lastError = undefined;
      return await act(writer);
    } catch (error) {
      if (error instanceof RuntimeFailure || error instanceof UsageError) throw error;
      throw new RuntimeFailure(`Redis: ${redisReason(lastError ?? error, target)}`, { cause: error });
    } finally {
      writer.client.disconnect();
    }
  }

  private constructor(target: RedisTarget, keyPrefix: string) {
    this.#target = target;
    this.keys = new RedisKeys(keyPrefix);
    const patient = { commandTimeout: DEADLINE, socketTimeout: DEADLINE, connectTimeout: DEADLINE };
    const once = { ...patient, retryStrategy: () => null, sentinelRetryStrategy: () => null };
    this.client =
      target.where.kind === 'cluster' ? clusterClient(target, patient) : redisClient(target, once);
  }

  /** Every key of a VNI, or of all, in no order and perhaps some twice, by the thousand. Never KEYS, which stops the server. */
  scan(vni?: Vni): AsyncGenerator<Buffer[]> {
    return scanKeys(this.client, this.keys.pattern(vni));
  }

  /**
   * Values of keys of one VNI, in their order, each as far as a record may reach and one further: MGET would read one of 512 MB
   * whole. An empty value is none, like one of another type.
   */
  async values(keys: string[]): Promise<(string | null)[]> {
    const values: (string | null)[] = [];
    for (let from = 0; from < keys.length; from += BATCH) {
      const some = keys.slice(from, from + BATCH);
      const asked = this.client.pipeline();
      for (const key of some) asked.getrange(key, 0, LONGEST_READ - 1);
      const replies = (await asked.exec()) ?? [];
      // Rights that were given before values were read with a bound.
      if (replies.some(([error]) => isNotPermitted(error))) values.push(...(await this.client.mget(some)));
      else values.push(...replies.map(([error, value]) => valueOf(error, value)));
    }
    return values;
  }

  /**
   * The prefixes that a VNI's set names, at most so many; nothing where it is not a set.
   * @throws what the server says
   */
  async members(vni: Vni): Promise<string[] | undefined> {
    const members = new Set<string>();
    try {
      for await (const page of membersOf(this.client, this.keys.leases(vni)))
        for (const one of page) if (members.size < MOST_MEMBERS) members.add(one);
    } catch (error) {
      if (isWrongType(error)) return undefined;
      throw error;
    }
    return [...members];
  }

  /** Seconds until each of a VNI's keys expires, nothing for those that do not. */
  async ttls(keys: string[]): Promise<(number | undefined)[]> {
    const ttls: (number | undefined)[] = [];
    for (let from = 0; from < keys.length; from += BATCH) {
      const asked = this.client.pipeline();
      for (const key of keys.slice(from, from + BATCH)) asked.pttl(key);
      for (const [error, ttl] of (await asked.exec()) ?? []) {
        if (error !== null) throw error;
        ttls.push(typeof ttl === 'number' && ttl >= 0 ? ttl / 1000 : undefined);
      }
    }
    return ttls;
  }

  /**
   * Reads, then writes in one MULTI what `prepare` made of it; again from the start where a watched key changed
   * meanwhile.
   */
  async transaction<T>(watched: string[], prepare: (multi: ChainableCommander) => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      await this.client.watch(watched);
      const multi = this.client.multi();
      const result = await prepare(multi);
      const replies = await multi.exec();
      if (replies === null) continue;
      const failed = replies.find(([error]) => error !== null)?.[0];
      if (failed != null) throw failed;
      return result;
    }
    throw new RuntimeFailure(`Redis: ${this.#target.name}: somebody else keeps writing the same records`);
  }

  /** The server's clock in milliseconds, by which the scores of VTEPs are judged. */
  async now(): Promise<number> {
    const node = this.client instanceof Redis ? this.client : this.client.nodes('master')[0];
    const [seconds = 0, microseconds = 0] = (await node?.time()) ?? [];
    return seconds * 1000 + microseconds / 1000;
  }
}

async function withinDeadline<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('Command timed out'));
    }, DEADLINE);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function valueOf(error: Error | null, value: unknown): string | null {
  if (error !== null && !isWrongType(error)) throw error;
  return error === null && typeof value === 'string' && value !== '' ? value : null;
}
