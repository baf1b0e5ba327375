/** Malformed records, and keys that missd does not read. */
import type { MalformedReason } from '../base/outcomes.ts';
import { parseIpRecord, parseLease, parseMacRecord } from '../directory/record.ts';
import type { RedisTarget } from '../directory/redis/url.ts';
import type { CommandLine } from '../screen/shell.ts';
import type { VtepRules } from '../links/vtep-rules.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import { type Finding, of } from './finding.ts';
import type { Recorded, VniRecorded } from './recorded.ts';
import { redisCli } from '../inspect/redis-cli.ts';

const say = of('records');

/** This host's rules for VTEPs. */
export interface Context {
  /** Rules of the VNI's device. A VNI without a device on this host has no entry, and its VTEPs are not restricted. */
  rules: ReadonlyMap<Vni, VtepRules>;
  vtepAllow: (vtep: Ip) => boolean;
}

/** Where the records are, for the suggested commands. */
export interface Source {
  target?: RedisTarget;
  file?: string;
  /** Options of another missd command for the same Redis. */
  given?: readonly string[];
}

/** The valid records of a VNI. */
export interface Judged {
  vni: Vni;
  source: Source;
  ips: Map<Ip, { mac: Mac; vtep: Ip }>;
  macs: Map<Mac, Ip>;
  leases: Map<string, { mac: Mac; vtep: Ip }>;
}

const REASONS: Record<MalformedReason | 'no_braces' | 'vni' | 'kind', string> = {
  syntax: 'is not of the right form',
  not_canonical: 'is not in canonical form (lower case, RFC 5952)',
  mac: 'has no unicast MAC',
  ip: 'has no unicast IP address',
  cidr: 'has no prefix, or one with bits set behind it',
  vtep: 'names a VTEP that cannot be one',
  vtep_family: 'names a VTEP of another family than the device',
  vtep_link_local:
    'names a link-local VTEP, which a device without an interface of its own namespace cannot reach',
  vtep_broadcast: 'names the broadcast address of a subnet as VTEP',
  vtep_not_allowed: 'names a VTEP outside --vtep-allow',
  size: 'is longer than any record',
  type: 'is of another type',
  excess: 'exceeds the number of leases that a VNI may have',
  no_braces: 'has its VNI without braces, {100}',
  vni: 'has no VNI from 1 to 16777215 in braces',
  kind: 'is none of ip:, mac:, subnet:, subnets, vteps',
};

/** @returns the findings, and the valid records */
export function judgeRecords(
  recorded: Recorded,
  context: Context,
  keyPrefix: string,
  source: Source,
): { findings: Finding[]; judged: Judged[] } {
  const malformed: { key: string; value: string; reason: MalformedReason }[] = [];
  const strange = new Set(recorded.strange.map(({ key }) => key));
  const judged = [...recorded.vnis].map(([vni, of]) =>
    judgeVni(vni, of, context, source, (kind, address, value, reason) => {
      const key = `${keyPrefix}:{${vni}}:${kind}:${address}`;
      if (!strange.has(key)) malformed.push({ key, value, reason });
    }),
  );
  const command = (...words: string[]): CommandLine[] =>
    source.target === undefined ? [] : [redisCli(source.target, ...words)];
  const findings: Finding[] = [];
  for (const [type, group] of grouped(recorded.mistyped, ({ type, wanted }) => `${type} ${wanted}`)) {
    const [held, wanted] = type.split(' ');
    findings.push(
      say.broken(
        'type',
        `${counted(group, 'key')} a ${held ?? ''}, and should be a ${wanted ?? ''}`,
        'It counts as absent.',
        ...command('DEL', group[0].key),
      ),
    );
  }
  for (const [reason, group] of grouped(recorded.strange, (one) => one.reason))
    findings.push(
      say.warning(
        'key',
        `${counted(group, 'key')} not read: ${group.length === 1 ? 'it' : 'each'} ${REASONS[reason]}`,
        'missd reads canonical keys only.',
        ...command('DEL', group[0].key),
      ),
    );
  for (const [reason, group] of grouped(malformed, (one) => one.reason))
    findings.push(
      say.warning(
        'value',
        `${counted(group, 'record')} treated as absent: ${group.length === 1 ? 'it' : 'each'} ${REASONS[reason]} ("${group[0].value.slice(0, 60)}")`,
        'The address then counts as unknown.',
        ...command('GET', group[0].key),
      ),
    );
  findings.push(...judgeLeases(recorded, keyPrefix, command));
  const records = judged.reduce((sum, { ips, macs, leases }) => sum + ips.size + macs.size + leases.size, 0);
  if (!recorded.complete)
    findings.push(say.note('bounded', `only ${recorded.examined} keys were examined, there are more`));
  findings.push(
    say.ok('read', `${number(records, 'record')} in ${number(judged.length, 'VNI')}, well-formed`),
  );
  return { findings, judged };
}

