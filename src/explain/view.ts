/** Predicates on the facts, and command lines, that several stages use. */
import type { DeviceAccount } from '../observe/history/account.ts';
import { type CommandLine, type Word, blank, extended, remarked, sh, typed } from '../screen/shell.ts';
import { isPermanent } from '../entries/ownership.ts';
import { NTF_EXT_LEARNED, NUD_NOARP } from '../kernel/netlink.ts';
import type { Facts } from './facts.ts';

/** A command of iproute2, to be typed, in the device's namespace. */
export const here = ({ device }: Facts, command: CommandLine): CommandLine => typed(device.path, command);

/** The daemon's account of this device. */
export const served = ({ daemon, device }: Facts): DeviceAccount | undefined =>
  daemon.account?.devices.find(
    ({ name, ifindex }) => name === device.link.name && ifindex === device.link.ifindex,
  );

/** A missd answers the device's misses. */
export const isServed = (facts: Facts): boolean => facts.device.locked || served(facts) !== undefined;

/** The device raises misses, for missd or for another program. */
export const raisesMisses = ({ device: { link } }: Facts): boolean => link.vxlan.l2miss || link.vxlan.l3miss;

/** The record names a VTEP of this host. */
export const isRecordedHere = ({ expected, device }: Facts): boolean =>
  expected !== undefined && device.ownVteps.includes(expected.vtep);

/** An interface of this namespace has the address, as a gateway for example. */
export const isAssignedHere = ({ device }: Facts): boolean => device.assignedTo.length > 0;

/** The address is on this host, so frames to it do not need the VXLAN device. */
export const isLocal = (facts: Facts): boolean => isRecordedHere(facts) || isAssignedHere(facts);

/** A guest's ping got an answer. */
export const isProven = ({ guest }: Facts): boolean => guest?.small?.outcome === 'answered';

/** ms within which the bridge hears an active guest. */
export const RECENT = 30_000;

/**
 * ms since the bridge learned the MAC from the tunnel, if that was recent. The MAC's host is then up, even if a filter
 * drops pings. It does not prove that frames from here reach that host.
 */
export function heardThroughTunnel({ bridged }: Facts): number | undefined {
  if (bridged?.behindTunnel !== true || isPermanent(bridged.row)) return undefined;
  if ((bridged.row.state & NUD_NOARP) !== 0 || (bridged.row.flags & NTF_EXT_LEARNED) !== 0) return undefined;
  return bridged.row.updatedAgo < RECENT ? bridged.row.updatedAgo : undefined;
}

/** Options of another missd command for the same namespace. */
export const netnsWords = ({ device: { path } }: Facts): string[] =>
  path === null ? [] : ['--netns', path.replace(/^\/run\/netns\//, '')];

/** Options of another missd command for the same directory. */
export const givenDirectory = ({ directory }: Facts): readonly string[] => directory.given ?? [];

/** Options of another missd command for the same daemon. */
export const givenListen = ({ daemon }: Facts): readonly string[] => daemon.given ?? [];

/** The command that shows whether the directory answers. */
export const tryDirectory = ({ directory }: Facts): CommandLine =>
  directory.client === undefined ? sh`ls -l ${directory.name}` : extended(directory.client, 'PING');

/** The command that corrects the record; for a file, the editor and the line to write. */
export function setRecord(facts: Facts, mac?: Word, vtep?: Word): CommandLine {
  const { vni, expected, directory } = facts;
  const ip = facts.ip ?? blank('IP');
  const its = [mac ?? expected?.mac ?? blank('MAC'), vtep ?? expected?.vtep ?? blank('VTEP')] as const;
  if (directory.client !== undefined)
    return sh`missd endpoint set ${vni} ${ip} ${its} ${givenDirectory(facts)}`;
  return remarked(sh`vi ${directory.name}`, sh`VNI ${vni}: ${ip} is ${its[0]} behind ${its[1]}`);
}

/** This command again, with further options. */
export const explainAgain = (facts: Facts, ...words: readonly Word[]): CommandLine =>
  sh`missd explain ${facts.vni} ${facts.address} ${[
    ...netnsWords(facts),
    ...words,
    ...givenDirectory(facts),
    ...givenListen(facts),
  ]}`;

/** This command, for another host. */
export const explainThere = (facts: Facts, where: string): CommandLine =>
  remarked(sh`missd explain ${facts.vni} ${facts.address} ${givenDirectory(facts)}`, `on ${where}`);
