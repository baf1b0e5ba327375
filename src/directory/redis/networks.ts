/**
 * Networks in Redis. The record `{VNI}:network` is authoritative; the hash `networks` (name to VNI) is an index, which is
 * repaired where it differs. The index lies in another slot of a cluster, so the two cannot be written in one step.
 */
import type { Cluster, Redis } from 'ioredis';
import type { Vni } from '../../base/vocabulary.ts';
import type { Network } from '../network.ts';
import { parseNetwork } from '../network-schema.ts';
import { HIGHEST_VNI, type RedisKeys } from './keys.ts';
import { isWrongType } from './reason.ts';
import { scanKeys } from './scan.ts';

/** A record of a network as it stands in Redis. */
export interface StoredNetwork {
  vni: Vni;
  value: string;
}

/** Longest value that is read, bytes: a network with some hundred anycast addresses. */
const LONGEST = 16 * 1024;

/**
 * Sets, changes or removes a name in the index if it has the expected VNI (or none, empty text) now.
 * KEYS[1]: the index. ARGV: name; expected VNI; new VNI, or empty to remove the name. Returns the VNI before, or an empty text.
 */
const INDEX_NAME = `
local before = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if before == ARGV[2] and before ~= ARGV[3] then
  if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
end
return before`;

export class RedisNetworks {
  readonly #client: Redis | Cluster;
  readonly #keys: RedisKeys;

  /** @param client whose errors every method throws */
  constructor(client: Redis | Cluster, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /**
   * By the index, else by a scan of all networks, after which the index is right.
   * @throws UsageError for a record that cannot be used
   */
  async named(name: string): Promise<Network | undefined> {
    const found = await this.find(name);
    return found === undefined ? undefined : parseNetwork(found.value, found.vni);
  }

  /** Like `named`, of a record that may be malformed otherwise. */
  async find(name: string): Promise<StoredNetwork | undefined> {
    const indexed = await this.#indexed(name);
    const stored = indexed === undefined ? undefined : await this.record(indexed);
    if (stored !== undefined && nameOf(stored) === name) return stored;
    const found = (await this.all()).find((one) => nameOf(one) === name);
    if (indexed !== found?.vni) await this.index(name, indexed, found?.vni);
    return found;
  }

  /**
   * Changes the index if it says what is expected.
   * @returns the VNI that it named before
   */
  async index(name: string, expected: Vni | undefined, vni: Vni | undefined): Promise<Vni | undefined> {
    const words = [name, expected ?? '', vni ?? ''];
    return vniFrom(await this.#client.eval(INDEX_NAME, 1, this.#keys.networkIndex, ...words));
  }

  async #indexed(name: string): Promise<Vni | undefined> {
    return vniFrom(await this.#client.hget(this.#keys.networkIndex, name));
  }

  async record(vni: Vni): Promise<StoredNetwork | undefined> {
    try {
      const value = await this.#client.getrange(this.#keys.network(vni), 0, LONGEST - 1);
      return value === '' ? undefined : { vni, value };
    } catch (error) {
      if (isWrongType(error)) return { vni, value: '' };
      throw error;
    }
  }

  /** Every record of a network, by VNI. */
  async all(): Promise<StoredNetwork[]> {
    const vnis = new Set<Vni>();
    for await (const page of scanKeys(this.#client, this.#keys.networkPattern))
      for (const key of page) {
        const vni = this.#keys.vniOf(key);
        if (vni !== undefined) vnis.add(vni);
      }
    const stored: StoredNetwork[] = [];
    for (const vni of [...vnis].sort((a, b) => a - b)) {
      const one = await this.record(vni);
      if (one !== undefined) stored.push(one);
    }
    return stored;
  }
}

/** The name that a record says, whatever else is wrong with it. */
export function nameOf({ value }: StoredNetwork): string | undefined {
  try {
    const plain: unknown = JSON.parse(value);
    const name: unknown =
      typeof plain === 'object' && plain !== null && 'name' in plain ? plain.name : undefined;
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
}

function vniFrom(reply: unknown): Vni | undefined {
  const vni = typeof reply === 'string' && /^[1-9]\d{0,7}$/.test(reply) ? Number(reply) : 0;
  return vni >= 1 && vni <= HIGHEST_VNI ? vni : undefined;
}