function judgeVni(
  vni: Vni,
  { ips, macs, leases }: VniRecorded,
  { rules, vtepAllow }: Context,
  source: Source,
  refuse: (kind: string, address: string, value: string, reason: MalformedReason) => void,
): Judged {
  const judged: Judged = { vni, source, ips: new Map(), macs: new Map(), leases: new Map() };
  const as = (vtep: string) => ({
    ...(rules.get(vni) ?? { family: vtep.includes(':') ? (6 as const) : (4 as const) }),
    vtepAllow,
  });
  for (const [ip, value] of ips) {
    const record = parseIpRecord(value, as(value.slice(18)));
    if ('malformed' in record) refuse('ip', ip, value, record.malformed);
    else judged.ips.set(ip, record);
  }
  for (const [mac, value] of macs) {
    const record = parseMacRecord(value, as(value));
    if ('malformed' in record) refuse('mac', mac, value, record.malformed);
    else judged.macs.set(mac, record.vtep);
  }
  for (const [cidr, value] of leases) {
    const lease = parseLease(value, as(value.slice(18)));
    if ('malformed' in lease) refuse('subnet', cidr, value, lease.malformed);
    else judged.leases.set(cidr, lease);
  }
  return judged;
}

/** A lease counts only if the set names it. A member of the set without a lease is harmless, so it is no finding. */
function judgeLeases(
  { vnis, complete }: Recorded,
  keyPrefix: string,
  command: (...words: string[]) => CommandLine[],
): Finding[] {
  return [...vnis].flatMap(([vni, { leases, listed = new Set() }]) => {
    const forgotten = [...leases.keys()].filter((cidr) => !listed.has(cidr));
    // An incomplete scan may not have returned the set.
    if (forgotten.length === 0 || !complete) return [];
    const set = `${keyPrefix}:{${vni}}:subnets`;
    return [
      say.warning(
        'unlisted',
        `${forgotten.length === 1 ? `lease ${forgotten[0] ?? ''} is` : `${forgotten.length} leases are`} not in ${set}`,
        'Leases that are not members of this set do not count.',
        ...command('SADD', set, ...forgotten.slice(0, 8)),
      ),
    ];
  });
}

const number = (count: number, of: string): string => `${count} ${of}${count === 1 ? '' : 's'}`;

type Some<T> = [T, ...T[]];

function grouped<T, K>(all: readonly T[], by: (one: T) => K): Map<K, Some<T>> {
  const groups = new Map<K, Some<T>>();
  for (const one of all) {
    const group = groups.get(by(one));
    if (group === undefined) groups.set(by(one), [one]);
    else group.push(one);
  }
  return groups;
}

const counted = (group: Some<{ key: string }>, what: string): string =>
  group.length === 1
    ? `${what} ${group[0].key} is`
    : `${group.length} ${what}s, such as ${group[0].key}, are`;
