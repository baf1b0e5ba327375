import type { Ip, Mac } from '../base/vocabulary.ts';

/** A MAC may have many addresses (two families, aliases); these are enough to find its record again. */
export const MOST_PER_MAC = 4;
/** MACs in a generation. */
const GENERATION = 32_768;

/**
 * Addresses that a MAC was last known to have, newest first. They outlive the entries, for the L2 miss that comes after.
 * Two generations: what was not looked for or told again while the younger filled up is forgotten, in one step.
 */
export class MacHistory {
  #young = new Map<Mac, Ip | Ip[]>();
  #old = new Map<Mac, Ip | Ip[]>();

  add(mac: Mac, ip: Ip): void {
    const known = this.of(mac);
    if (known[0] !== ip)
      this.#keep(
        mac,
        known.length === 0 ? ip : [ip, ...known.filter((one) => one !== ip)].slice(0, MOST_PER_MAC),
      );
  }

  of(mac: Mac): readonly Ip[] {
    let known = this.#young.get(mac);
    if (known === undefined) {
      known = this.#old.get(mac);
      if (known === undefined) return [];
      this.#keep(mac, known);
    }
    return typeof known === 'string' ? [known] : known;
  }

  #keep(mac: Mac, known: Ip | Ip[]): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(mac, known);
  }
}
