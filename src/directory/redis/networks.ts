/**
 * Networks in Redis. The record `{VNI}:network` is authoritative; the hash `networks` (name to VNI) is an index, which is
 * repaired where it differs. The index lies in another slot of a cluster, so the two cannot be written in one step.
 */
import type { Cluster, Redis } from 'ioredis';
import type { Vni } from '../../base/vocabulary.ts';
import type { NetworkRestored } from '../directory.ts';
import type { Network } from '../network.ts';
import { parseNetwork, renderNetwork } from '../network-schema.ts';
import { HIGHEST_VNI, type RedisKeys } from './keys.ts';
import { isWrongType, misled } from './reason.ts';
import { scanKeys } from './scan.ts';
import { RedisScripts } from './scripts.ts';

/** A record of a network as it stands in Redis. */
export interface StoredNetwork {
  vni: Vni;
  value: string;
}

/** Longest value that is read, bytes: a network with some hundred anycast addresses. */
const LONGEST = 16 * 1024;

export class RedisNetworks {
  readonly #client: Redis | Cluster;
  readonly #keys: RedisKeys;
  readonly #scripts: RedisScripts;

  /** @param client whose errors every method throws */
  constructor(client: Redis | Cluster, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
    this.#scripts = new RedisScripts(client);
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
    const indexed = (await this.#client.hget(this.#keys.networkIndex, name)) ?? '';
    const stored = await this.at(indexed);
    if (stored !== undefined && nameOf(stored) === name) return stored;
    const found = (await this.all()).find((one) => nameOf(one) === name);
    if (indexed !== '' || found !== undefined) await this.index(name, indexed, found?.vni);
    return found;
  }

  /** The record that a value of the index leads to. */
  async at(indexed: string): Promise<StoredNetwork | undefined> {
    const vni = vniFrom(indexed);
    return vni === undefined ? undefined : this.record(vni);
  }

  /** See `Directory.restoreNetwork`. */
  async restore(network: Network): Promise<NetworkRestored> {
    const { name, vni } = network;
    const value = renderNetwork(network);
    const keys = [this.#keys.network(vni), this.#keys.prefixes(vni)];
    const before = await this.#scripts.run('restore-network', keys, [
      value,
      network.mode === 'routed' ? 1 : 0,
    ]);
    if (before !== '' && before !== value) return 'other';
    // Also repairs the index.
    await this.find(name);
    return before === '' ? 'restored' : 'there';
  }

  /**
   * Changes the index if it says what is expected.
   * @param expected value of the index, empty for none
   * @returns the value before
   */
  async index(name: string, expected: string, vni: Vni | undefined): Promise<string> {
    const before = await this.#scripts.run(
      'index-network',
      [this.#keys.networkIndex],
      [name, expected, vni ?? ''],
    );
    return typeof before === 'string' ? before : misled('EVALSHA');
  }

  /** Makes the index say what the records say. */
  async repair(stored: readonly StoredNetwork[]): Promise<void> {
    const right = new Map<string, Vni>();
    for (const one of [...stored].reverse()) {
      const name = nameOf(one);
      if (name !== undefined) right.set(name, one.vni);
    }
    const index = await this.#client.hgetall(this.#keys.networkIndex);
    for (const name of new Set([...right.keys(), ...Object.keys(index)])) {
      const indexed = index[name] ?? '';
      // Of two networks with one name the index names one.
      if (stored.some((one) => String(one.vni) === indexed && nameOf(one) === name)) continue;
      await this.index(name, indexed, right.get(name));
    }
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

function vniFrom(text: string): Vni | undefined {
  const vni = /^[1-9]\d{0,7}$/.test(text) ? Number(text) : 0;
  return vni >= 1 && vni <= HIGHEST_VNI ? vni : undefined;
}
