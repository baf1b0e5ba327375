/** Reads values of which none may be longer than a record, see oversized.ts: in one MGET, or apart with GETRANGE. */
import { Cluster, type Redis } from 'ioredis';
import type { Values } from '../directory.ts';
import { withDeadline } from './cluster.ts';
import type { RedisLookups } from './lookups.ts';
import { LONGEST_READ, OversizedValues } from './oversized.ts';
import { isNotPermitted, isOversized, isTimeout, isWrongType, misled } from './reason.ts';

export class BoundedReads {
  readonly #lookups: RedisLookups;
  readonly #client: Redis | Cluster;
  readonly #oversized = new OversizedValues();

  /** @param client for GETRANGE */
  constructor(lookups: RedisLookups, client: Redis | Cluster) {
    this.#lookups = lookups;
    this.#client = client;
  }

  /** The feed names a key: the value may have changed. */
  heard(key: string): void {
    this.#oversized.heard(key);
  }

  /** The feed may have missed changes: every value may have changed. */
  heardOfAll(): void {
    this.#oversized.heardOfAll();
  }

  /** @throws Error of ioredis */
  read(keys: string[]): Promise<Values> {
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

  /** Takes known oversized values from memory, reads suspect keys with GETRANGE and the others with MGET. */
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

  /** GETRANGE does not tell an empty value from a missing key; both count as missing. */
  async #readRanges(keys: string[]): Promise<Values> {
    try {
      const ranges = Promise.all(
        keys.map(async (key) => {
          const bytes: unknown = await this.#client
            .getrangeBuffer(key, 0, LONGEST_READ - 1)
            .catch(noneIfMistyped);
          if (bytes !== null && !Buffer.isBuffer(bytes)) return misled('GETRANGE');
          // latin1 keeps one character per byte: a cut UTF-8 value would have fewer characters and pass as short.
          const value = bytes?.toString(bytes.length < LONGEST_READ ? 'utf8' : 'latin1') ?? null;
          this.#oversized.note(key, value);
          return value === '' ? null : value;
        }),
      );
      return await (this.#client instanceof Cluster ? withDeadline(ranges) : ranges);
    } catch (error) {
      if (isNotPermitted(error)) this.#oversized.forget();
      else this.#oversized.suspect(keys);
      throw error;
    }
  }
}

/** MGET returns null for a key of another type, too. */
function noneIfMistyped(error: unknown): null {
  if (isWrongType(error)) return null;
  throw error;
}
