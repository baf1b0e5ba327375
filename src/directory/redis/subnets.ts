/** Subnet leases in Redis: the lease keys and the set that says which there are. */
import type { MalformedReason } from '../../base/outcomes.ts';
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import { renderSubnet, type Subnet } from '../format.ts';
import { judgeLease } from '../record.ts';
import { compareAddresses, milliseconds } from './endpoints.ts';
import type { RedisWriter } from './writer.ts';

/** What `subnet ls` tells; a malformed one has its value as written. */
export interface ListedSubnet {
  vni: Vni;
  cidr: string;
  mac?: Mac;
  vtep?: Ip;
  /** Seconds until the lease expires. */
  ttl?: number;
  malformed?: MalformedReason;
  value?: string;
}

export async function setSubnet(redis: RedisWriter, vni: Vni, subnet: Subnet, ttl?: number): Promise<void> {
  const key = redis.keys.lease(vni, subnet.cidr);
  await redis.transaction([key], (multi) => {
    if (ttl === undefined) multi.set(key, renderSubnet(subnet));
    else multi.set(key, renderSubnet(subnet), 'PX', milliseconds(ttl));
    multi.sadd(redis.keys.leases(vni), subnet.cidr);
    return Promise.resolve();
  });
}

/** Whether there was one, if only as a member of the set whose lease had expired. */
export async function removeSubnet(redis: RedisWriter, vni: Vni, cidr: string): Promise<boolean> {
  const { keys, client } = redis;
  const key = keys.lease(vni, cidr);
  return redis.transaction([key], async (multi) => {
    const held = await client.exists(key);
    const member = await client.sismember(keys.leases(vni), cidr);
    multi.del(key);
    multi.srem(keys.leases(vni), cidr);
    return held + member > 0;
  });
}

/** Those that count: members of the set that have a lease. */
export async function listSubnets(redis: RedisWriter, only?: Vni): Promise<ListedSubnet[]> {
  const listed: ListedSubnet[] = [];
  const vnis = only === undefined ? await vnisWith(redis, 'leases') : [only];
  for (const vni of vnis) {
    const members = await redis.members(vni);
    if (members === undefined) {
      const value = `${redis.keys.leases(vni)} is not a set`;
      listed.push({ vni, cidr: '-', malformed: 'type', value });
      continue;
    }
    const cidrs = members.sort(compareAddresses);
    const keys = cidrs.map((cidr) => redis.keys.lease(vni, cidr));
    const values = await redis.values(keys);
    const ttls = await redis.ttls(keys);
    for (const [index, cidr] of cidrs.entries()) {
      const value = values[index];
      const ttl = ttls[index];
      if (value == null) continue;
      const malformed = judgeLease(cidr, value);
      const [mac = '', vtep = ''] = value.split(' ');
      listed.push({
        vni,
        cidr,
        ...(malformed === undefined ? { mac, vtep } : { malformed, value: value.slice(0, 200) }),
        ...(ttl !== undefined && { ttl }),
      });
    }
  }
  return listed;
}

/** VNIs that have the set of leases, or VTEPs, in order. */
export async function vnisWith(redis: RedisWriter, what: 'leases' | 'vteps'): Promise<Vni[]> {
  const vnis = new Set<Vni>();
  for await (const found of redis.scan()) {
    for (const raw of found) {
      const key = redis.keys.decode(raw);
      if (key?.what === what) vnis.add(key.vni);
    }
  }
  return [...vnis].sort((a, b) => a - b);
}
