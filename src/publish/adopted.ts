/**
 * What an earlier process of this host published. It stays published while the guest may still be there: until the guest is
 * heard, or has not been heard for a while.
 */
import type { Clock } from '../base/clock.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { OwnedGuest } from '../directory/ownership.ts';
import type { Guests } from './guests.ts';

/** How long a guest may be silent after a restart of missd, ms: as long as a silent guest is believed otherwise. */
const SILENCE = 60_000;
/** Between two questions to guests that the bridge knows, ms. */
const ASK = 5_000;
/** Guests asked at once. */
const MOST_ASKED = 32;

export class Adopted {
  readonly #guests: Guests;
  readonly #now: Clock;
  readonly #silence: number;
  readonly #ips = new Map<Mac, Set<Ip>>();
  #until = -Infinity;
  #askAt = -Infinity;

  /** @param silence ms */
  constructor(guests: Guests, now: Clock, silence = SILENCE) {
    this.#guests = guests;
    this.#now = now;
    this.#silence = silence;
  }

  adopt(owned: readonly OwnedGuest[]): void {
    for (const { mac, ips } of owned) this.#ips.set(mac, new Set(ips));
    this.#until = this.#now() + this.#silence;
  }

  /** Addresses that are published although the guest was not heard with them. */
  of(mac: Mac): ReadonlySet<Ip> | undefined {
    return this.#ips.get(mac);
  }

  forget(mac: Mac, ips?: readonly Ip[]): void {
    if (ips === undefined) this.#ips.delete(mac);
    else for (const ip of ips) this.#ips.get(mac)?.delete(ip);
  }

  /** Called every second. @returns MACs that have been silent for too long, of which nothing is adopted any more */
  tick(): Mac[] {
    if (this.#ips.size === 0) return [];
    const now = this.#now();
    if (now >= this.#until) {
      const silent = [...this.#ips.keys()];
      this.#ips.clear();
      return silent;
    }
    if (now >= this.#askAt) {
      this.#askAt = now + ASK;
      this.#ask();
    }
    return [];
  }

  /** A guest that answers is heard as one that speaks by itself. */
  #ask(): void {
    let asked = 0;
    for (const [mac, ips] of this.#ips) {
      const guest = this.#guests.get(mac);
      if (guest === undefined) continue;
      for (const ip of ips) {
        if (guest.ips.has(ip)) ips.delete(ip);
        else if (asked++ < MOST_ASKED) void this.#guests.probe(mac, ip);
      }
      if (ips.size === 0) this.#ips.delete(mac);
    }
  }
}
