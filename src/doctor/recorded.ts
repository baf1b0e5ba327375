/** What the directory holds, as far as it was looked at, in one shape whether Redis or a file has it. */
import type { MalformedReason } from '../base/outcomes.ts';
import { once } from 'node:events';
import { readText } from '../base/read-text.ts';
import type { RedisWriter } from '../directory/redis/writer.ts';
import { judgeIp, judgeMac } from '../directory/record.ts';
import { parseRecords, vtepsByMac } from '../directory/format.ts';
import { membersOf, scanKeys } from '../directory/redis/scan.ts';
import type { ChangedKey } from '../directory/redis/keys.ts';
import type { Vni } from '../base/vocabulary.ts';

/** Values as they stand; judged elsewhere. */
export interface VniRecorded {
  ips: Map<string, string>;
  macs: Map<string, string>;
  leases: Map<string, string>;
  /** Members of the set of leases; undefined where it could not be read. */
  listed: Set<string> | undefined;
}

export interface Recorded {
  vnis: Map<Vni, VniRecorded>;
  /** Keys that mean nothing to missd, with why. */
  strange: { key: string; reason: 'no_braces' | 'vni' | 'kind' | MalformedReason }[];
  /** Keys that hold another type than they should. */
  mistyped: { key: string; type: string; wanted: string }[];
  /** Keys of ours that were looked at, and whether those are all. */
  looked: number;
  complete: boolean;
}

/** A directory of a hundred thousand records takes a second or two. */
const MOST_KEYS = 100_000;
const PATIENCE = 4_000;
const MGET_KEYS = 512;

const nothing = (): Recorded => ({ vnis: new Map(), strange: [], mistyped: [], looked: 0, complete: true });

function vniOf({ vnis }: Recorded, vni: Vni): VniRecorded {
  let one = vnis.get(vni);
  if (one === undefined)
    vnis.set(vni, (one = { ips: new Map(), macs: new Map(), leases: new Map(), listed: undefined }));
  return one;
}

/** By SCAN, at most so many keys and so long. */
export async function scanRecorded(writer: RedisWriter, keyPrefix: string): Promise<Recorded> {
  const { client, keys } = writer;
  const recorded = nothing();
  const late = AbortSignal.timeout(PATIENCE);
  const stopped = once(late, 'abort').then(() => undefined);
  // Also those that lack the braces, which missd does not see.
  const pages = scanKeys(client, `${keyPrefix}:*`);
  for (;;) {
    const next = pages.next();
    // Among millions of keys of others it may take long to find one of ours.
    const found = await Promise.race([next, stopped]);
    next.catch(() => undefined);
    if (found?.done === true) break;
    const page = found?.value ?? [];
    await take(
      writer,
      recorded,
      page.map((raw) => [raw.toString('latin1'), keys.decode(raw)]),
    );
    recorded.looked += page.length;
    if (recorded.looked >= MOST_KEYS || late.aborted) {
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
    // Gone since.
    if (type === undefined || type === 'none') continue;
    if (type !== wanted) recorded.mistyped.push({ key: name, type, wanted });
    else if (wanted === 'set') {
      const listed = (vniOf(recorded, vni).listed = new Set<string>());
      for await (const members of membersOf(client, name))
        for (const one of members) if (listed.size < MOST_KEYS) listed.add(one);
    }
  }
}

/** Why a key that begins like ours is none. */
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
    recorded.looked += endpoints.length + subnets.length;
  }
  return recorded;
}
