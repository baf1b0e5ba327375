/**
 * FDB entries of ours that somebody deletes are written again as soon as the kernel tells of it, not in the next audit: a
 * second control plane that stops takes its twins of our rows along (FRR), and pairs that talk by them lose every packet.
 */
import { groupBy } from '../group-by.ts';
import { attempt } from '../guard.ts';
import type { PipelineDeps } from '../resolve/deps.ts';
import type { ServedDevice } from '../served/device.ts';
import type { Mac } from '../vocabulary.ts';
import { mendFdb } from './audit.ts';
import type { ChangedRows } from './watch.ts';

/** Restored at once on one device in a second, so that one that goes on deleting costs no more; the audit does the rest. */
const MOST = 1_000;
const SECOND = 1_000;

export class Restorer {
  readonly #deps: PipelineDeps;
  readonly #budgets = new WeakMap<ServedDevice, { since: number; left: number }>();

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  heed({ changes, deviceOf }: ChangedRows): void {
    const gone: { device: ServedDevice; mac: Mac }[] = [];
    for (const { removed, row } of changes) {
      if (!removed || 'ip' in row) continue;
      const device = deviceOf(row.ifindex);
      // A device that goes down loses all its rows, and gets them back when it is up.
      if (device?.link.up === true && device.tables.fdb.has(row.lladdr) && this.#allows(device))
        gone.push({ device, mac: row.lladdr });
    }
    for (const [device, rows] of groupBy(gone, (one) => one.device))
      attempt(
        'watch',
        () => {
          mendFdb(
            device,
            rows.map(({ mac }) => mac),
            this.#deps,
          );
        },
        this.#deps.report,
      );
  }

  #allows(device: ServedDevice): boolean {
    const now = this.#deps.now();
    let budget = this.#budgets.get(device);
    if (budget === undefined || now - budget.since > SECOND) {
      budget = { since: now, left: MOST };
      this.#budgets.set(device, budget);
    }
    return budget.left-- > 0;
  }
}
