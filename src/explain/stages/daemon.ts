/** Whether a daemon serves the device, and what the daemon holds for the address. */
import { sh } from '../../screen/shell.ts';
import { duration } from '../../screen/span.ts';
import type { HeldAccount } from '../../observe/history/account.ts';
import type { Facts } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import {
  givenDirectory,
  givenListen,
  isLocal,
  netnsWords,
  raisesMisses,
  served,
  setRecord,
} from '../view.ts';

export function daemon(facts: Facts): Finding[] {
  const { device, daemon: asked } = facts;
  const account = served(facts);
  if (account === undefined) {
    if (device.locked)
      return [
        finding(
          'daemon',
          'unknown',
          `a missd serves ${device.link.name}, but not at ${asked.url} (--listen)`,
        ),
      ];
    const why =
      asked.account === undefined ? `no answer at ${asked.url}` : `the one at ${asked.url} does not serve it`;
    return [unserved(facts, `no missd serves ${device.link.name}: ${why}`)];
  }
  const findings: Finding[] = [];
  const { neighbour, fdb, absent, local, inFlight } = account;
  const { withdrawalGuard = false, directory } = asked.account ?? {};
  if (inFlight !== undefined)
    findings.push(
      finding('daemon', 'warn', `is looking it up, for ${inFlight.askers} that asked`, { age: inFlight.ago }),
    );
  if (absent !== undefined)
    findings.push(
      finding(
        'daemon',
        // If this command cannot read the directory, the daemon's negative cache is the only evidence.
        facts.directory.down === undefined ? 'note' : 'bad',
        `has it in the negative cache for ${absent.left.toFixed(1)} s more`,
        {
          age: absent.ago,
          cause: {
            name: 'no_record',
            says: `${facts.address} is unknown: the daemon found no record for it`,
            next: setRecord(facts),
          },
        },
      ),
    );
  if (local !== undefined)
    findings.push(
      finding('daemon', 'note', `remembers that it is on this host, for ${local.left.toFixed(1)} s more`, {
        age: local.ago,
      }),
    );
  if (neighbour !== undefined)
    findings.push(finding('daemon', 'ok', `holds ${facts.address} as ${neighbour.mac}, ${from(neighbour)}`));
  if (fdb !== undefined)
    findings.push(finding('daemon', 'ok', `holds ${fdb.mac} behind ${fdb.vtep}, ${from(fdb)}`));
  if (findings.length === 0)
    findings.push(finding('daemon', 'ok', 'serves the device; holds no entry for the address'));
  if (withdrawalGuard)
    findings.push(
      finding(
        'daemon',
        'warn',
        `keeps entries of VNI ${facts.vni} whose records went all at once (--withdrawal-grace)`,
      ),
    );
  if (!account.verified && directory?.up !== true)
    findings.push(finding('daemon', 'note', 'has not compared its entries with the directory yet'));
  return findings;
}

const from = ({ source, checkedAgo, usedAgo }: HeldAccount): string => {
  const of = source.kind === 'adopted' ? 'adopted at start' : `from ${source.kind}:${source.name}`;
  return `${of}, read ${duration(checkedAgo)} ago, used ${duration(usedAgo)} ago`;
};

/** A missing daemon is a fault only if the address needs an entry and has none. */
function unserved(facts: Facts, text: string): Finding {
  const { device, ip, neighbour, fdb } = facts;
  const known = ip === undefined ? fdb : neighbour;
  const needed = raisesMisses(facts) && !isLocal(facts) && known === undefined;
  if (!needed) return finding('daemon', 'note', text);
  return finding('daemon', 'bad', text, {
    cause: {
      name: 'no_daemon',
      says: `no missd serves ${device.link.name}, so its misses stay unanswered`,
      next: sh`missd run ${[...netnsWords(facts), '--device', device.link.name, ...givenDirectory(facts), ...givenListen(facts)]}`,
    },
  });
}
