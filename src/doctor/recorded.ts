/** The contents of the directory as stored, in one shape for Redis and for a file. */
import type { MalformedReason } from '../base/outcomes.ts';
import { once } from 'node:events';
import { readText } from '../base/read-text.ts';
import type { RedisWriter } from '../directory/redis/writer.ts';
import { judgeIp, judgeMac } from '../directory/record.ts';
import { parseRecords, vtepsByMac } from '../directory/format.ts';
import { membersOf, scanKeys } from '../directory/redis/scan.ts';
import type { ChangedKey } from '../directory/redis/keys.ts';
import type { Vni } from '../base/vocabulary.ts';

/** Values as stored; records.ts judges them. */
export interface VniRecorded {
  ips: Map<string, string>;
  macs: Map<string, string>;
  leases: Map<string, string>;
  /** Members of the set of leases; undefined if the set was not found. */
  listed: Set<string> | undefined;
}

export interface Recorded {
  vnis: Map<Vni, VniRecorded>;
  /** Keys that missd does not read, and the reason. */
  strange: { key: string; reason: 'no_braces' | 'vni' | 'kind' | MalformedReason }[];
  /** Keys of the wrong type. */
  mistyped: { key: string; type: string; wanted: string }[];
  /** Number of keys that were examined. */
  examined: number;
  /** All keys were examined. */
  complete: boolean;
}

/** Reading this many records takes a second or two. */
const MOST_KEYS = 100_000;
/** Longest time for reading, ms. */
const TIMEOUT = 4_000;
const MGET_KEYS = 512;

const nothing = (): Recorded => ({ vnis: new Map(), strange: [], mistyped: [], examined: 0, complete: true });

function vniOf({ vnis }: Recorded, vni: Vni): VniRecorded {
  let one = vnis.get(vni);
  if (one === undefined)
    vnis.set(vni, (one = { ips: new Map(), macs: new Map(), leases: new Map(), listed: undefined }));
  return one;
}

/** Reads the keys by SCAN, up to MOST_KEYS or TIMEOUT. */
export async function scanRecorded(writer: RedisWriter, keyPrefix: string): Promise<Recorded> {
  const { client, keys } = writer;
  const recorded = nothing();
  const late = AbortSignal.timeout(TIMEOUT);
  const stopped = once(late, 'abort').then(() => undefined);
  // The pattern also matches keys without braces, which missd does not read.
  const pages = scanKeys(client, `${keyPrefix}:*`);
  for (;;) {
    const next = pages.next();
    // A page may take long to come if the server holds millions of other keys.
    const found = await Promise.race([next, stopped]);
    next.catch(() => undefined);
    if (found?.done === true) break;
    const page = found?.value ?? [];
    await take(
      writer,
      recorded,
      page.filter((raw) => !keys.isOfNetworks(raw)).map((raw) => [raw.toString('latin1'), keys.decode(raw)]),
    );
    recorded.examined += page.length;
    if (recorded.examined >= MOST_KEYS || late.aborted) {
      recorded.complete = false;
      break;
    }
  }
  return recorded;
}

async function take(
  writer: RedisWriter,
  recorded: Recorded,
  page: readonly (readonly [string, ChangedKey | undefined])[],
): Promise<void> {
  const { client } = writer;
  const strings = new Map<Vni, { name: string; into: Map<string, string>; address: string }[]>();
  const others: { name: string; wanted: string; vni: Vni }[] = [];
  for (const [name, key] of page) {
    if (key === undefined) recorded.strange.push({ key: name, reason: strangeness(name) });
    else if (key.what === 'leases') others.push({ name, wanted: 'set', vni: key.vni });
    else if (key.what === 'network') others.push({ name, wanted: 'string', vni: key.vni });
    else if (key.what === 'vteps') others.push({ name, wanted: 'zset', vni: key.vni });
    else {
      const lease = key.what === 'lease';
      const vni = lease ? key.vni : key.key.vni;
      const of = vniOf(recorded, vni);
      const into = lease ? of.leases : key.key.kind === 'ip' ? of.ips : of.macs;
      const address = lease ? key.cidr : key.key.address;
      if (!lease) {
        const reason = key.key.kind === 'ip' ? judgeIp(address) : judgeMac(address);
        if (reason !== undefined) recorded.strange.push({ key: name, reason });
      }
      const some = strings.get(vni) ?? [];
      some.push({ name, into, address });
      strings.set(vni, some);
    }
  }
  for (const [vni, some] of strings)
    for (let from = 0; from < some.length; from += MGET_KEYS) {
      const asked = some.slice(from, from + MGET_KEYS);
      const values = await writer.values(asked.map(({ name }) => name));
      for (const [at, { name, into, address }] of asked.entries()) {
        const value = values[at];
        if (value != null) into.set(address, value);
        else others.push({ name, wanted: 'string', vni });
      }
    }
  const types = await Promise.all(others.map(({ name }) => client.type(name)));
  for (const [at, { name, wanted, vni }] of others.entries()) {
    const type = types[at];
    // The key was deleted after the scan returned it.
    if (type === undefined || type === 'none') continue;
    if (type !== wanted) recorded.mistyped.push({ key: name, type, wanted });
    else if (wanted === 'set') {
      const listed = (vniOf(recorded, vni).listed = new Set<string>());
      for await (const members of membersOf(client, name))
        for (const one of members) if (listed.size < MOST_KEYS) listed.add(one);
    }
  }
}

/** Why missd does not read a key that has the prefix. */
function strangeness(name: string): 'no_braces' | 'vni' | 'kind' {
  const rest = name.slice(name.indexOf(':') + 1);
  if (/^\d+:/.test(rest)) return 'no_braces';
  return /^\{(?:[1-9]\d{0,7})\}:/.test(rest) ? 'kind' : 'vni';
}

/** @throws UsageError naming file, line and reason */
export function fileRecorded(file: string): Recorded {
  const recorded = nothing();
  for (const [vni, { endpoints, subnets }] of parseRecords(readText(file), file)) {
    const of = vniOf(recorded, vni);
    for (const { ip, mac, vtep } of endpoints) of.ips.set(ip, `${mac} ${vtep}`);
    for (const [mac, vtep] of vtepsByMac(endpoints)) of.macs.set(mac, vtep);
    for (const { cidr, mac, vtep } of subnets) of.leases.set(cidr, `${mac} ${vtep}`);
    of.listed = new Set(of.leases.keys());
    recorded.examined += endpoints.length + subnets.length;
  }
  return recorded;
}
