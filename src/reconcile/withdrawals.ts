/**
 * Withdraws entries that lost their records. The losses of a full resync are judged together, and too many of them stay
 * for the grace (withdrawal-guard.ts). All others are read once more before they are withdrawn.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { groupBy } from '../base/group-by.ts';
import { DirectoryError } from '../directory/directory.ts';
import type { Logger } from '../base/log.ts';
import { increment } from '../model/counters.ts';
import { attempt, attemptLater } from '../base/guarded-lane.ts';
import type { ServedDevice } from '../model/device.ts';
import { withdrawLost } from './apply.ts';
import { FullResync, type Recheck } from './full-resync.ts';
import { heldBy } from './refresh-queue.ts';
import { WithdrawalGuard } from './withdrawal-guard.ts';
import { hasUntraced, searchUntilAnswered } from './search-lone.ts';

export class Withdrawals {
  readonly guard: WithdrawalGuard;
  readonly #deps: PipelineDeps;
  readonly #devices: () => ServedDevice[];
  readonly #log: Logger;
  readonly #enqueue: (rechecks: Recheck[]) => void;
  readonly #resyncs = new Set<FullResync>();

  /** @param grace seconds */
  constructor(
    deps: PipelineDeps,
    grace: number,
    devices: () => ServedDevice[],
    log: Logger,
    enqueue: (rechecks: Recheck[]) => void,
  ) {
    this.guard = new WithdrawalGuard(grace * 1000);
    this.#deps = deps;
    this.#devices = devices;
    this.#log = log;
    this.#enqueue = enqueue;
  }

  /** Notes a batch that was read, and concludes full resyncs that it completes. */
  note(batch: readonly Recheck[], lost: readonly Recheck[]): void {
    const gone = new Set(lost);
    observeChanges(
      batch.filter((recheck) => !gone.has(recheck)),
      this.#deps,
    );
    for (const [cause, read] of groupBy(batch, (recheck) => recheck.cause)) {
      if (!(cause instanceof FullResync)) continue;
      const mine = lost.filter((recheck) => recheck.cause === cause);
      if (cause.note(read, mine)) this.#conclude(cause);
    }
  }

  /** Reads entries whose grace is over one last time. */
  tick(now: number): void {
    const over = this.guard.expire(now);
    if (over.length === 0) return;
    this.#log.warn(`the grace for ${over.length} entries without records is over`);
    this.#readTogether(new FullResync('grace_over', [], over));
  }

  /** Reads every held entry again and judges the losses together. Overtakes resyncs under way. */
  readAll(reason: 'gap' | 'flush'): void {
    for (const resync of this.#resyncs) {
      // These entries have had their grace, and a new resync gives them no second one.
      if (resync.reason === 'grace_over') continue;
      resync.overtaken = true;
      this.#resyncs.delete(resync);
    }
    this.read(
      reason,
      this.#devices().filter((device) => device.adopted),
    );
  }

  /** Reads every held entry of some devices again. */
  read(reason: FullResync['reason'], devices: readonly ServedDevice[]): void {
    this.#readTogether(
      new FullResync(
        reason,
        devices,
        devices.flatMap((device) => heldBy(device)),
      ),
    );
  }

  #readTogether(resync: FullResync): void {
    this.#resyncs.add(resync);
    if (resync.entries.length === 0) this.#conclude(resync);
    this.#enqueue(resync.entries.map((entry) => ({ ...entry, cause: resync })));
  }

  /** A resync is complete: its losses stay for the grace, or are read once more and withdrawn. */
  #conclude(resync: FullResync): void {
    const last = resync.reason === 'last_look' || resync.reason === 'grace_over';
    if (resync.reason === 'grace_over') this.guard.end(resync.entries);
    const going: Recheck[] = [];
    const judged: Promise<Recheck[]>[] = [];
    for (const [vni, lost] of resync.lost) {
      const starting = resync.devices.some((device) => device.vni === vni && !device.verified);
      if (last || !this.guard.isMass(resync, vni)) going.push(...lost);
      else if (!starting) this.#keep(vni, lost);
      else judged.push(this.#keepIfEmpty(resync, vni, lost));
    }
    if (last) this.#enqueue(this.#withdraw(going));
    if (judged.length === 0) this.#end(resync, going);
    else
      void attemptLater(
        'withdrawals',
        async () => {
          const more = await Promise.all(judged);
          if (!resync.overtaken) this.#end(resync, [...going, ...more.flat()]);
        },
        this.#deps.report,
      );
  }

  /** Losses are read once more, because their records may be back by now. */
  #end(resync: FullResync, going: Recheck[]): void {
    this.#resyncs.delete(resync);
    const last = resync.reason === 'last_look' || resync.reason === 'grace_over';
    if (!last && going.length > 0) this.#readOnceMore(new FullResync('last_look', resync.devices, going));
    const pending = new Set([...this.#resyncs].flatMap(({ devices }) => devices));
    for (const device of resync.devices) device.verified ||= !pending.has(device);
  }

  /**
   * At start only a VNI without any record suggests that the directory lost its data.
   * @returns the losses to withdraw
   */
  async #keepIfEmpty(resync: FullResync, vni: number, lost: Recheck[]): Promise<Recheck[]> {
    try {
      if (!(await this.#deps.directory.isEmpty(vni))) return lost;
    } catch (error) {
      if (!(error instanceof DirectoryError)) this.#deps.report.broken('withdrawals', error);
    }
    // The resync that overtook this one reads everything again.
    if (resync.overtaken) return [];
    this.#keep(vni, lost);
    return [];
  }

  #keep(vni: number, all: Recheck[]): void {
    const served = new Set(this.#devices());
    const lost = all.filter(({ device }) => served.has(device));
    if (lost.length === 0) return;
    const known = this.guard.active.includes(vni);
    this.guard.keep(vni, lost, this.#deps.now());
    // Later losses share the grace of the first ones.
    if (known) return;
    this.#log.error(
      `VNI ${vni}: ${lost.length} entries lost their records all at once; they stay for ${this.guard.grace / 1000} s`,
    );
  }

  /**
   * Reads single losses once more before they are withdrawn. A flush or gap is reported on another connection than the
   * reads and may arrive late; if it arrives in time, these losses are judged with all others.
   */
  checkOnceMore(lost: readonly Recheck[]): void {
    if (lost.length > 0) this.#readOnceMore(new FullResync('last_look', unverified(lost), lost));
  }

  /** Searches first for the records of adopted FDB entries whose address is unknown. */
  #readOnceMore(resync: FullResync): void {
    const devices = [...new Set(resync.entries.map(({ device }) => device))].filter(hasUntraced);
    if (devices.length === 0) {
      this.#readTogether(resync);
      return;
    }
    // Its devices are not verified before it is complete.
    this.#resyncs.add(resync);
    void attemptLater(
      'withdrawals',
      async () => {
        await Promise.all(devices.map((device) => searchUntilAnswered(device, this.#deps.directory)));
        if (!resync.overtaken) this.#readTogether(resync);
      },
      this.#deps.report,
    );
  }

  /** Rechecks that applying verdicts called for; a device is not verified before they are done. */
  followUp(again: readonly Recheck[]): void {
    const devices = unverified(again);
    if (devices.length === 0) this.#enqueue([...again]);
    else this.#readTogether(new FullResync('last_look', devices, again));
  }

  /** Withdraws entries unless the guard keeps them. @returns rechecks that the withdrawal calls for */
  #withdraw(lost: readonly Recheck[]): Recheck[] {
    const served = new Set(this.#devices());
    const going = lost.filter((recheck) => served.has(recheck.device) && !this.guard.keeps(recheck));
    if (going.length === 0) return [];
    increment(this.#deps.counters.reconcileChanges, 'withdrawn', going.length);
    observeChanges(going, this.#deps);
    return [...groupBy(going, ({ device }) => device).values()].flatMap(
      (together) => attempt('withdrawals', () => withdrawLost(together, this.#deps), this.#deps.report) ?? [],
    );
  }
}

const unverified = (rechecks: readonly Recheck[]): ServedDevice[] => [
  ...new Set(rechecks.map(({ device }) => device).filter((device) => !device.verified)),
];

/** Observes how long it took from the notice of a change until the tables agree with the record. */
function observeChanges(rechecks: Iterable<Recheck>, { counters, now }: PipelineDeps): void {
  for (const { heardAt } of rechecks)
    if (heardAt !== undefined) counters.changeSeconds.observe((now() - heardAt) / 1000);
}
