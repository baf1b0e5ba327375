/** Which held entries are to be read again, and in what order. */
import type { HeldEntry, Recheck } from './full-resync.ts';
import type { Clock } from '../base/clock.ts';
import type { ServedDevice } from '../model/device.ts';

/** Entries of a device rechecked per second. */
const MOST_DUE = 5_000;

/** Neighbours, and FDB entries without a neighbour, except unproven ones. */
export function heldBy(device: ServedDevice): HeldEntry[] {
  const { neighbours, lone, unproven } = device.tables;
  const entries: HeldEntry[] = [];
  for (const key of neighbours.keys()) entries.push({ device, table: 'neighbour', key });
  for (const key of lone.keys()) if (!unproven.has(key)) entries.push({ device, table: 'fdb', key });
  return entries;
}

/** Held entries whose records were read longest ago. */
export class RefreshQueue {
  readonly #devices: () => ServedDevice[];
  /** How old an answer may become, ms. */
  lifetime: number;
  readonly #now: Clock;
  #readingSince: number | undefined;

  /** @param lifetime how old an answer may become, ms */
  constructor(devices: () => ServedDevice[], lifetime: number, now: Clock) {
    this.#devices = devices;
    this.lifetime = lifetime;
    this.#now = now;
  }

  /** Takes entries that are too old, the oldest first. They count as read from now on, so that none is taken twice. */
  take(): Recheck[] {
    const now = this.#now();
    return this.#devices().flatMap((device) => due(device, now - this.lifetime, now));
  }

  /** Notes that a batch is being read. @returns the batch */
  reading(batch: Recheck[]): Recheck[] {
    if (batch.some(({ cause }) => cause === 'lifetime')) this.#readingSince ??= this.#now();
    return batch;
  }

  /** Notes that a batch has been read. */
  read(batch: readonly Recheck[]): void {
    if (batch.length > 0) this.#readingSince = undefined;
  }

  /** Age of the oldest answer, ms; 0 when nothing is held. */
  get oldest(): number {
    const times = this.#devices().flatMap(({ tables }) => {
      const [neighbour] = tables.neighbours.values();
      const [lone] = tables.lone.values();
      return [neighbour, lone].flatMap((entry) => entry?.checkedAt ?? []);
    });
    // Entries being read are a lifetime old already, although they count as read.
    if (times.length > 0 && this.#readingSince !== undefined) times.push(this.#readingSince - this.lifetime);
    return times.length === 0 ? 0 : this.#now() - Math.min(...times);
  }
}

function due(device: ServedDevice, before: number, now: number): Recheck[] {
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
