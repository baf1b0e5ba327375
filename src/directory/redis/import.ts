/** A directory file into Redis, and Redis as a directory file. */
import type { Vni } from '../../base/vocabulary.ts';
import { type Records, renderEndpoint, renderSubnet, type VniRecords, vtepsByMac } from '../format.ts';
import { judgeVtep } from '../record.ts';
import { exportNetworks, importNetworks } from './import-networks.ts';
import { ownedKeys } from './companions.ts';
import { listEndpoints, macOf } from './endpoints.ts';
import { listSubnets, vnisWith } from './subnets.ts';
import type { RedisWriter } from './writer.ts';

/** Keys written or removed by one command: a millisecond of the server's time. */
const BATCH = 500;

export interface Imported {
  /** Created. */
  networks: number;
  endpoints: number;
  subnets: number;
  /** Keys. */
  removed: number;
}

/** What an import removes in the VNIs that the file has: nothing, what it lacks and no host published, or all it lacks. */
export type Replace = 'nothing' | 'unowned' | 'all';

/**
 * Merges records into what is there. What is new is written before anything is removed, so that an address that stays
 * is never without a record.
 */
export async function importRecords(
  redis: RedisWriter,
  records: Records,
  replace: Replace,
): Promise<Imported> {
  const networks = await importNetworks(redis, records);
  const imported: Imported = { networks, endpoints: 0, subnets: 0, removed: 0 };
  for (const [vni, one] of records) {
    const owned = replace === 'unowned' ? await ownedKeys(redis, vni) : new Set<string>();
    const { written, doomed } = await plan(redis, vni, one, replace !== 'nothing', owned);
    for (const some of batches([...written])) await redis.client.mset(some.flat());
    for (const some of batches(one.subnets)) {
      await redis.client.sadd(redis.keys.leases(vni), ...some.map(({ cidr }) => cidr));
    }
    for (const some of batches(doomed)) imported.removed += await redis.client.unlink(...some);
    if (replace !== 'nothing') {
      const cidrs = new Set(one.subnets.map(({ cidr }) => cidr));
      const gone = ((await redis.members(vni)) ?? []).filter(
        (cidr) => !cidrs.has(cidr) && !owned.has(redis.keys.lease(vni, cidr)),
      );
      for (const some of batches(gone)) await redis.client.srem(redis.keys.leases(vni), ...some);
    }
    await importVteps(redis, vni, one, replace !== 'nothing');
    imported.endpoints += one.endpoints.length;
    imported.subnets += one.subnets.length;
  }
  return imported;
}

async function plan(
  redis: RedisWriter,
  vni: Vni,
  { endpoints, subnets }: VniRecords,
  replace: boolean,
  owned: ReadonlySet<string>,
): Promise<{ written: Map<string, string>; doomed: string[] }> {
  const { keys } = redis;
  const written = new Map<string, string>();
  for (const endpoint of endpoints) {
    written.set(keys.record({ vni, kind: 'ip', address: endpoint.ip }), renderEndpoint(endpoint));
  }
  for (const [mac, vtep] of vtepsByMac(endpoints))
    written.set(keys.record({ vni, kind: 'mac', address: mac }), vtep);
  for (const subnet of subnets) written.set(keys.lease(vni, subnet.cidr), renderSubnet(subnet));

  const doomed = new Set<string>();
  const kept: string[] = [];
  const overwritten: string[] = [];
  for await (const found of redis.scan(vni)) {
    for (const raw of found) {
      const changed = keys.decode(raw);
      const key = raw.toString();
      if (changed?.what !== 'record' && changed?.what !== 'lease') continue;
      if (replace && !written.has(key) && !owned.has(key)) doomed.add(key);
      else if (changed.what === 'record' && changed.key.kind === 'ip')
        (written.has(key) ? overwritten : kept).push(key);
    }
  }
  // A MAC that an address had before and nobody has any more would stay behind as an L2 record.
  const used = new Set(endpoints.map(({ mac }) => mac));
  for (const value of await redis.values(kept)) {
    const mac = macOf(value);
    if (mac !== undefined) used.add(mac);
  }
  for (const value of await redis.values(overwritten)) {
    const mac = macOf(value);
    if (mac !== undefined && !used.has(mac)) doomed.add(keys.record({ vni, kind: 'mac', address: mac }));
  }
  return { written, doomed: [...doomed] };
}

/** A VTEP of a file stays a member until it is removed; a daemon that announces itself sets its own expiry. */
async function importVteps(
  redis: RedisWriter,
  vni: Vni,
  { vteps }: VniRecords,
  replace: boolean,
): Promise<void> {
  const key = redis.keys.vteps(vni);
  if (vteps.length > 0) await redis.client.zadd(key, ...vteps.flatMap((vtep) => ['+inf', vtep]));
  if (!replace) return;
  const gone = (await redis.client.zrange(key, 0, '-1')).filter((vtep) => !vteps.includes(vtep));
  if (gone.length > 0) await redis.client.zrem(key, ...gone);
}

/** @param skipped is told of what the file format has no place for, or what does not count */
export async function exportRecords(
  redis: RedisWriter,
  only: Vni | undefined,
  skipped: (what: string) => void,
): Promise<Records> {
  const records: Records = new Map();
  const of = (vni: Vni): VniRecords => {
    const one = records.get(vni) ?? { endpoints: [], subnets: [], vteps: [] };
    records.set(vni, one);
    return one;
  };
  for (const { vni, ip, mac, vtep, router, malformed } of await listEndpoints(redis, only)) {
    if (malformed !== undefined) skipped(`VNI ${vni}: ${ip ?? mac ?? ''} is malformed (${malformed})`);
    else if (ip === undefined) skipped(`VNI ${vni}: ${mac ?? ''} has no address`);
    else of(vni).endpoints.push({ ip, mac: mac ?? '', vtep: vtep ?? '', router: router === true });
  }
  for (const { vni, cidr, mac, vtep, malformed } of await listSubnets(redis, only)) {
    if (malformed !== undefined) skipped(`VNI ${vni}: ${cidr} is malformed (${malformed})`);
    else of(vni).subnets.push({ cidr, mac: mac ?? '', vtep: vtep ?? '' });
  }
  const now = await redis.now();
  for (const vni of only === undefined ? await vnisWith(redis, 'vteps') : [only]) {
    for (const vtep of await redis.client.zrangebyscore(redis.keys.vteps(vni), String(now), '+inf')) {
      if (judgeVtep(vtep) === undefined) of(vni).vteps.push(vtep);
      else skipped(`VNI ${vni}: VTEP ${vtep.slice(0, 60)} is malformed`);
    }
  }
  for (const [vni, network] of await exportNetworks(redis, only, skipped)) of(vni).network = network;
  return records;
}

function* batches<T>(all: T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += BATCH) yield all.slice(from, from + BATCH);
}
