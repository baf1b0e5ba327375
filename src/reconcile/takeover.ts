/**
 * The start of a device: its predecessor's entries are adopted, then compared with the directory. An adopted FDB entry
 * whose record is at an unknown address is compared only after a search of its VNI.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { type Observable, Subject, from, mergeMap } from 'rxjs';
import { reasonOf } from '../base/errors.ts';
import { attemptLater } from '../base/guarded-lane.ts';
import type { Logger } from '../base/log.ts';
import { isGone } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Journal } from '../model/journal.ts';
import { adopt } from './adopt.ts';
import type { Recheck } from './full-resync.ts';
import { hasUntraced, searchLone } from './search-lone.ts';

/** Opens the journal that a predecessor kept of a device. */
export type OpenJournal = (device: ServedDevice) => Journal;

interface Steps {
  /** The kernel's entries are adopted and the leases known. */
  adopted(device: ServedDevice): void;
  /** Every held entry of these devices can be compared with its records. */
  verify(devices: readonly ServedDevice[]): void;
}

export class Takeover {
  readonly #openJournal: OpenJournal;
  readonly #deps: PipelineDeps;
  readonly #log: Logger;
  readonly #steps: Steps;
  readonly #served$ = new Subject<{ device: ServedDevice; leasesRead: Promise<unknown> }>();
  /** Devices with adopted entries whose VNI could not be searched. */
  readonly #unsearched = new Set<ServedDevice>();

  constructor(openJournal: OpenJournal, deps: PipelineDeps, log: Logger, steps: Steps) {
    this.#openJournal = openJournal;
    this.#deps = deps;
    this.#log = log;
    this.#steps = steps;
  }

  work$(): Observable<unknown> {
    const { report } = this.#deps;
    return this.#served$.pipe(
      mergeMap(({ device, leasesRead }) =>
        from(attemptLater('adopt', () => this.#adopt(device, leasesRead), report)),
      ),
    );
  }

  begin(device: ServedDevice, leasesRead: Promise<unknown>): void {
    this.#served$.next({ device, leasesRead });
  }

  forget(device: ServedDevice): void {
    this.#unsearched.delete(device);
  }

  /** Compares adopted entries with the directory, where necessary after a search for their records. */
  verify(devices: readonly ServedDevice[]): void {
    const traced = devices.filter((device) => !hasUntraced(device));
    if (traced.length > 0) this.#steps.verify(traced);
    for (const device of devices)
      if (!traced.includes(device))
        searchLone(device, this.#deps.directory).then(
          () => {
            this.#steps.verify([device]);
          },
          () => this.#unsearched.add(device),
        );
  }

  /** Repeats searches that failed. */
  searchAgain(served: readonly ServedDevice[]): void {
    const devices = [...this.#unsearched].filter((device) => served.includes(device));
    this.#unsearched.clear();
    if (devices.length > 0) this.verify(devices);
  }

  async #adopt(device: ServedDevice, leasesRead: Promise<unknown>): Promise<void> {
    try {
      device.journal = this.#openJournal(device);
      await adopt(device, this.#deps.now, this.#deps.report);
    } catch (error) {
      device.adopted = true;
      if (device.gone) return;
      // The audit will find the entries that could not be read now.
      if (!isGone(error)) this.#deps.report.broken('adopt', error);
      this.#log.warn(`${device.name}: the kernel's entries could not be read: ${reasonOf(error)}`);
    }
    const { neighbours, fdb } = device.tables;
    if (neighbours.size + fdb.size > 0)
      this.#log.info(`${device.name}: adopted ${neighbours.size} neighbours, ${fdb.size} FDB entries`);
    device.journal.adopted();
    await leasesRead;
    this.#steps.adopted(device);
  }
}

/** Rechecks of the FDB entries that may belong to another owner. */
export const unprovenOf = (device: ServedDevice): Recheck[] =>
  [...device.tables.unproven.keys()].map((key) => ({ device, table: 'fdb', key, cause: 'change' }));
