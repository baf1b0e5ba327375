/** When devices are audited: one device at a time, each waiting once. */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { type Observable, Subject, from } from 'rxjs';
import { reasonOf } from '../base/errors.ts';
import { inLane } from '../base/guarded-lane.ts';
import type { Logger } from '../base/log.ts';
import { isGone } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';
import { isShared } from '../entries/shared-rows.ts';
import { audit } from './audit.ts';
import type { Recheck } from './full-resync.ts';
import type { Leaks } from './leaks.ts';
import { shieldAllFdb } from './shield.ts';
import type { TableMonitor } from './table-monitor.ts';

const ONE_BY_ONE = { size: 1, underWay: 1, most: Infinity };

export class Audits {
  readonly #monitor: TableMonitor;
  readonly #leaks: Leaks;
  readonly #enqueue: (rechecks: Recheck[]) => void;
  readonly #deps: PipelineDeps;
  readonly #log: Logger;
  readonly #requested$ = new Subject<ServedDevice[]>();
  readonly #waiting = new Set<ServedDevice>();
  /** Devices whose next audit reads the tables whole. */
  readonly #whole = new WeakSet<ServedDevice>();
  /** Entries unused for this long are withdrawn, ms. */
  idle: number;

  /**
   * @param enqueue takes adopted entries, whose records are to be read
   * @param idle ms
   */
  constructor(
    monitor: TableMonitor,
    leaks: Leaks,
    enqueue: (rechecks: Recheck[]) => void,
    idle: number,
    deps: PipelineDeps,
    log: Logger,
  ) {
    this.#monitor = monitor;
    this.#leaks = leaks;
    this.#enqueue = enqueue;
    this.idle = idle;
    this.#deps = deps;
    this.#log = log;
  }

  work$(): Observable<unknown> {
    return this.#requested$.pipe(
      inLane(
        'audit',
        { work: (batch) => from(this.#audit(batch)), conclude: () => undefined },
        ONE_BY_ONE,
        this.#deps.report,
      ),
    );
  }

  /** @param whole reads the tables whole instead of the rows that the kernel reported as changed */
  request(devices: readonly ServedDevice[], { whole }: { whole: boolean }): void {
    for (const device of whole ? devices : []) this.#whole.add(device);
    const due = devices.filter((device) => device.adopted && device.link.up && !this.#waiting.has(device));
    for (const device of due) this.#waiting.add(device);
    if (due.length > 0) this.#requested$.next(due);
  }

  forget(device: ServedDevice): void {
    this.#waiting.delete(device);
  }

  async #audit(devices: readonly ServedDevice[]): Promise<void> {
    for (const device of devices) {
      if (!this.#waiting.delete(device)) continue;
      try {
        const idleBefore = this.#deps.now() - this.idle;
        const whole = this.#whole.delete(device) || this.#monitor.isDue(device);
        const rows = whole ? await this.#monitor.readWhole(device) : this.#monitor.readChanged(device);
        this.#enqueue(await audit(device, rows, idleBefore, this.#deps));
        if (whole && isShared(device)) await shieldAllFdb(device, this.#deps);
        await this.#leaks.audit(device);
        device.auditedAt = this.#deps.now();
        device.journal.tick();
      } catch (error) {
        this.#log.debug(`${device.name}: audit failed: ${reasonOf(error)}`);
        if (!device.gone && !isGone(error)) this.#deps.report.broken('audit', error);
      }
    }
  }
}
