/** The latest events of the address in the daemon's history. */
import type { EventAccount } from '../../observe/history/account.ts';
import { type CommandLine, extended, piped, sh } from '../../screen/shell.ts';
import type { Facts } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import { explainAgain } from '../view.ts';

/** Events on the screen. */
const MOST_TOLD = 8;

export function history(facts: Facts): Finding[] {
  const events = facts.daemon.account?.events ?? [];
  const findings = events
    .slice(-MOST_TOLD)
    .map((event) =>
      finding('history', 'note', `${clockOf(event)} ${told(event, facts.address)}`, { age: event.ago }),
    );
  const owners = flapping(events, facts.address);
  if (owners === undefined) return findings;
  return [
    ...findings,
    finding('history', 'bad', `its record goes back and forth between ${owners.join(' and ')}`, {
      cause: {
        name: 'two_owners',
        says: `${facts.address} has two owners: its record alternates between ${owners.join(' and ')}`,
        next: monitor(facts),
      },
    }),
  ];
}

/** The command that shows which client writes the record. */
const monitor = (facts: Facts): CommandLine =>
  facts.directory.client === undefined
    ? explainAgain(facts)
    : piped(extended(facts.directory.client, 'MONITOR'), sh`grep -F ${facts.address}`);

/** Older changes do not count as alternation, seconds. */
const RECENT = 300;

/** One change is a move, and so is a move there and back; a further return means that two writers disagree. */
function flapping(events: readonly EventAccount[], address: string): string[] | undefined {
  let seen: string[] = [];
  for (const event of events) {
    if (event.address !== address || event.ago > RECENT) continue;
    if (event.kind === 'removed') seen = [];
    if (event.mac === undefined || event.vtep === undefined) continue;
    const owner = `${event.mac} behind ${event.vtep}`;
    if (seen.at(-1) !== owner) seen.push(owner);
  }
  const owners = [...new Set(seen)];
  return seen.length >= owners.length + 2 ? owners : undefined;
}

/** Local time of day, HH:MM:SS. */
const clockOf = ({ at }: EventAccount): string => new Date(at).toTimeString().slice(0, 8);

function told({ kind, address, mac, vtep, why, took }: EventAccount, asked: string): string {
  const of = address === asked ? '' : ` of ${address}`;
  const answer = mac === undefined ? '' : ` ${mac} behind ${vtep ?? '?'}`;
  const time = took === undefined ? '' : `, after ${took < 10 ? took.toFixed(2) : took.toFixed(0)} ms`;
  switch (kind) {
    case 'resolved':
      return `miss${of} answered:${answer}, from ${why ?? '?'}${time}`;
    case 'unknown':
      return `miss${of} unresolved: no record${time}`;
    case 'failed':
      return `miss${of}: failed${time}`;
    case 'local':
      return `miss${of}: it is on this host${answer}`;
    case 'shed':
      return `miss${of} dropped: its port asked for too many addresses`;
    case 'changed':
      return `${why ?? ''}: record${of} set, deleted or expired`;
    case 'rewritten':
      return `entry${of} rewritten:${answer}`;
    case 'removed':
      return `entry${of} removed (${why ?? ''})`;
    case 'evicted':
      return `entry${of} evicted (${why ?? ''})`;
    case 'conflict':
      return `conflict ${why ?? ''}`;
    case 'mended':
      return `kernel table repaired${of}: ${why ?? ''}`;
  }
}
