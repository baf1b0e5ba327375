import type { ServedDevice } from '../model/device.ts';
import type { Vni } from '../base/vocabulary.ts';

/** Names a held entry. */
export interface HeldEntry {
  device: ServedDevice;
  table: 'neighbour' | 'fdb';
  /** IP of a neighbour, MAC of an FDB entry. */
  key: string;
  /** When the change of its record was reported, monotonic ms. */
  heardAt?: number;
}

/** A held entry whose record is to be read again. */
export interface Recheck extends HeldEntry {
  /** `change`: its record changed or may have; `lifetime`: its answer is old; or a full resync. */
  cause: 'change' | 'lifetime' | FullResync;
}

/**
 * Reads all held records again: after a gap in the feed, a flush, or at start. Losses are judged when all records have
 * been read, because only the total tells a mass withdrawal from single deletions.
 */
export class FullResync {
  readonly reason: 'gap' | 'flush' | 'start' | 'last_look' | 'grace_over';
  /** Devices whose entries are all read, so that they are verified afterwards. */
  readonly devices: readonly ServedDevice[];
  /** Entries to read. */
  readonly entries: readonly HeldEntry[];
  /** Number of entries read, by VNI; and the losses among them. */
  readonly held = new Map<Vni, number>();
  readonly lost = new Map<Vni, Recheck[]>();
  #remaining: number;
  #over = false;
  /** A later resync reads everything again, so this one concludes nothing. */
  overtaken = false;

  constructor(reason: FullResync['reason'], devices: readonly ServedDevice[], entries: readonly HeldEntry[]) {
    this.reason = reason;
    this.devices = devices;
    this.entries = entries;
    this.#remaining = entries.length;
  }

  /** Notes entries that were read. @returns whether they were the last ones */
  note(read: readonly Recheck[], lost: readonly Recheck[]): boolean {
    for (const { device } of read) this.held.set(device.vni, (this.held.get(device.vni) ?? 0) + 1);
    for (const recheck of lost) {
      const sofar = this.lost.get(recheck.device.vni);
      if (sofar === undefined) this.lost.set(recheck.device.vni, [recheck]);
      else sofar.push(recheck);
    }
    this.#remaining -= read.length;
    if (this.#over || this.overtaken || this.#remaining > 0) return false;
    this.#over = true;
    return true;
  }
}
