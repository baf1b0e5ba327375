/**
 * Which addresses of the followed VNIs have an `ip:` record: all are known, or none. A record takes precedence over any
 * lease, so a lease may answer without a lookup only if the address is known to have no record. One SCAN reads the
 * addresses if the directory is small; the feed adds those it names, even if their record was deleted.
 */
import type { Ip, Vni } from '../../base/vocabulary.ts';
import type { RedisKeys } from './keys.ts';
import type { RedisReader } from './reader.ts';

/** A server with more keys is not scanned; more addresses are not kept. */
const MOST = 50_000;

export class RedisRecorded {
  readonly #reader: RedisReader;
  readonly #keys: RedisKeys;
  #addresses = new Map<Vni, Set<Ip>>();
  #count = 0;
  #complete = false;
  /** A SCAN was started and has not failed. */
  #tried = false;
  /** Changes when the addresses are forgotten; a SCAN of an earlier generation is discarded. */
  #generation = 0;

  constructor(reader: RedisReader, keys: RedisKeys) {
    this.#reader = reader;
    this.#keys = keys;
  }

  lacks(vni: Vni, ip: Ip): boolean {
    return this.#complete && this.#addresses.get(vni)?.has(ip) === false;
  }

  /** The feed names a record of this address. */
  heard(vni: Vni, ip: Ip): void {
    const addresses = this.#addresses.get(vni);
    if (addresses === undefined || addresses.has(ip)) return;
    addresses.add(ip);
    if (++this.#count <= MOST) return;
    this.forget();
    this.#tried = true;
  }

  /** The feed may have missed changes, or other VNIs are followed. */
  forget(): void {
    this.#generation++;
    this.#addresses = new Map();
    this.#count = 0;
    this.#complete = this.#tried = false;
  }

  /** Scans for the addresses of these VNIs, once until `forget`. Never rejects: unknown addresses are looked up. */
  async learn(vnis: ReadonlySet<Vni>): Promise<void> {
    if (this.#tried) return;
    this.forget();
    this.#tried = true;
    const generation = this.#generation;
    // The feed adds addresses from here on.
    for (const vni of vnis) this.#addresses.set(vni, new Set());
    try {
      const size = await this.#reader.size();
      if (size === undefined || size > MOST) {
        if (generation === this.#generation) this.#addresses.clear();
        return;
      }
      for await (const page of this.#reader.keys(`${this.#keys.prefix}*`)) {
        if (generation !== this.#generation) return;
        for (const raw of page) {
          const found = this.#keys.decode(raw, vnis);
          if (found?.what === 'record' && found.key.kind === 'ip')
            this.heard(found.key.vni, found.key.address);
        }
      }
      this.#complete = generation === this.#generation;
    } catch {
      // The server is down or slow: the next call tries again.
      if (generation === this.#generation) this.#tried = false;
    }
  }
}
