/** What commands that write records by hand do with the companions of records that hosts published. */
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import { chunks } from '../../base/chunks.ts';
import { parseOwner } from './owner.ts';
import type { RedisWriter } from './writer.ts';

/** Adds to a transaction that a record written by hand is no host's any more: hosts leave such a record as it is. */
export async function disownRecord(
  redis: RedisWriter,
  multi: { hdel(key: string, field: string): unknown },
  vni: Vni,
  mac: Mac,
  field: `ip:${Ip}` | 'mac',
): Promise<void> {
  const key = redis.keys.owner(vni, mac);
  // A user of Redis whose rights were given before hosts published has none to HDEL.
  if ((await redis.client.exists(key)) > 0) multi.hdel(key, field);
}

/** The keys of a VNI's records and leases that hosts have published. */
export async function ownedKeys(redis: RedisWriter, vni: Vni): Promise<Set<string>> {
  const { keys, client } = redis;
  const owned = new Set<string>();
  const prefix = keys.owner(vni, '');
  for await (const page of redis.scan(vni)) {
    const macs = page.flatMap((raw) => {
      const key = raw.toString();
      return key.startsWith(prefix) ? [key.slice(prefix.length)] : [];
    });
    for (const some of chunks(macs)) {
      const companions = await Promise.all(some.map((mac) => client.hgetall(keys.owner(vni, mac))));
      for (const [index, mac] of some.entries()) {
        const fields = companions[index];
        const owner = parseOwner(fields);
        if (owner === undefined) continue;
        for (const address of owner.ips) owned.add(keys.record({ vni, kind: 'ip', address }));
        if (fields?.['mac'] !== undefined) owned.add(keys.record({ vni, kind: 'mac', address: mac }));
      }
    }
  }
  if ((await client.exists(keys.prefixes(vni))) > 0)
    for (const [cidr, holder] of Object.entries(await client.hgetall(keys.prefixes(vni))))
      if (holder.startsWith('host ')) owned.add(keys.lease(vni, cidr));
  return owned;
}
