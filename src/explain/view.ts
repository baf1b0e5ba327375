/** What several stages ask of the facts, and how they name things. */
import { typed } from '../inspect/inside.ts';
import type { DeviceAccount } from '../history/account.ts';
import type { Facts } from './facts.ts';

/** A command of iproute2 as one would type it for the device's namespace. */
export const here = ({ device }: Facts, command: string): string => typed(device.path, command);

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

/** For a command of missd that looks at the same namespace. */
export const netnsFlag = ({ device: { path } }: Facts): string =>
  path === null ? '' : ` --netns ${path.replace(/^\/run\/netns\//, '')}`;

/** Shows whether the directory is there. */
export const tryDirectory = ({ directory }: Facts): string =>
  directory.client === undefined ? `ls -l ${directory.name}` : `${directory.client} PING`;

/** The record, as a command that sets it right. */
export const setRecord = ({ vni, ip, expected }: Facts, mac?: string, vtep?: string): string =>
  `missd endpoint set ${vni} ${ip ?? '<IP>'} ${mac ?? expected?.mac ?? '<MAC>'} ${vtep ?? expected?.vtep ?? '<VTEP>'}`;

/** This command, to be run elsewhere. */
export const explainThere = ({ vni, address }: Facts, where: string): string =>
  `missd explain ${vni} ${address}   # on ${where}`;
