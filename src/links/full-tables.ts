/** The kernel's neighbour tables when they are full: what would be asked for is dropped before it becomes a miss. */
import { NEIGHBOUR_FAMILIES, type NeighbourFamily } from '../base/outcomes.ts';
import type { Namespace } from '../kernel/kernel.ts';

const NUMBER = { ipv4: 4, ipv6: 6 } as const;

/** gc_thresh1 to 3 with room for 64 thousand neighbours that are asked for; ours do not count. */
export const ROOM = [16_384, 32_768, 65_536] as const;

interface Full {
  tableFull(family: NeighbourFamily, refused: number, limit: number): void;
}

/** One table is all namespaces', so any of them tells. The kernel counts, and tells nobody. */
export class FullTables {
  readonly #before = new Map<NeighbourFamily, number>();
  readonly #any: () => Namespace | undefined;
  readonly #report: Full;

  /**
   * @param any a namespace that can be asked
   * @param report is told how many entries were refused since it was looked at last, and at which gc_thresh3
   */
  constructor(any: () => Namespace | undefined, report: Full) {
    this.#any = any;
    this.#report = report;
  }

  /** 20 µs a family. @throws KernelError. The first time nothing is told: what was refused before is nobody's news. */
  tick(): void {
    const namespace = this.#any();
    for (const family of NEIGHBOUR_FAMILIES) {
      const table = namespace?.getNeighbourTable(NUMBER[family]);
      if (table === undefined) continue;
      const before = this.#before.get(family) ?? table.fulls;
      this.#before.set(family, table.fulls);
      if (table.fulls > before) this.#report.tableFull(family, table.fulls - before, table.thresholds[2]);
    }
  }
}
