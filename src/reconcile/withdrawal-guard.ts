import type { Vni } from '../base/vocabulary.ts';
import type { ServedDevice } from '../model/device.ts';
import type { HeldFdbEntry, HeldNeighbour } from '../model/desired-tables.ts';
import type { FullResync, HeldEntry, Recheck } from './full-resync.ts';

/**
 * Up to this many losses are taken as intended, whatever their share. Not where hosts publish their guests: they put back within
 * seconds what a directory has lost.
 */
const FEW = 10;

/** A kept entry, and the object held then: another object under the same key has a record of its own. */
interface Kept {
  recheck: Recheck;
  held: HeldNeighbour | HeldFdbEntry;
}

/** Entries of one VNI that lost their records all at once and are kept for a while. */
interface Guarded {
  /** When the first of them lost its record, monotonic ms; later losses do not extend the grace. */
  since: number;
  /** The grace is over and the entries are being read one last time. */
  ending: boolean;
  entries: Map<ServedDevice, Map<string, Kept>>;
}

/**
 * A directory that comes back empty must not take the network down. When more than half of a VNI's held entries, and more
 * than ten, lose their records all at once, they stay for the grace. An entry whose record returns is released.
 */
export class WithdrawalGuard {
  /** Milliseconds. A new value also holds for entries that are kept already: an operator may extend it in an outage. */
  grace: number;
  readonly #vnis = new Map<Vni, Guarded>();

  /** @param grace milliseconds; 0 turns the guard off */
  constructor(grace: number) {
    this.grace = grace;
  }

  /** VNIs with entries being kept. */
  get active(): Vni[] {
    return [...this.#vnis.keys()];
  }

  /** @returns per VNI the number of kept entries, and the end of the grace in monotonic ms */
  kept(): { vni: Vni; entries: number; until: number }[] {
    return [...this.#vnis].map(([vni, { entries, since }]) => {
      const count = [...entries.values()].reduce((sum, { size }) => sum + size, 0);
      return { vni, entries: count, until: since + this.grace };
    });
  }

  /** Whether a resync lost more than half of the entries of a VNI, and more than a few. */
  isMass(resync: FullResync, vni: Vni): boolean {
    const held = resync.held.get(vni) ?? 0;
    const missing = resync.lost.get(vni)?.length ?? 0;
    // A flush removed all records; those present were written again, and the others may follow.
    const lost = resync.reason === 'flush' && missing > 0 ? held : missing;
    const published = resync.devices.some((device) => device.vni === vni && device.learning);
    return this.grace > 0 && lost > (published ? 0 : FEW) && lost > held / 2;
  }

  /** Keeps entries that are still held. Entries of a VNI that is already guarded share its grace. */
  keep(vni: Vni, lost: readonly Recheck[], now: number): void {
    for (const recheck of lost) {
      const held = heldOf(recheck);
      if (held === undefined) continue;
      const guarded = this.#vnis.get(vni) ?? {
        since: now,
        ending: false,
        entries: new Map<ServedDevice, Map<string, Kept>>(),
      };
      this.#vnis.set(vni, guarded);
      const entries = guarded.entries.get(recheck.device) ?? new Map<string, Kept>();
      guarded.entries.set(recheck.device, entries);
      entries.set(recheck.key, { recheck, held });
    }
  }

  keeps({ device, key }: HeldEntry): boolean {
    const kept = this.#vnis.get(device.vni)?.entries.get(device)?.get(key);
    return kept !== undefined && heldOf(kept.recheck) === kept.held;
  }

  /**
   * Releases entries that are no longer held: evicted, idle, or an FDB entry that a neighbour uses by now. An FDB entry
   * that outlives its kept neighbour is kept in its place.
   */
  prune(): void {
    for (const [vni, { entries: devices, since }] of this.#vnis)
      for (const entries of devices.values())
        for (const { recheck, held } of entries.values()) {
          if (heldOf(recheck) === held) continue;
          const { device, table, cause } = recheck;
          const left =
            table === 'neighbour' && heldOf(recheck) === undefined && device.tables.lone.has(held.mac);
          if (left) this.keep(vni, [{ device, table: 'fdb', key: held.mac, cause }], since);
          this.release(recheck);
        }
  }

  /** Ends the keeping of an entry, because its record is back or it is no longer held. */
  release({ device, key }: HeldEntry): void {
    const guarded = this.#vnis.get(device.vni);
    const entries = guarded?.entries.get(device);
    if (guarded === undefined || entries?.delete(key) !== true) return;
    if (entries.size === 0) guarded.entries.delete(device);
    if (guarded.entries.size === 0) this.#vnis.delete(device.vni);
  }

  forget(device: ServedDevice): void {
    const guarded = this.#vnis.get(device.vni);
    guarded?.entries.delete(device);
    if (guarded?.entries.size === 0) this.#vnis.delete(device.vni);
  }

  /** @returns entries whose grace is over; the caller reads them one last time, and they stay kept until `end` */
  expire(now: number): Recheck[] {
    const over: Recheck[] = [];
    for (const guarded of this.#vnis.values()) {
      if (guarded.since + this.grace > now || guarded.ending) continue;
      guarded.ending = true;
      for (const kept of guarded.entries.values())
        for (const { recheck } of kept.values()) over.push(recheck);
    }
    return over;
  }

  /** Releases entries that were read one last time. Entries that joined meanwhile are next; their grace is over, too. */
  end(over: readonly HeldEntry[]): void {
    for (const entry of over) {
      const guarded = this.#vnis.get(entry.device.vni);
      if (guarded !== undefined) guarded.ending = false;
      this.release(entry);
    }
  }
}

/** The held entry under a key; an FDB entry that a neighbour uses is kept with the neighbour. */
const heldOf = ({ device: { tables }, table, key }: HeldEntry): HeldNeighbour | HeldFdbEntry | undefined =>
  table === 'neighbour' ? tables.neighbours.get(key) : tables.lone.get(key);
