/** The device's neighbour entry: the MAC that the kernel answers for the address. */
import {
  NTF_EXT_LEARNED,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
} from '../../kernel/netlink.ts';
import { allOf, sh } from '../../screen/shell.ts';
import { duration } from '../../screen/span.ts';
import { isStaleProbe, isOurNeighbour, isPermanent } from '../../entries/ownership.ts';
import type { Neighbour } from '../../base/vocabulary.ts';
import type { Facts, NeighbourFacts } from '../facts.ts';
import { type Finding, finding } from '../finding.ts';
import { here, isLocal, isServed } from '../view.ts';

const STATES = new Map([
  [NUD_INCOMPLETE, 'INCOMPLETE'],
  [NUD_REACHABLE, 'REACHABLE'],
  [NUD_STALE, 'STALE'],
  [NUD_DELAY, 'DELAY'],
  [NUD_PROBE, 'PROBE'],
  [NUD_FAILED, 'FAILED'],
  [NUD_NOARP, 'NOARP'],
  [NUD_PERMANENT, 'PERMANENT'],
]);

/** States from which a bridged VXLAN device answers ARP (arp_reduce in drivers/net/vxlan/vxlan_core.c). */
const ANSWERING = NUD_NOARP | NUD_PERMANENT | NUD_REACHABLE;
const ASKING = NUD_INCOMPLETE | NUD_FAILED;

export function neighbour(facts: Facts): Finding[] {
  if (facts.ip === undefined) return [];
  const { neighbour: found } = facts;
  return found === undefined ? [none(facts)] : present(facts, found);
}

function none(facts: Facts): Finding {
  const { link, bridge } = facts.device;
  const { proxy, l3miss } = link.vxlan;
  if (isLocal(facts)) return finding('neighbour', 'ok', 'none, as it should be for a local address');
  if (bridge === undefined)
    return finding('neighbour', 'note', 'none: the first packet makes the kernel ask');
  if (!proxy)
    return finding('neighbour', 'note', `none: ${link.name} has no proxy, questions go through the tunnel`);
  if (l3miss) return finding('neighbour', 'note', 'none: the first question raises an L3 miss');
  return finding('neighbour', 'bad', 'none, and without l3miss a missing one raises no miss', {
    cause: {
      name: 'no_l3miss',
      says: `${link.name} has no l3miss: questions for ${facts.address} are dropped and raise no miss`,
      // The kernel takes the flag only when the device is created.
      next: allOf(facts.device.recreate),
    },
  });
}

function present(facts: Facts, { row, updatedAgo }: NeighbourFacts): Finding[] {
  const { expected } = facts;
  const age = updatedAgo === undefined ? {} : { age: updatedAgo };
  const written = updatedAgo === undefined ? '' : `, written ${duration(updatedAgo)} ago`;
  const via = row.ip === facts.ip ? '' : `${row.ip} `;
  const text = `${via}${row.lladdr ?? 'no MAC yet'} ${stateOf(row)}, ${ownerOf(row)}${written}`;
  const ours = isOurNeighbour(row) || isStaleProbe(row);
  const dead = blackhole(facts, row);
  if (dead !== undefined) return [finding('neighbour', 'bad', text, { ...age, cause: dead })];
  // The neighbour of a route's gateway has the MAC of the lease, not the MAC of the address.
  if (expected === undefined || row.lladdr === expected.mac || row.ip !== facts.ip)
    return [finding('neighbour', 'ok', text, age)];
  const wrong = `${facts.address} is ${row.lladdr ?? 'nothing'} in the kernel and ${expected.mac} by the directory`;
  const remove = here(facts, sh`ip neigh del ${row.ip} dev ${facts.device.link.name}`);
  if (!ours) {
    const cause = {
      name: 'foreign_entry',
      says: `${isPermanent(row) ? 'a permanent' : 'a foreign'} neighbour entry overrides the record: ${wrong}`,
      next: remove,
    } as const;
    return [finding('neighbour', 'bad', text, { ...age, cause })];
  }
  const cause = { name: 'not_as_recorded', says: wrong, next: remove } as const;
  return [finding('neighbour', isServed(facts) ? 'warn' : 'bad', text, { ...age, cause })];
}

/** An entry in such a state neither answers nor raises a miss. */
function blackhole(facts: Facts, row: Neighbour): Finding['cause'] {
  if ((row.state & ANSWERING) !== 0) return undefined;
  const routed = facts.device.bridge === undefined;
  if (routed && (row.state & ASKING) === 0) return undefined;
  const state = stateOf(row);
  return {
    name: 'stale_neighbour',
    says: routed
      ? `the kernel asked for ${row.ip} and got no answer (${state})`
      : `the entry of ${facts.address} is ${state}: it neither answers nor raises a miss`,
    next: here(facts, sh`ip neigh del ${row.ip} dev ${facts.device.link.name}`),
  };
}

export const stateOf = ({ state }: { state: number }): string =>
  [...STATES].flatMap(([bit, name]) => ((state & bit) === 0 ? [] : [name])).join(',') || 'NONE';

function ownerOf(row: Neighbour): string {
  if (isOurNeighbour(row)) return 'missd’s';
  if (isStaleProbe(row)) return 'missd’s, tested for use';
  if (isPermanent(row)) return 'set by hand or another program, permanent';
  if ((row.flags & NTF_EXT_LEARNED) !== 0 || row.protocol !== 0)
    return `another program’s (proto ${row.protocol})`;
  return 'the kernel’s own';
}
