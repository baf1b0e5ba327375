/** The end of a network: its record, and what its hosts left. Records that were written by hand stay. */
import { RuntimeFailure } from '../../base/errors.ts';
import type { Vni } from '../../base/vocabulary.ts';
import { networksOf, storedNetwork } from './network-writes.ts';
import type { RedisWriter } from './writer.ts';

/** Hosts that are named one by one. */
const MOST_NAMED = 5;

/**
 * @returns the VNI, and how many records of ended hosts went with the network
 * @throws RuntimeFailure when there is none, or while hosts are joined
 */
export async function removeNetwork(
  redis: RedisWriter,
  name: string,
): Promise<{ vni: Vni; records: number }> {
  const { client, keys } = redis;
  const { vni } = await storedNetwork(redis, name);
  await redis.transaction([keys.network(vni), keys.hosts(vni)], async (multi) => {
    const ids = await client.hkeys(keys.hosts(vni));
    const joined: string[] = [];
    for (const id of ids.sort()) {
      // A lease that is taken meanwhile makes the transaction start again.
      await client.watch(keys.host(vni, id));
      if ((await client.exists(keys.host(vni, id))) > 0) joined.push(id);
    }
    if (joined.length > 0) throw stillJoined(name, joined);
    multi.del(keys.network(vni), keys.hosts(vni));
  });
  await networksOf(redis).index(name, String(vni), undefined);
  return { vni, records: await removeLeftovers(redis, vni) };
}

function stillJoined(name: string, joined: string[]): RuntimeFailure {
  const named = joined.slice(0, MOST_NAMED).join(', ');
  const more = joined.length > MOST_NAMED ? ` and ${joined.length - MOST_NAMED} more` : '';
  return new RuntimeFailure(
    `network ${name} is in use by ${named}${more}; missd leave ${name} takes a host out of it`,
  );
}

/** Companions of published records, the records that still say what the companions say, and prefixes. */
async function removeLeftovers(redis: RedisWriter, vni: Vni): Promise<number> {
  const { client, keys } = redis;
  const owners: string[] = [];
  const others: string[] = [];
  for await (const page of redis.scan(vni))
    for (const key of page.map(String)) {
      if (key.startsWith(keys.owner(vni, ''))) owners.push(key);
      else if (key.startsWith(keys.owned(vni, ''))) others.push(key);
    }
  let records = 0;
  const removeIf = async (key: string, says: (value: string) => boolean): Promise<void> => {
    const [value = null] = await redis.values([key]);
    if (value !== null && says(value)) records += await client.del(key);
  };
  for (const key of owners) {
    const mac = key.slice(keys.owner(vni, '').length);
    const companion = await client.hgetall(key);
    const vtep = companion['vtep'] ?? '';
    for (const field of Object.keys(companion)) {
      if (!field.startsWith('ip:')) continue;
      const ip = keys.record({ vni, kind: 'ip', address: field.slice('ip:'.length) });
      await removeIf(ip, (value) => value === `${mac} ${vtep}` || value === `${mac} ${vtep} router`);
    }
    // Without the field the record was written by hand.
    if (companion['mac'] !== undefined)
      await removeIf(keys.record({ vni, kind: 'mac', address: mac }), (value) => value === vtep);
    await client.del(key);
  }
  for (const [field, record] of Object.entries(await client.hgetall(keys.prefixes(vni)))) {
    if (!field.startsWith('record ')) continue;
    const cidr = field.slice('record '.length);
    await removeIf(keys.lease(vni, cidr), (value) => value === record);
    if ((await client.exists(keys.lease(vni, cidr))) === 0) await client.srem(keys.leases(vni), cidr);
  }
  await client.del(keys.prefixes(vni));
  for (const key of others) await client.del(key);
  return records;
}
