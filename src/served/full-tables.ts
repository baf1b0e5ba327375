/** The kernel's neighbour tables when they are full: what would be asked for is dropped before it becomes a miss. */
import type { Namespace } from '../kernel/kernel.ts';

export const FAMILIES = ['ipv4', 'ipv6'] as const;
export type Family = (typeof FAMILIES)[number];

const NUMBER = { ipv4: 4, ipv6: 6 } as const;

/** One table is all namespaces', so any of them tells. The kernel counts, and tells nobody. */
export class FullTables {
  readonly #before = new Map<Family, number>();
  readonly #told: (family: Family, refused: number, limit: number) => void;

  /** @param told how many entries were refused since it was looked at last, and at which gc_thresh3 */
  constructor(told: (family: Family, refused: number, limit: number) => void) {
    this.#told = told;
  }

  /** 20 µs a family. */
  tick(namespace: Namespace | undefined): void {
    for (const family of FAMILIES) {
      const table = read(namespace, NUMBER[family]);
      if (table === undefined) continue;
      const before = this.#before.get(family) ?? table.fulls;
      this.#before.set(family, table.fulls);
      if (table.fulls > before) this.#told(family, table.fulls - before, table.thresholds[2]);
    }
  }
}

/** A namespace on its way out cannot tell; another one will. */
function read(namespace: Namespace | undefined, family: 4 | 6) {
  try {
    return namespace?.getNeighbourTable(family);
  } catch {
    return undefined;
  }
}
