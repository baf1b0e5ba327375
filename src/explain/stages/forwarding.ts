/** The device's FDB entry: behind which VTEP the MAC is. */
import { NTF_EXT_LEARNED } from '../../kernel/netlink.ts';
import { type CommandLine, blank, device as deviceWord, sh } from '../../screen/shell.ts';
import { duration } from '../../screen/span.ts';
import { isOurFdbEntry, isOurNeighbour, isPermanent } from '../../entries/ownership.ts';
import type { FdbEntry } from '../../base/vocabulary.ts';
import type { Facts } from '../facts.ts';
import { type Cause, type Finding, finding } from '../finding.ts';
import { here, isLocal, isServed, served } from '../view.ts';

export function forwarding(facts: Facts): Finding[] {
  const { mac, fdb } = facts;
  if (mac === undefined || isLocal(facts)) return fdb === undefined ? [] : [stray(facts, fdb)];
  return [fdb === undefined ? none(facts, mac) : present(facts, fdb)];
}

/** The address is on this host, and an FDB entry would still send its frames into the tunnel. */
const stray = (facts: Facts, row: FdbEntry): Finding =>
  finding('FDB', 'warn', `${describe(facts, row)} although the address is on this host`, {
    cause: {
      name: 'not_as_recorded',
      says: `${row.lladdr} is on this host and has an FDB entry to ${row.vtep ?? 'nowhere'}`,
      next: removal(facts, row),
    },
  });

function none(facts: Facts, mac: string): Finding {
  const { device, neighbour, expected } = facts;
  const { link, defaultRemote } = device;
  const answered = neighbour?.row.lladdr !== undefined;
  if (defaultRemote !== undefined) {
    const text = `none for ${mac}: frames go to the default remote ${defaultRemote}, and no L2 miss is raised`;
    if (!link.vxlan.l2miss) return finding('FDB', 'note', text);
    return finding('FDB', answered || facts.ip === undefined ? 'bad' : 'warn', text, {
      cause: {
        name: 'default_remote',
        says: `${link.name} has a default remote (${defaultRemote}): ${mac} goes there and raises no L2 miss`,
        next: here(
          facts,
          sh`ip link set ${deviceWord(link.name)} type vxlan id ${link.vxlan.vni} remote ${anyOf(defaultRemote)}`,
        ),
      },
    });
  }
  const asks = link.vxlan.l2miss && isServed(facts);
  if (!answered && facts.ip !== undefined)
    return finding('FDB', 'note', `none for ${mac}: it comes with the neighbour`);
  if (asks && expected !== undefined)
    return finding('FDB', 'note', `none for ${mac}: the next frame raises an L2 miss, which missd answers`);
  const text = link.vxlan.l2miss
    ? `none for ${mac}: frames are dropped, and their L2 misses stay unanswered`
    : `none for ${mac}: frames are dropped and raise no miss (no l2miss)`;
  const cause: Cause = {
    name: 'missing_fdb',
    says: `${mac} has no FDB entry on ${link.name}: frames to it are dropped`,
    next: here(
      facts,
      sh`bridge fdb add ${mac} dev ${link.name} dst ${expected?.vtep ?? blank('VTEP')} self extern_learn dynamic`,
    ),
  };
  return finding('FDB', 'bad', text, { cause });
}

const anyOf = (remote: string): string => (remote.includes(':') ? '::' : '0.0.0.0');

function present(facts: Facts, row: FdbEntry): Finding {
  const { device, expected } = facts;
  const rest = { age: row.updatedAgo / 1000 };
  const text = describe(facts, row);
  if (expected === undefined || row.vtep === expected.vtep || row.lladdr !== expected.mac)
    return finding('FDB', 'ok', text, rest);
  const wrong = `${row.lladdr} is behind ${row.vtep ?? 'nothing'} in the kernel, behind ${expected.vtep} by the directory`;
  const foreign = !isOurFdbEntry(row) && !(device.link.vxlan.learning && !isPermanent(row));
  if (foreign) {
    const whose = isPermanent(row) ? 'a permanent' : 'a foreign';
    const cause: Cause = {
      name: 'foreign_entry',
      says: `${whose} FDB entry overrides the record: ${wrong}`,
      next: removal(facts, row),
    };
    return finding('FDB', 'bad', text, { ...rest, cause });
  }
  const cause: Cause = { name: 'not_as_recorded', says: wrong, next: removal(facts, row) };
  return finding('FDB', isServed(facts) ? 'warn' : 'bad', text, { ...rest, cause });
}

/** The command names no VTEP: with one, the kernel silently removes nothing if the entry has an outgoing interface. */
const removal = (facts: Facts, { lladdr }: FdbEntry): CommandLine =>
  here(facts, sh`bridge fdb del ${lladdr} dev ${facts.device.link.name} self`);

const describe = (facts: Facts, row: FdbEntry): string =>
  `${row.lladdr} behind ${row.vtep ?? 'nothing'}, ${ownerOf(facts, row)}, written ${duration(row.updatedAgo / 1000)} ago, used ${duration(row.usedAgo / 1000)} ago`;

/** A VXLAN FDB entry names no owner, and other programs set extern_learn as well. */
function ownerOf(facts: Facts, row: FdbEntry): string {
  if (isPermanent(row)) return 'set by hand or another program, permanent';
  if ((row.flags & NTF_EXT_LEARNED) === 0) return 'learned or set by hand';
  const { neighbour } = facts;
  const known =
    served(facts)?.fdb?.mac === row.lladdr || (neighbour !== undefined && isOurNeighbour(neighbour.row));
  return known ? 'missd’s' : 'missd’s or another program’s';
}
