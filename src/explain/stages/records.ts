/** The records of the address, and whether the directory can be read. */
import { blank, remarked, sh } from '../../screen/shell.ts';
import type { Facts, StoredFact } from '../facts.ts';
import { type Cause, type Finding, finding } from '../finding.ts';
import {
  explainAgain,
  isLocal,
  isServed,
  netnsWords,
  raisesMisses,
  served,
  setRecord,
  tryDirectory,
} from '../view.ts';

export function records(facts: Facts): Finding[] {
  const { directory } = facts;
  if (directory.down !== undefined) return [unread(facts, directory.down)];
  return [...outage(facts), ...ownRecord(facts), ...sharers(facts), ...macRecord(facts)];
}

function unread(facts: Facts, reason: string): Finding {
  const { directory, daemon, neighbour, fdb } = facts;
  const text = `${directory.name} cannot be read: ${reason}`;
  if (daemon.account?.directory.up === true)
    return finding('directory', 'warn', `${text}; the daemon’s directory answers`, {
      cause: elsewhere(facts),
    });
  // No option named the directory, so another program may fill the tables of this overlay.
  const standing = neighbour !== undefined || fdb !== undefined;
  if (directory.byDefault && !isServed(facts) && (standing || !raisesMisses(facts)))
    return finding('directory', 'note', `none: ${text}`);
  const cause = {
    name: 'directory_down',
    says: standing
      ? `the directory does not answer (${reason}); the entries in the kernel stay`
      : `the directory does not answer (${reason}), so the location of ${facts.address} is unknown`,
    next: tryDirectory(facts),
  } as const;
  return finding('directory', standing ? 'warn' : 'bad', text, { cause });
}

/** The daemon reads another directory than this command. */
const elsewhere = (facts: Facts): Cause => ({
  name: 'caution',
  says: 'this command reads another directory than the daemon',
  next: remarked(
    sh`missd explain ${facts.vni} ${facts.address} ${netnsWords(facts)} --redis ${blank('URL')}`,
    'or --directory or --config, with the daemon’s value',
  ),
});

/** This command can read the directory, and the daemon cannot. */
function outage(facts: Facts): Finding[] {
  const state = facts.daemon.account?.directory;
  if (state === undefined || state.up || served(facts) === undefined) return [];
  const standing = facts.neighbour !== undefined || facts.fdb !== undefined;
  const reason = state.reason ?? 'unknown';
  return [
    finding('directory', standing ? 'warn' : 'bad', `the daemon cannot read it: ${reason}`, {
      ...(state.forSeconds !== undefined && { age: state.forSeconds }),
      cause: {
        name: 'directory_down',
        says: `the daemon gets no answer from its directory (${reason})`,
        next: tryDirectory(facts),
      },
    }),
  ];
}

function ownRecord(facts: Facts): Finding[] {
  const { directory, ip, vni, expected } = facts;
  const found = directory.records.filter(({ kind }) => kind !== 'mac');
  const findings = found.map((record) => stored(record, expected?.source === record));
  const { changed } = directory;
  if (changed !== undefined)
    findings.push(
      finding('record', 'warn', `a moment later it said ${changed}`, {
        cause: {
          name: 'record_changing',
          says: `the record of ${facts.address} changed while it was read: it moves, or two writers disagree`,
          next: explainAgain(facts),
        },
      }),
    );
  if (expected !== undefined) return findings;
  const wrong = directory.records.find(({ malformed }) => malformed !== undefined);
  if (wrong !== undefined) {
    findings.push(
      finding('record', 'bad', 'no valid record', {
        cause: {
          name: 'malformed_record',
          says: `the record of ${facts.address} is malformed (${wrong.malformed ?? ''}) and counts as absent`,
          next: setRecord(facts),
        },
      }),
    );
    return findings;
  }
  const stands = facts.neighbour !== undefined && facts.fdb !== undefined;
  const level = isLocal(facts) || stands ? 'note' : 'bad';
  const what =
    ip === undefined ? 'no record, no lease and no address with that MAC' : 'none, and no lease covers it';
  const empty = directory.complete && directory.vteps.size === 0 ? `; VNI ${vni} has no record at all` : '';
  findings.push(
    finding('record', level, `${what}${empty}`, {
      cause: {
        name: 'no_record',
        says: `${facts.address} is unknown: ${directory.name} has no record for it`,
        next: setRecord(facts),
      },
    }),
  );
  return findings;
}

const stored = (record: StoredFact, counts: boolean): Finding => {
  const { kind, key, value, ttl, malformed } = record;
  const stage = kind === 'lease' ? 'lease' : 'record';
  const life = ttl === undefined ? '' : ` (expires in ${Math.ceil(ttl)} s)`;
  if (malformed !== undefined)
    return finding(
      stage,
      'warn',
      `${key} = ${value.slice(0, 80)}: malformed (${malformed}), counts as absent`,
    );
  return finding(stage, counts ? 'ok' : 'note', `${key} = ${value}${life}${counts ? '' : ', not in force'}`);
};

function macRecord(facts: Facts): Finding[] {
  const { directory, expected, address } = facts;
  const record = directory.records.find(({ kind }) => kind === 'mac');
  if (record === undefined) return [];
  const text = `${record.key} = ${record.value}`;
  if (record.malformed !== undefined)
    return [finding('mac record', 'warn', `${text}: malformed (${record.malformed}), counts as absent`)];
  if (expected?.overridden === undefined) return [finding('mac record', 'ok', text)];
  const before = expected.source.value.split(' ')[1] ?? '';
  return [
    finding(
      'mac record',
      'warn',
      `${text} contradicts ${before} of the ${expected.source.kind}: record, and wins`,
      {
        cause: {
          name: 'vtep_disputed',
          says: `records disagree: ${expected.mac} is behind ${expected.vtep} by mac:, ${address} behind ${before}; mac: wins`,
          next: setRecord(facts, expected.mac, blank('VTEP')),
        },
      },
    ),
  ];
}

/** Several addresses may share a MAC. If they are behind different VTEPs, only a `mac:` record can decide. */
function sharers(facts: Facts): Finding[] {
  const { directory, expected, ip } = facts;
  const { users, records, complete } = directory;
  if (expected === undefined || users.length === 0) return [];
  const some = users.slice(0, 3).map((user) => `${user.ip} behind ${user.vtep}`);
  const more = users.length > 3 ? ` and ${users.length - 3} more` : '';
  const text = `${expected.mac} is also the MAC of ${some.join(', ')}${more}${complete ? '' : ' (not all were read)'}`;
  const other = users.find(({ vtep }) => vtep !== expected.vtep);
  if (other === undefined || records.some(({ kind, malformed }) => kind === 'mac' && malformed === undefined))
    return [finding('record', 'note', text)];
  return [
    finding('record', 'bad', text, {
      cause: {
        name: 'vtep_disputed',
        says: `ip: records of ${expected.mac} name ${expected.vtep} and ${other.vtep}, and no mac: record decides`,
        next: setRecord({ ...facts, ip: ip ?? other.ip }, expected.mac, blank('VTEP')),
      },
    }),
  ];
}
