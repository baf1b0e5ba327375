/** Reports full neighbour tables of the kernel: a full table drops a question before it becomes a miss. */
import { NEIGHBOUR_FAMILIES, type NeighbourFamily } from '../base/outcomes.ts';
import type { Namespace } from '../kernel/kernel.ts';

const NUMBER = { ipv4: 4, ipv6: 6 } as const;

/** gc_thresh1 to 3 for 64 thousand unresolved or learned neighbours; missd's own entries do not count. */
export const ROOM = [16_384, 32_768, 65_536] as const;

interface Full {
  tableFull(family: NeighbourFamily, refused: number, limit: number): void;
}

/** All namespaces share one table, so any of them can be asked. The kernel counts refusals without an event. */
export class FullTables {
  readonly #before = new Map<NeighbourFamily, number>();
  readonly #any: () => Namespace | undefined;
  readonly #report: Full;

  /**
   * @param any a namespace to ask
   * @param report gets the number of entries refused since the last look, and gc_thresh3
   */
  constructor(any: () => Namespace | undefined, report: Full) {
    this.#any = any;
    this.#report = report;
  }

  /** 20 µs a family. The first call reports nothing: earlier refusals are not news. @throws KernelError */
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
