/**
 * Which addresses of the followed VNIs have an `ip:` record: known completely, or not at all. A record wins over any lease,
 * so a lease may answer without a question to Redis only where it is known that no record does. Learned by one SCAN where
 * the directory is small, and kept by the feed: an address that it names is asked for from then on, whatever became of it.
 */
import type { Ip, Vni } from '../../base/vocabulary.ts';
import type { RedisKeys } from './keys.ts';
import type { RedisReader } from './reader.ts';

/** Keys of the whole server beyond which it is not scanned, and addresses beyond which they are not remembered. */
const MOST = 50_000;

export class RedisRecorded {
  readonly #reader: RedisReader;
  readonly #keys: RedisKeys;
  #addresses = new Map<Vni, Set<Ip>>();
  #count = 0;
  #complete = false;
  /** Begun, perhaps ended, and not in vain. */
  #tried = false;
  /** Of what is known; a SCAN that ends in another one has learned nothing. */
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

  /** The feed may have missed something, or other VNIs are followed. */
  forget(): void {
    this.#generation++;
    this.#addresses = new Map();
    this.#count = 0;
    this.#complete = this.#tried = false;
  }

  /** Learns the addresses of these VNIs, once until forgotten. Never rejects: what cannot be learned is asked for. */
  async learn(vnis: ReadonlySet<Vni>): Promise<void> {
    if (this.#tried) return;
    this.forget();
    this.#tried = true;
    const generation = this.#generation;
    // From here on the feed adds to them, too.
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
      // The server went away, and with it the feed, or is slow: the next one who asks tries again.
      if (generation === this.#generation) this.#tried = false;
    }
  }
}
