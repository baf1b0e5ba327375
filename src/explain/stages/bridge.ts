/** The bridge's FDB entry for the MAC, which decides whether a frame reaches the VXLAN device at all. */
import { blank, sh } from '../../screen/shell.ts';
import { duration } from '../../screen/span.ts';
import { isConfigured, isPermanent } from '../../entries/ownership.ts';
import type { BridgedFacts, Facts } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import { RECENT, here, isAssignedHere, isProven, isRecordedHere, isServed, setRecord } from '../view.ts';

export function bridge(facts: Facts): Finding[] {
  const { device, expected, bridged, vni, address } = facts;
  if (isAssignedHere(facts)) {
    const where = device.assignedTo.join(', ');
    if (expected === undefined || isRecordedHere(facts))
      return [finding('bridge', 'ok', `${address} is an address of ${where}: it is on this host`)];
    const ofVni = [device.link.name, device.bridge?.name].some(
      (name) => name !== undefined && device.assignedTo.includes(name),
    );
    const whose = ofVni ? '' : `, which is no address of VNI ${vni}`;
    return [
      finding('bridge', 'bad', `${address} is an address of ${where} here${whose}`, {
        cause: {
          name: 'two_owners',
          // Whether the record or the interface is wrong cannot be determined from this host.
          says: `this host has ${address} itself, on ${where} here${whose}, so nothing here is sent to ${expected.mac} behind ${expected.vtep}, where the directory has it`,
          next: here(facts, sh`ip address show to ${address}`),
        },
      }),
    ];
  }
  if (device.bridge === undefined) return [];
  if (isRecordedHere(facts)) return [atHome(facts)];
  if (bridged === undefined || bridged.behindTunnel) return [];
  return [elsewhere(facts, bridged)];
}

/** The record names this host, so the bridge should have learned the MAC on a guest port. */
function atHome(facts: Facts): Finding {
  const { device, directory, expected, bridged, address } = facts;
  const mac = expected?.mac ?? '';
  const name = device.bridge?.name ?? '';
  if (bridged !== undefined && !bridged.behindTunnel) {
    const age = bridged.row.updatedAgo / 1000;
    return finding('bridge', 'ok', `it is on this host: ${name} hears ${mac} on ${bridged.port}`, { age });
  }
  if (bridged !== undefined) return behindTunnel(facts, bridged);
  if (isProven(facts))
    return finding(
      'bridge',
      'ok',
      `it is on this host: ${name} does not hear ${mac}, but it answered the guest`,
    );
  const unlearned = whenUnlearned(facts, mac);
  if (unlearned !== undefined) return sinceUnlearned(facts, mac, unlearned);
  const strangers = directory.complete ? device.heard.filter((heard) => !directory.macs.has(heard.mac)) : [];
  const [first] = strangers;
  const also = strangers.map((one) => `${one.mac} on ${one.port}`).join(', ');
  const instead = first === undefined ? '' : `; it hears ${also}, which no record names`;
  const next =
    first !== undefined && strangers.length === 1
      ? setRecord(facts, first.mac)
      : here(facts, sh`bridge fdb show br ${name} | grep -v permanent`);
  return finding('bridge', 'bad', `the record says it is here, but ${name} does not hear ${mac}${instead}`, {
    cause: {
      name: 'not_here',
      says:
        first === undefined
          ? `${address} is here by the directory, and ${name} has not heard ${mac} for minutes: silent, down, or on another host`
          : `${address} is here by the directory as ${mac}, which ${name} does not hear; it hears ${also} instead: wrong MAC`,
      next,
    },
  });
}

/** Seconds since missd removed the bridge's learned entry of the MAC; undefined if it did not. */
function whenUnlearned({ daemon }: Facts, mac: string): number | undefined {
  const events = daemon.account?.events ?? [];
  return events.findLast(
    ({ kind, why, address }) => kind === 'mended' && why === 'removed_bridge_entry' && address === mac,
  )?.ago;
}

/** The bridge has no entry for the MAC now and floods its frames, so the guest gets them if it is on this host. */
function sinceUnlearned(facts: Facts, mac: string, ago: number): Finding {
  const name = facts.device.bridge?.name ?? '';
  const text = `the record says it is here; ${name} had ${mac} behind the tunnel from a stray frame, and missd removed that ${duration(ago)} ago`;
  return finding('bridge', 'warn', text, {
    cause: {
      name: 'bridge_memory',
      says: `${facts.address} has been silent since missd had ${name} unlearn that ${mac} is behind the tunnel; until it speaks its frames go to every port`,
      next: here(facts, sh`bridge fdb show br ${name} | grep -F ${mac}`),
    },
  });
}

/** The bridge learned the MAC from a frame out of the tunnel: a loop, or a late frame from a guest's previous host. */
function behindTunnel(facts: Facts, { row, port }: BridgedFacts): Finding {
  const { device, address } = facts;
  const name = device.bridge?.name ?? '';
  const age = row.updatedAgo / 1000;
  const text = `the record says it is here, but ${name} has ${row.lladdr} behind the tunnel, on ${port}`;
  const made = isConfigured(row);
  const because = made
    ? 'by a configured entry, which missd leaves alone'
    : `since a frame from it came out of ${port} ${duration(age)} ago`;
  const repair = made || !isServed(facts) ? '' : '; missd removes that entry at the next frame to it';
  return finding('bridge', 'bad', text, {
    age,
    cause: {
      name: made ? 'foreign_entry' : 'bridge_memory',
      says: `${address} is here by the directory, and ${name} sends its frames into the tunnel ${because}${repair}`,
      next: here(facts, sh`bridge fdb del ${row.lladdr} dev ${port} master`),
    },
  });
}

function elsewhere(facts: Facts, { row, port }: BridgedFacts): Finding {
  const { device, expected, address } = facts;
  const name = device.bridge?.name ?? '';
  const age = row.updatedAgo / 1000;
  const how = isPermanent(row) ? 'permanent' : 'static';
  const text = `${name} has ${row.lladdr} on ${port}${isConfigured(row) ? `, by a ${how} entry` : ''}`;
  const remove = here(facts, sh`bridge fdb del ${row.lladdr} dev ${port} master`);
  if (isConfigured(row)) {
    const says = `a ${how} bridge entry keeps ${row.lladdr} on ${port} here: its frames never reach the tunnel`;
    return finding('bridge', 'bad', text, { age, cause: { name: 'foreign_entry', says, next: remove } });
  }
  if (expected === undefined) return finding('bridge', 'ok', `${text}: it is on this host`, { age });
  if (row.updatedAgo < RECENT) {
    const says = `${address} has two owners: ${row.lladdr} sends on ${port} here, and is behind ${expected.vtep} by the directory`;
    const next = setRecord(facts, row.lladdr, device.link.vxlan.local ?? blank('VTEP'));
    return finding('bridge', 'bad', text, { age, cause: { name: 'two_owners', says, next } });
  }
  const says = `${name} remembers ${row.lladdr} on ${port} from ${duration(age)} ago and sends its frames there`;
  return finding('bridge', 'warn', text, { age, cause: { name: 'bridge_memory', says, next: remove } });
}
