/**
 * On a device with a second owner, deleted FDB entries are restored as soon as the kernel reports the deletion: a control
 * plane that stops deletes rows equal to its own (FRR), and flows that use them lose every packet until then. On other
 * devices the next miss or audit restores the entry.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { groupBy } from '../base/group-by.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { ServedDevice } from '../model/device.ts';
import { ALL_ZEROS } from '../base/mac.ts';
import { isOurFdbEntry } from '../entries/ownership.ts';
import type { Mac } from '../base/vocabulary.ts';
import { repairFdb } from './audit.ts';
import type { ChangedRows } from './table-monitor.ts';

/** Entries restored per device and second, which bounds the cost of an owner that goes on deleting; the audit restores the rest. */
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
      // A device that goes down loses all its rows; they are restored when it is up again.
      if (device.link.up && isHeld && this.#isShared(device) && this.#allows(device))
        gone.push({ device, mac: row.lladdr });
    }
    for (const [device, rows] of groupBy(gone, (one) => one.device))
      attempt(
        'table_monitor',
        () => {
          repairFdb(
            device,
            rows.map(({ mac }) => mac),
            this.#deps,
          );
        },
        this.#deps.report,
      );
  }

  /** Whether the device has, or had, a second owner. */
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
