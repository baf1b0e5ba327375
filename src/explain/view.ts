/** What several stages ask of the facts, and how they name things. */
import type { DeviceAccount } from '../observe/history/account.ts';
import { type CommandLine, type Word, blank, extended, remarked, sh, typed } from '../screen/shell.ts';
import { isPermanent } from '../entries/ownership.ts';
import { NTF_EXT_LEARNED, NUD_NOARP } from '../kernel/netlink.ts';
import type { Facts } from './facts.ts';

/** A command of iproute2 as one would type it for the device's namespace. */
export const here = ({ device }: Facts, command: CommandLine): CommandLine => typed(device.path, command);

/** What the daemon says of this very device. */
export const served = ({ daemon, device }: Facts): DeviceAccount | undefined =>
  daemon.account?.devices.find(
    ({ name, ifindex }) => name === device.link.name && ifindex === device.link.ifindex,
  );

/** Some missd answers the device's misses. */
export const isServed = (facts: Facts): boolean => facts.device.locked || served(facts) !== undefined;

/** Made for somebody who answers misses, be it missd or not. */
export const raisesMisses = ({ device: { link } }: Facts): boolean => link.vxlan.l2miss || link.vxlan.l3miss;

/** The directory says that the address is on this host. */
export const isRecordedHere = ({ expected, device }: Facts): boolean =>
  expected !== undefined && device.ownVteps.includes(expected.vtep);

/** The address is an interface's of this namespace, a gateway for one. */
export const isAssignedHere = ({ device }: Facts): boolean => device.assignedTo.length > 0;

/** Frames to it need nothing of the VXLAN device. */
export const isAtHome = (facts: Facts): boolean => isRecordedHere(facts) || isAssignedHere(facts);

/** A guest got an answer through all of it, whatever there is to say against it. */
export const isProven = ({ guest }: Facts): boolean => guest?.small?.outcome === 'answered';

/** Less than this ago is now, ms; a guest that talks is heard more often. */
export const LATELY = 30_000;

/**
 * ms since a frame of the MAC came out of the tunnel, where the bridge has heard one lately: its host is there, whatever
 * filters keep from us. No proof that ours arrive there.
 */
export function heardThroughTunnel({ bridged }: Facts): number | undefined {
  if (bridged?.behindTunnel !== true || isPermanent(bridged.row)) return undefined;
  if ((bridged.row.state & NUD_NOARP) !== 0 || (bridged.row.flags & NTF_EXT_LEARNED) !== 0) return undefined;
  return bridged.row.updatedAgo < LATELY ? bridged.row.updatedAgo : undefined;
}

/** For a command of missd that looks at the same namespace. */
export const netnsWords = ({ device: { path } }: Facts): string[] =>
  path === null ? [] : ['--netns', path.replace(/^\/run\/netns\//, '')];

/** For a command of missd that is to use the same directory. */
export const givenDirectory = ({ directory }: Facts): readonly string[] => directory.given ?? [];

/** For one that is to ask the same daemon. */
export const givenListen = ({ daemon }: Facts): readonly string[] => daemon.given ?? [];

/** Shows whether the directory is there. */
export const tryDirectory = ({ directory }: Facts): CommandLine =>
  directory.client === undefined ? sh`ls -l ${directory.name}` : extended(directory.client, 'PING');

/** The record, as a command that sets it right. Of a file: where to write, and what. */
export function setRecord(facts: Facts, mac?: Word, vtep?: Word): CommandLine {
  const { vni, expected, directory } = facts;
  const ip = facts.ip ?? blank('IP');
  const its = [mac ?? expected?.mac ?? blank('MAC'), vtep ?? expected?.vtep ?? blank('VTEP')] as const;
  if (directory.client !== undefined)
    return sh`missd endpoint set ${vni} ${ip} ${its} ${givenDirectory(facts)}`;
  return remarked(sh`vi ${directory.name}`, sh`VNI ${vni}: ${ip} is ${its[0]} behind ${its[1]}`);
}

/** This command once more, with what else it is to look at. */
export const explainAgain = (facts: Facts, ...words: readonly Word[]): CommandLine =>
  sh`missd explain ${facts.vni} ${facts.address} ${[
    ...netnsWords(facts),
    ...words,
    ...givenDirectory(facts),
    ...givenListen(facts),
  ]}`;

/** This command, to be run elsewhere. */
export const explainThere = (facts: Facts, where: string): CommandLine =>
  remarked(sh`missd explain ${facts.vni} ${facts.address} ${givenDirectory(facts)}`, `on ${where}`);
