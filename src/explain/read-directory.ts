/** Reads the records of one address, and those of addresses that share its MAC or VTEP. */
import { monotonic } from '../base/clock.ts';
import { macOf } from '../directory/redis/endpoints.ts';
import { covers, parseCidr, parsePrefixOrAddress } from '../base/prefix.ts';
import {
  type Malformed,
  type RecordContext,
  judgeCidr,
  parseIpRecord,
  parseLease,
  parseMacRecord,
} from '../directory/record.ts';
import { redisTarget } from '../directory/redis/url.ts';
import { redisCli } from '../inspect/redis-cli.ts';
import { reasonOf } from '../base/errors.ts';
import type { CommandLine } from '../screen/shell.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import type { DirectoryFacts, Expected, StoredFact } from './facts.ts';
import { type Found, type RecordOptions, type RecordSource, directoryName, withRecords } from './records.ts';

/** Exactly one of the two is present. */
export interface Asked {
  ip?: Ip;
  mac?: Mac;
}

/** ms for reading all records of a VNI; a million records take longer. */
const SCAN_TIMEOUT = 1_500;

export interface DirectoryAnswer {
  directory: DirectoryFacts;
  expected?: Expected;
}

export async function readDirectory(
  options: RecordOptions,
  byDefault: boolean,
  vni: Vni,
  asked: Asked,
  context: RecordContext,
): Promise<DirectoryAnswer> {
  const directory: DirectoryFacts = {
    name: directoryName(options),
    ...clientOf(options),
    byDefault,
    records: [],
    users: [],
    vteps: new Map(),
    macs: new Set(),
    complete: false,
  };
  try {
    return await withRecords(options, (source) => read(source, directory, vni, asked, context));
  } catch (error) {
    return { directory: { ...directory, down: reasonOf(error).replace(/^Redis: /, '') } };
  }
}

const clientOf = (options: RecordOptions): { client?: CommandLine } =>
  options.directory === undefined ? { client: redisCli(redisTarget(options)) } : {};

/** Reads the record of an address a second time: two writers may keep changing it. */
export async function readAgain(options: RecordOptions, vni: Vni, ip: Ip): Promise<string | undefined> {
  const found = await withRecords(options, (source) => source.get({ vni, kind: 'ip', address: ip }));
  return found?.value;
}

async function read(
  source: RecordSource,
  directory: DirectoryFacts,
  vni: Vni,
  { ip, mac: askedMac }: Asked,
  context: RecordContext,
): Promise<DirectoryAnswer> {
  const ipFound = ip === undefined ? undefined : await source.get({ vni, kind: 'ip', address: ip });
  const leases = (await source.leases(vni))
    .filter(({ cidr, value }) =>
      ip === undefined ? value.startsWith(`${askedMac ?? ''} `) : coversIp(cidr, ip),
    )
    .sort((a, b) => lengthOf(b.cidr) - lengthOf(a.cidr));
  const ipRecord = judged('ip', ipFound, parseIpRecord, context);
  const leaseRecords = leases.flatMap((lease) => {
    const record = judged('lease', lease, parseLease, context);
    const reason = judgeCidr(lease.cidr);
    return record === undefined ? [] : [reason === undefined ? record : { ...record, malformed: reason }];
  });
  const chosen = [ipRecord, ...leaseRecords].find((one) => one !== undefined && one.malformed === undefined);
  const mac = askedMac ?? macOf(chosen?.value ?? null) ?? macOf(ipRecord?.value ?? null);
  const macFound = mac === undefined ? undefined : await source.get({ vni, kind: 'mac', address: mac });
  const macRecord = judged('mac', macFound, parseMacRecord, context);
  const owner = mac === undefined ? undefined : await source.owner(vni, mac);
  const others = await scanVni(source, vni, ip, mac, context);
  const records = [ipRecord, macRecord, ...leaseRecords].filter((one) => one !== undefined);
  const expected = expectedFrom(chosen, macRecord, askedMac, others.users, context);
  const found = { ...directory, ...others, records, ...(owner !== undefined && { owner }) };
  return { directory: found, ...(expected !== undefined && { expected }) };
}

function judged(
  kind: StoredFact['kind'],
  found: Found | undefined,
  parse: (value: string, context: RecordContext) => object,
  context: RecordContext,
): StoredFact | undefined {
  if (found === undefined) return undefined;
  const { key, value, ttl } = found;
  const verdict = parse(value, context);
  return {
    kind,
    key,
    value,
    ...(ttl !== undefined && { ttl }),
    ...('malformed' in verdict && { malformed: (verdict as Malformed).malformed }),
  };
}

/** The answer from all records together, by the rules of resolver/select-record.ts and entries/fdb-claims.ts. */
function expectedFrom(
  chosen: StoredFact | undefined,
  macRecord: StoredFact | undefined,
  asked: Mac | undefined,
  users: readonly { ip: Ip; vtep: Ip }[],
  context: RecordContext,
): Expected | undefined {
  const named = macRecord?.malformed === undefined ? macRecord : undefined;
  if (asked !== undefined && named !== undefined)
    return { mac: asked, vtep: named.value, router: false, source: named };
  if (chosen !== undefined) {
    const record = parseIpRecord(chosen.value, context);
    if ('malformed' in record) return undefined;
    if (named === undefined || named.value === record.vtep) return { ...record, source: chosen };
    return { ...record, vtep: named.value, source: chosen, overridden: named };
  }
  const [user] = users;
  if (asked === undefined || user === undefined) return undefined;
  const source: StoredFact = { kind: 'ip', key: `ip:${user.ip}`, value: `${asked} ${user.vtep}` };
  return { mac: asked, vtep: user.vtep, router: false, source };
}

async function scanVni(
  source: RecordSource,
  vni: Vni,
  ip: Ip | undefined,
  mac: Mac | undefined,
  context: RecordContext,
): Promise<Pick<DirectoryFacts, 'users' | 'vteps' | 'macs' | 'complete'>> {
  const users: { ip: Ip; vtep: Ip }[] = [];
  const vteps = new Map<Ip, number>();
  const macs = new Set<Mac>();
  const deadline = monotonic() + SCAN_TIMEOUT;
  for await (const some of source.everything(vni)) {
    for (const [{ kind, address }, value] of some) {
      const record =
        kind === 'ip' ? parseIpRecord(value, context) : { mac: address, ...parseMacRecord(value, context) };
      if ('malformed' in record) continue;
      vteps.set(record.vtep, (vteps.get(record.vtep) ?? 0) + 1);
      if (kind === 'ip' && address.includes(':') === ip?.includes(':')) macs.add(record.mac);
      if (kind === 'ip' && record.mac === mac && address !== ip)
        users.push({ ip: address, vtep: record.vtep });
    }
    if (monotonic() > deadline) return { users, vteps, macs, complete: false };
  }
  for (const { value } of await source.leases(vni)) {
    const lease = parseLease(value, context);
    if (!('malformed' in lease)) vteps.set(lease.vtep, (vteps.get(lease.vtep) ?? 0) + 1);
  }
  return { users, vteps, macs, complete: true };
}

function coversIp(cidr: string, ip: Ip): boolean {
  const [prefix, address] = [parseCidr(cidr), parsePrefixOrAddress(ip)];
  return prefix !== undefined && address !== undefined && covers(prefix, address);
}

const lengthOf = (cidr: string): number => Number(cidr.split('/')[1]);
