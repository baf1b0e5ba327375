/** Networks as the command line creates, lists and removes them. */
import { RuntimeFailure, UsageError } from '../../base/errors.ts';
import type { Ip, Vni } from '../../base/vocabulary.ts';
import type { Network } from '../network.ts';
import { parseNetwork, renderNetwork } from '../network-schema.ts';
import { compareAddresses } from './endpoints.ts';
import { type Assignment, parseAssignment } from './assignment.ts';
import { nameOf, RedisNetworks, type StoredNetwork } from './networks.ts';
import type { RedisWriter } from './writer.ts';

/** Attempts at the index while others change it. */
const MOST_ATTEMPTS = 10;

export const networksOf = ({ client, keys }: RedisWriter): RedisNetworks => new RedisNetworks(client, keys);

/**
 * Of several that create a network of one name or one VNI at once, one succeeds.
 * @throws RuntimeFailure when name or VNI is taken
 */
export async function createNetwork(redis: RedisWriter, network: Network): Promise<void> {
  const { name, vni } = network;
  const { client, keys } = redis;
  const networks = networksOf(redis);
  const exists = (of: Vni): RuntimeFailure =>
    new RuntimeFailure(`network ${name} exists already, with VNI ${of}`);
  const there = await networks.find(name);
  if (there !== undefined) throw exists(there.vni);
  if ((await client.set(keys.network(vni), renderNetwork(network), 'NX')) === null) {
    const other = await networks.record(vni);
    const owner = other && nameOf(other);
    if (owner === name) throw exists(vni);
    throw new RuntimeFailure(
      `VNI ${vni} is taken by ${owner === undefined ? 'a malformed network' : `network ${owner}`}`,
    );
  }
  let expected = '';
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const before = await networks.index(name, expected, vni);
    if (before === expected || before === String(vni)) return;
    // Another VNI got this name meanwhile, or a removed network left it behind.
    const other = await networks.at(before);
    if (other !== undefined && nameOf(other) === name) {
      await client.del(keys.network(vni));
      throw exists(other.vni);
    }
    expected = before;
  }
  await client.del(keys.network(vni));
  throw new RuntimeFailure(`network ${name}: somebody else keeps writing the same name`);
}

/** @throws RuntimeFailure when there is none */
export async function storedNetwork(redis: RedisWriter, name: string): Promise<StoredNetwork> {
  const stored = await networksOf(redis).find(name);
  if (stored === undefined) throw new RuntimeFailure(`there is no network ${name}`);
  return stored;
}

/** A host that took a lease in a network. */
export interface ListedHost {
  id: string;
  /** Absent when the lease has ended. */
  vtep?: Ip;
  /** Seconds until the lease ends unless it is renewed. */
  remaining?: number;
}

/** By id. */
export async function listHosts({ client, keys }: RedisWriter, vni: Vni): Promise<ListedHost[]> {
  const listed: ListedHost[] = [];
  for (const id of (await client.hkeys(keys.hosts(vni))).sort()) {
    const lease = await client.get(keys.host(vni, id));
    const remaining = await client.pttl(keys.host(vni, id));
    listed.push(
      lease === null || remaining < 0
        ? { id }
        : { id, vtep: lease.split(' ')[2] ?? '', remaining: remaining / 1000 },
    );
  }
  return listed;
}

export type ListedPrefix = { cidr: string } & Assignment;

/** By address. */
export async function listPrefixes({ client, keys }: RedisWriter, vni: Vni): Promise<ListedPrefix[]> {
  const listed: ListedPrefix[] = [];
  for (const [cidr, value] of Object.entries(await client.hgetall(keys.prefixes(vni)))) {
    const assignment = cidr.startsWith('record ') ? undefined : parseAssignment(value);
    if (assignment !== undefined) listed.push({ cidr, ...assignment });
  }
  return listed.sort((a, b) => compareAddresses(a.cidr, b.cidr));
}

/** A malformed network has its reason. */
export type ListedNetwork =
  { network: Network; hosts: number } | { vni: Vni; name?: string; malformed: string };

/** By VNI; afterwards the index is right. */
export async function listNetworks(redis: RedisWriter): Promise<ListedNetwork[]> {
  const networks = networksOf(redis);
  const stored = await networks.all();
  await networks.repair(stored);
  const listed: ListedNetwork[] = [];
  for (const one of stored) {
    const { vni } = one;
    try {
      const network = parseNetwork(one.value, vni);
      const hosts = (await listHosts(redis, vni)).filter(({ vtep }) => vtep !== undefined).length;
      listed.push({ network, hosts });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const name = nameOf(one);
      listed.push({ vni, ...(name !== undefined && { name }), malformed: error.message });
    }
  }
  return listed;
}
