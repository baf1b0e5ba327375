import type { Ip, Mac } from '../base/vocabulary.ts';

/** Addresses kept per MAC. A MAC may have many (two families, aliases); these suffice to find its record again. */
export const MOST_PER_MAC = 4;
/** MACs in a generation. */
const GENERATION = 32_768;

/**
 * The last known addresses of MACs, newest first. They outlive the entries, for a later L2 miss. There are two generations:
 * when the younger is full the older is dropped at once, with the MACs that were neither read nor added in between.
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
