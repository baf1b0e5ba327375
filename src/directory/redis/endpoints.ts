/** Endpoint records in Redis: `ip:` and `mac:` keys, written and removed together. */
import type { MalformedReason } from '../../base/outcomes.ts';
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import { type Endpoint, renderEndpoint } from '../format.ts';
import { judgeIp, judgeMac, judgeVtep, parseIpRecord } from '../record.ts';
import { disownRecord } from './companions.ts';
import type { RedisWriter } from './writer.ts';

/** What `endpoint ls` tells; a malformed one has its value as written. */
export interface ListedEndpoint {
  vni: Vni;
  /** Absent for a MAC that no address uses. */
  ip?: Ip;
  mac?: Mac;
  vtep?: Ip;
  router?: boolean;
  /** Where the `mac:` record names another VTEP than the `ip:` record; it wins in the FDB. */
  macVtep?: Ip;
  /** Seconds until the `ip:` record expires. */
  ttl?: number;
  malformed?: MalformedReason;
  value?: string;
}

export async function setEndpoint(
  redis: RedisWriter,
  vni: Vni,
  endpoint: Endpoint,
  ttl?: number,
): Promise<void> {
  const { keys } = redis;
  const ipKey = keys.record({ vni, kind: 'ip', address: endpoint.ip });
  await redis.transaction([ipKey], async (multi) => {
    const before = macOf((await redis.values([ipKey]))[0] ?? null);
    if (before !== undefined && before !== endpoint.mac) {
      await disownRecord(redis, multi, vni, before, `ip:${endpoint.ip}`);
      await removeUnused(redis, multi, vni, before, endpoint.ip);
    }
    await disownRecord(redis, multi, vni, endpoint.mac, `ip:${endpoint.ip}`);
    await disownRecord(redis, multi, vni, endpoint.mac, 'mac');
    const set = (key: string, value: string): unknown =>
      ttl === undefined ? multi.set(key, value) : multi.set(key, value, 'PX', milliseconds(ttl));
    set(ipKey, renderEndpoint(endpoint));
    set(keys.record({ vni, kind: 'mac', address: endpoint.mac }), endpoint.vtep);
  });
}

/** Redis refuses a lifetime of nothing. */
export function milliseconds(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000));
}

/** Returns the keys that were removed; none where there was no such endpoint. */
export async function removeEndpoint(redis: RedisWriter, vni: Vni, ip: Ip): Promise<string[]> {
  const ipKey = redis.keys.record({ vni, kind: 'ip', address: ip });
  return redis.transaction([ipKey], async (multi) => {
    if ((await redis.client.exists(ipKey)) === 0) return [];
    const [value = null] = await redis.values([ipKey]);
    multi.del(ipKey);
    const mac = macOf(value);
    if (mac === undefined) return [ipKey];
    await disownRecord(redis, multi, vni, mac, `ip:${ip}`);
    const macKey = await removeUnused(redis, multi, vni, mac, ip);
    return macKey === undefined ? [ipKey] : [ipKey, macKey];
  });
}

/** Adds the removal of a `mac:` key unless another address of the VNI uses the MAC. */
async function removeUnused(
  redis: RedisWriter,
  multi: { del(key: string): unknown },
  vni: Vni,
  mac: Mac,
  except: Ip,
): Promise<string | undefined> {
  const macKey = redis.keys.record({ vni, kind: 'mac', address: mac });
  // Who sets another address of this MAC meanwhile writes this key too.
  await redis.client.watch(macKey);
  if ((await redis.client.exists(macKey)) === 0) return undefined;
  for await (const found of redis.scan(vni)) {
    const others = found
      .map((raw) => redis.keys.decode(raw))
      .flatMap((key) =>
        key?.what === 'record' && key.key.kind === 'ip' && key.key.address !== except ? [key.key] : [],
      );
    const values = await redis.values(others.map((key) => redis.keys.record(key)));
    if (values.some((value) => macOf(value) === mac)) return undefined;
  }
  multi.del(macKey);
  return macKey;
}

/** The MAC an `ip:` value names, whatever else is wrong with it. */
export function macOf(value: string | null): Mac | undefined {
  const mac = value?.slice(0, 17);
  return mac !== undefined && judgeMac(mac) === undefined ? mac : undefined;
}

/** By VNI and address. */
export async function listEndpoints(redis: RedisWriter, only?: Vni): Promise<ListedEndpoint[]> {
  const ips = new Map<Vni, Set<Ip>>();
  const macs = new Map<Vni, Set<Mac>>();
  for await (const found of redis.scan(only)) {
    for (const raw of found) {
      const key = redis.keys.decode(raw);
      if (key?.what !== 'record') continue;
      const of = key.key.kind === 'ip' ? ips : macs;
      of.set(key.key.vni, (of.get(key.key.vni) ?? new Set()).add(key.key.address));
    }
  }
  const listed: ListedEndpoint[] = [];
  for (const vni of [...new Set([...ips.keys(), ...macs.keys()])].sort((a, b) => a - b)) {
    const macVteps = await valuesOf(redis, vni, 'mac', [...(macs.get(vni) ?? [])]);
    const used = new Set<Mac>();
    const values = await valuesOf(redis, vni, 'ip', [...(ips.get(vni) ?? [])]);
    const sorted = [...values].sort(([a], [b]) => compareAddresses(a, b));
    const ttls = await redis.ttls(sorted.map(([ip]) => redis.keys.record({ vni, kind: 'ip', address: ip })));
    for (const [index, [ip, value]] of sorted.entries()) {
      const one = describe(vni, ip, value, macVteps);
      if (one.mac !== undefined) used.add(one.mac);
      const ttl = ttls[index];
      listed.push(ttl === undefined ? one : { ...one, ttl });
    }
    for (const [mac, vtep] of [...macVteps].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (used.has(mac)) continue;
      const malformed = judgeMac(mac) ?? judgeVtep(vtep);
      listed.push(malformed === undefined ? { vni, mac, vtep } : { vni, mac, malformed, value: vtep });
    }
  }
  return listed;
}

function describe(vni: Vni, ip: Ip, value: string, macVteps: ReadonlyMap<Mac, Ip>): ListedEndpoint {
  const record = parseIpRecord(value, { family: value.includes(':', 18) ? 6 : 4, vtepAllow: () => true });
  const malformed = judgeIp(ip) ?? ('malformed' in record ? record.malformed : undefined);
  if (malformed !== undefined || 'malformed' in record) {
    const mac = macOf(value);
    return {
      vni,
      ip,
      ...(mac !== undefined && { mac }),
      malformed: malformed ?? 'syntax',
      value: value.slice(0, 200),
    };
  }
  const macVtep = macVteps.get(record.mac);
  return { vni, ip, ...record, ...(macVtep !== undefined && macVtep !== record.vtep && { macVtep }) };
}

async function valuesOf(
  redis: RedisWriter,
  vni: Vni,
  kind: 'ip' | 'mac',
  addresses: string[],
): Promise<Map<string, string>> {
  const values = await redis.values(addresses.map((address) => redis.keys.record({ vni, kind, address })));
  const found = new Map<string, string>();
  for (const [index, address] of addresses.entries()) {
    const value = values[index];
    // Gone since it was scanned, or of another type.
    if (value != null) found.set(address, value);
  }
  return found;
}

/** IPv4 before IPv6, each by number and not by text. */
export function compareAddresses(a: string, b: string): number {
  const padded = (text: string): string => text.replace(/[0-9a-f]+/g, (part) => part.padStart(5, '0'));
  return Number(a.includes(':')) - Number(b.includes(':')) || (padded(a) < padded(b) ? -1 : 1);
}
