/** The networks of a directory file into Redis, and back. Leases, owners and assignments of hosts stay out. */
import { RuntimeFailure, UsageError } from '../../base/errors.ts';
import type { Vni } from '../../base/vocabulary.ts';
import type { Records } from '../format.ts';
import type { FileNetwork } from '../format-networks.ts';
import { parseNetwork, renderNetwork } from '../network-schema.ts';
import { createNetwork, listPrefixes, networksOf } from './network-writes.ts';
import { reservePrefix } from './reservations.ts';
import { nameOf } from './networks.ts';
import type { RedisWriter } from './writer.ts';

/**
 * Creates the networks that are not there, and reserves prefixes. A network that is there is not changed, because its hosts act
 * on what they read when they joined.
 * @returns number of networks that were created
 * @throws RuntimeFailure before anything is written when a network is there with another definition
 */
export async function importNetworks(redis: RedisWriter, records: Records): Promise<number> {
  const files = [...records.values()].flatMap(({ network }) => network ?? []);
  const missing: FileNetwork[] = [];
  for (const file of files) if (!(await isThere(redis, file))) missing.push(file);
  for (const { network } of missing) await createNetwork(redis, network);
  for (const { network, reserved } of files) {
    const assigned = new Map((await listPrefixes(redis, network.vni)).map((one) => [one.cidr, one]));
    for (const one of reserved) {
      const before = assigned.get(one.cidr);
      if (before === undefined || !('reserved' in before) || before.reserved !== one.for)
        await reservePrefix(redis, network, one);
    }
  }
  return missing.length;
}

async function isThere(redis: RedisWriter, { network }: FileNetwork): Promise<boolean> {
  const { name, vni } = network;
  const networks = networksOf(redis);
  const stored = (await networks.find(name)) ?? (await networks.record(vni));
  if (stored === undefined) return false;
  const same = stored.vni === vni && nameOf(stored) === name;
  if (same && renderNetwork(parseNetwork(stored.value, vni)) === renderNetwork(network)) return true;
  throw new RuntimeFailure(
    same
      ? `network ${name} is there with another definition; missd network rm ${name} removes it`
      : `network ${name} with VNI ${vni} cannot be created: there is network ${nameOf(stored) ?? '?'} with VNI ${stored.vni}`,
  );
}

/** @param skipped is told of networks that are malformed */
export async function exportNetworks(
  redis: RedisWriter,
  only: Vni | undefined,
  skipped: (what: string) => void,
): Promise<Map<Vni, FileNetwork>> {
  const networks = networksOf(redis);
  const stored = only === undefined ? await networks.all() : [await networks.record(only)];
  const found = new Map<Vni, FileNetwork>();
  for (const one of stored) {
    if (one === undefined) continue;
    try {
      const network = parseNetwork(one.value, one.vni);
      const reserved = (await listPrefixes(redis, one.vni)).flatMap((prefix) =>
        'reserved' in prefix ? [{ cidr: prefix.cidr, for: prefix.reserved }] : [],
      );
      found.set(one.vni, { network, reserved });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      skipped(error.message);
    }
  }
  return found;
}
