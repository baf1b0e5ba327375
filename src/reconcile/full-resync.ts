import type { ServedDevice } from '../model/device.ts';
import type { Vni } from '../base/vocabulary.ts';

/** Names a held entry. */
export interface HeldEntry {
  device: ServedDevice;
  table: 'neighbour' | 'fdb';
  /** IP of a neighbour, MAC of an FDB entry. */
  key: string;
  /** When word came that its record has changed, monotonic ms. */
  heardAt?: number;
}

/** A held entry whose record is to be read again. */
export interface Recheck extends HeldEntry {
  /**
   * Why: its record changed, or may have; its answer is old; or everything is read again at one blow.
   */
  cause: 'change' | 'lifetime' | FullResync;
}

/**
 * Everything held, read again at one blow: after a gap in the feed, a flush, or at start. What is lost is judged when
 * all of it has been read, because only together do losses tell a mass withdrawal from single deletions.
 */
export class FullResync {
  readonly reason: 'gap' | 'flush' | 'start' | 'last_look' | 'grace_over';
  /** Everything these held was read, so they are verified when it is over. */
  readonly devices: readonly ServedDevice[];
  /** What is to be read. */
  readonly entries: readonly HeldEntry[];
  /** Entries read by VNI, the losses among them. */
  readonly held = new Map<Vni, number>();
  readonly lost = new Map<Vni, Recheck[]>();
  #remaining: number;
  #over = false;
  /** A later blow reads everything again: this one concludes nothing. */
  overtaken = false;

  constructor(reason: FullResync['reason'], devices: readonly ServedDevice[], entries: readonly HeldEntry[]) {
    this.reason = reason;
    this.devices = devices;
    this.entries = entries;
    this.#remaining = entries.length;
  }

  /** Notes what was read. @returns whether that was the last of it */
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
