/** Which held entries are to be read again, and in what order. */
import type { ServedDevice } from '../served/device.ts';
import type { HeldEntry, Recheck } from './recheck.ts';

/** Entries whose answers are checked again in one go of the clock, which comes every second. */
const MOST_DUE = 5_000;

/** Neighbours with their MACs, and the FDB entries that no neighbour uses. */
export function heldBy(device: ServedDevice): HeldEntry[] {
  const { neighbours, lone } = device.tables;
  const entries: HeldEntry[] = [];
  for (const key of neighbours.keys()) entries.push({ device, table: 'neighbour', key });
  for (const key of lone.keys()) entries.push({ device, table: 'fdb', key });
  return entries;
}

/** Entries read before `before`, the oldest first; they count as read from now on, so that none is asked for twice. */
export function due(device: ServedDevice, before: number, now: number): Recheck[] {
  const { tables } = device;
  const rechecks: Recheck[] = [];
  for (const neighbour of tables.neighbours.values()) {
    if (neighbour.checkedAt > before || rechecks.length >= MOST_DUE) break;
    rechecks.push({ device, table: 'neighbour', key: neighbour.ip, cause: 'lifetime' });
    tables.checkNeighbour(neighbour, neighbour.source, now);
  }
  for (const entry of tables.lone.values()) {
    if (entry.checkedAt > before || rechecks.length >= MOST_DUE) break;
    rechecks.push({ device, table: 'fdb', key: entry.mac, cause: 'lifetime' });
    tables.checkFdb(entry, entry.source, now);
  }
  return rechecks;
}

/** When the entry longest unread was read, monotonic ms; undefined when nothing is held. */
export function oldestCheck(devices: readonly ServedDevice[]): number | undefined {
  const oldest = devices.flatMap(({ tables }) => {
    for (const { checkedAt } of tables.neighbours.values()) return [checkedAt];
    return [];
  });
  return oldest.length === 0 ? undefined : Math.min(...oldest);
}
