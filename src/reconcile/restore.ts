/**
 * Keeps missd's FDB entries on a device with a second owner (FRR), which replaces them by rows of its own and deletes those
 * when it stops:
 *
 *   a row is replaced by an equal one  written with port 0 again, which the other's delete does not find: shared-rows.ts
 *   a row is deleted all the same      restored at once, because flows that use it lose every packet until then
 *
 * On other devices the next miss or audit restores the entry.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { groupBy } from '../base/group-by.ts';
import { attempt } from '../base/guarded-lane.ts';
import type { ServedDevice } from '../model/device.ts';
import { ALL_ZEROS, isGroup } from '../base/mac.ts';
import { isOurFdbEntry } from '../entries/ownership.ts';
import type { Mac } from '../base/vocabulary.ts';
import { isShared } from '../entries/shared-rows.ts';
import { repairFdb } from './audit.ts';
import { isFdbAsHeld } from './matches.ts';
import { shieldFdb } from './shield.ts';
import type { ChangedRows } from './table-monitor.ts';

/** Entries restored per device and second, which bounds the cost of an owner that goes on deleting; the audit restores the rest. */
const MOST = 1_000;
/** Entries written with port 0 again, which take 10 µs each; an audit that reads the tables whole does the same for the rest. */
const MOST_TWINS = 10_000;
const SECOND = 1_000;

interface Budget {
  since: number;
  restored: number;
  twins: number;
}

export class Restorer {
  readonly #deps: PipelineDeps;
  readonly #onShared: (device: ServedDevice) => void;
  readonly #budgets = new WeakMap<ServedDevice, Budget>();

  /** @param onShared is told once of each device that has a second owner: its rows are to be written with port 0 */
  constructor(deps: PipelineDeps, onShared: (device: ServedDevice) => void) {
    this.#deps = deps;
    this.#onShared = onShared;
  }

  onChange({ changes, deviceOf }: ChangedRows): void {
    const gone: Changed[] = [];
    const twins: Changed[] = [];
    for (const { removed, row } of changes) {
      if ('ip' in row) continue;
      const device = deviceOf(row.ifindex);
      if (device === undefined) continue;
      const mac = row.lladdr;
      const held = device.tables.fdb.get(mac);
      if (!removed) {
        if (mac === ALL_ZEROS || (held === undefined && isOurFdbEntry(row) && !isGroup(mac)))
          this.#share(device);
        // missd's own writes are among them; the kernel does not report a write that changes nothing.
        else if (device.shared && held !== undefined && isFdbAsHeld(device, held, row))
          if (this.#budget(device).twins-- > 0) twins.push({ device, mac });
        continue;
      }
      // A device that goes down loses all its rows; they are restored when it is up again.
      if (device.link.up && held !== undefined && isShared(device) && this.#budget(device).restored-- > 0)
        gone.push({ device, mac });
    }
    this.#each(gone, (device, macs) => {
      repairFdb(device, macs, this.#deps);
    });
    this.#each(twins, (device, macs) => {
      shieldFdb(device, macs, this.#deps);
    });
  }

  #each(changed: Changed[], act: (device: ServedDevice, macs: Mac[]) => void): void {
    for (const [device, rows] of groupBy(changed, (one) => one.device)) {
      const macs = rows.map(({ mac }) => mac);
      attempt('table_monitor', () => act(device, macs), this.#deps.report);
    }
  }

  #share(device: ServedDevice): void {
    if (device.shared) return;
    device.shared = true;
    this.#onShared(device);
  }

  #budget(device: ServedDevice): Budget {
    const now = this.#deps.now();
    let budget = this.#budgets.get(device);
    if (budget === undefined || now - budget.since > SECOND) {
      budget = { since: now, restored: MOST, twins: MOST_TWINS };
      this.#budgets.set(device, budget);
    }
    return budget;
  }
}

interface Changed {
  device: ServedDevice;
  mac: Mac;
}
