/**
 * An adopted FDB entry that no neighbour uses was written by an L2 miss, mostly from the `ip:` record of an address that is
 * unknown after a restart. Before the entry counts as an orphan, the records of its VNI are searched for that address;
 * otherwise an entry in use would be deleted and missed again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Directory } from '../directory/directory.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Mac } from '../base/vocabulary.ts';

/** Between a search that failed and the next, ms. */
const REST = 1_000;

/** Whether there are adopted FDB entries whose address is unknown. */
export const hasUntraced = (device: ServedDevice): boolean => untraced(device).next().done !== true;

/** Searches the VNI once for all of them. @throws when the directory does not answer */
export async function searchLone(device: ServedDevice, directory: Directory): Promise<void> {
  const { tables, vni } = device;
  const macs = new Set(untraced(device));
  if (macs.size === 0) return;
  for (const [mac, ips] of await directory.usersOf(vni, macs)) for (const ip of ips) tables.remember(mac, ip);
}

/** Repeats the search until the directory answers. */
export async function searchUntilAnswered(device: ServedDevice, directory: Directory): Promise<void> {
  while (!device.gone)
    try {
      await searchLone(device, directory);
      return;
    } catch {
      await sleep(REST, undefined, { ref: false });
    }
}

function* untraced({ tables }: ServedDevice): Generator<Mac> {
  for (const { mac, source } of tables.lone.values())
    if (source.kind === 'adopted' && tables.addressesOf(mac).length === 0) yield mac;
}
