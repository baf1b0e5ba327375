/**
 * On a device with a second owner, FDB entries of ours that are deleted are written again as soon as the kernel tells of
 * it, not in the next audit: a control plane that stops takes its twins of our rows along (FRR), and pairs that talk by them
 * lose every packet. Elsewhere the next miss or audit does it.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { groupBy } from '../base/group-by.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { ServedDevice } from '../model/device.ts';
import { ALL_ZEROS } from '../base/mac.ts';
import { isOurFdbEntry } from '../entries/ownership.ts';
import type { Mac } from '../base/vocabulary.ts';
import { mendFdb } from './audit.ts';
import type { ChangedRows } from './table-monitor.ts';

/** Restored at once on one device in a second, so that one that goes on deleting costs no more; the audit does the rest. */
const MOST = 1_000;
const SECOND = 1_000;

export class Restorer {
  readonly #deps: PipelineDeps;
  readonly #shared = new WeakSet<ServedDevice>();
  readonly #budgets = new WeakMap<ServedDevice, { since: number; left: number }>();

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  onChange({ changes, deviceOf }: ChangedRows): void {
    const gone: { device: ServedDevice; mac: Mac }[] = [];
    for (const { removed, row } of changes) {
      if ('ip' in row) continue;
      const device = deviceOf(row.ifindex);
      if (device === undefined) continue;
      const isHeld = device.tables.fdb.has(row.lladdr);
      if (!removed) {
        if (row.lladdr === ALL_ZEROS || (!isHeld && isOurFdbEntry(row))) this.#shared.add(device);
        continue;
      }
      // A device that goes down loses all its rows, and gets them back when it is up.
      if (device.link.up && isHeld && this.#isShared(device) && this.#allows(device))
        gone.push({ device, mac: row.lladdr });
    }
    for (const [device, rows] of groupBy(gone, (one) => one.device))
      attempt(
        'table_monitor',
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

  /** Whether somebody else writes to it, too, or did: what it deletes may come one by one. */
  #isShared(device: ServedDevice): boolean {
    const { foreign, foreignMacs, defaultRemote } = device;
    if (foreign.size + foreignMacs.size > 0 || defaultRemote !== undefined) this.#shared.add(device);
    return this.#shared.has(device);
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
