/**
 * An adopted FDB entry that no neighbour uses was written by an L2 miss, mostly from the `ip:` record of an address that
 * nobody here remembers after a restart. Before it counts as an orphan the records of its VNI are searched for that
 * address: it is deleted and missed again otherwise, while a guest sends to it.
 */
import type { Directory } from '../directory/directory.ts';
import type { ServedDevice } from '../served/device.ts';
import type { Mac } from '../vocabulary.ts';

/** Whether there are adopted FDB entries whose record is not known where to look for. */
export const hasUntraced = (device: ServedDevice): boolean => untraced(device).next().done !== true;

/** Searches the VNI once for all of them. @throws when the directory does not answer */
export async function searchLone(device: ServedDevice, directory: Directory): Promise<void> {
  const { tables, vni } = device;
  const macs = new Set(untraced(device));
  if (macs.size === 0) return;
  for (const [mac, ips] of await directory.usersOf(vni, macs)) for (const ip of ips) tables.remember(mac, ip);
}

function* untraced({ tables }: ServedDevice): Generator<Mac> {
  for (const { mac, source } of tables.lone.values())
    if (source.kind === 'adopted' && tables.addressesOf(mac).length === 0) yield mac;
}
