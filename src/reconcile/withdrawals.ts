/**
 * What to do about entries that have lost their records. Where everything held is read again at one blow all that is
 * lost is judged together, and too much of it stays for the grace (withdrawal-guard.ts). The rest, like any single loss, is looked
 * at once more and goes.
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
import { observeChanges } from './observe-changes.ts';
import { hasUntraced, searchPatiently } from './search-lone.ts';

export class Withdrawals {
  readonly guard: WithdrawalGuard;
  readonly #deps: PipelineDeps;
  /** Seconds. */
  readonly #devices: () => ServedDevice[];
  readonly #log: Logger;
  readonly #enqueue: (rechecks: Recheck[]) => void;
  readonly #blows = new Set<FullResync>();

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

  /** A batch was read, whatever for: of blows among it, what they have lost so far. */
  note(batch: readonly Recheck[], lost: readonly Recheck[]): void {
    const gone = new Set(lost);
    observeChanges(
      batch.filter((recheck) => !gone.has(recheck)),
      this.#deps,
    );
    for (const [cause, read] of groupBy(batch, (recheck) => recheck.cause)) {
      if (!(cause instanceof FullResync)) continue;
      const mine = lost.filter((recheck) => recheck.cause === cause);
      if (cause.note(read, mine)) this.#conclusion(cause);
    }
  }

  /** Reads one last time what has been kept for the whole grace. */
  tick(now: number): void {
    const over = this.guard.expire(now);
    if (over.length === 0) return;
    this.#log.warn(`the grace for ${over.length} entries without records is over`);
    this.#readTogether(new FullResync('grace_over', [], over));
  }

  /** Reads every held entry again and judges the losses together. What of it was under way is overtaken. */
  readAll(reason: 'gap' | 'flush'): void {
    for (const resync of this.#blows) {
      // Its entries have had their grace: a blow that comes now gives them no other.
      if (resync.reason === 'grace_over') continue;
      resync.overtaken = true;
      this.#blows.delete(resync);
    }
    this.read(
      reason,
      this.#devices().filter((device) => device.adopted),
    );
  }

  /** The same for some devices. */
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
    this.#blows.add(resync);
    if (resync.entries.length === 0) this.#conclusion(resync);
    this.#enqueue(resync.entries.map((entry) => ({ ...entry, cause: resync })));
  }

  /** All of a blow has been read: what was lost stays for the grace, or is looked at once more and goes. */
  #conclusion(resync: FullResync): void {
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

  /** It took a while, and what was lost when it was read may be back. */
  #end(resync: FullResync, going: Recheck[]): void {
    this.#blows.delete(resync);
    const last = resync.reason === 'last_look' || resync.reason === 'grace_over';
    if (!last && going.length > 0) this.#lookLast(new FullResync('last_look', resync.devices, going));
    const pending = new Set([...this.#blows].flatMap(({ devices }) => devices));
    for (const device of resync.devices) device.verified ||= !pending.has(device);
  }

  /**
   * At start only a VNI without any record looks like a directory that lost its memory.
   * @returns other orphans, which go
   */
  async #keepIfEmpty(resync: FullResync, vni: number, lost: Recheck[]): Promise<Recheck[]> {
    try {
      if (!(await this.#deps.directory.isEmpty(vni))) return lost;
    } catch (error) {
      if (!(error instanceof DirectoryError)) this.#deps.report.broken('withdrawals', error);
    }
    // What overtook it reads everything again, and judges for itself.
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
    // More of them join those that are kept, for no longer than these.
    if (known) return;
    this.#log.error(
      `VNI ${vni}: ${lost.length} entries lost their records at one blow; they stay for ${this.guard.grace / 1000} s`,
    );
  }

  /**
   * Single losses go after a second look. The word of a flush or a gap comes on another connection than what is read:
   * it may be on its way, and if it comes first these are judged with everything else.
   */
  checkOnceMore(lost: readonly Recheck[]): void {
    if (lost.length > 0) this.#lookLast(new FullResync('last_look', unverified(lost), lost));
  }

  /** Behind a search for the records of adopted FDB entries, where nobody knows an address of their MACs. */
  #lookLast(resync: FullResync): void {
    const devices = [...new Set(resync.entries.map(({ device }) => device))].filter(hasUntraced);
    if (devices.length === 0) {
      this.#readTogether(resync);
      return;
    }
    // Until it is read its devices are not verified.
    this.#blows.add(resync);
    void attemptLater(
      'withdrawals',
      async () => {
        await Promise.all(devices.map((device) => searchPatiently(device, this.#deps.directory)));
        if (!resync.overtaken) this.#readTogether(resync);
      },
      this.#deps.report,
    );
  }

  /** What applying verdicts left to do; a device is not verified before that is done, too. */
  followUp(again: readonly Recheck[]): void {
    const devices = unverified(again);
    if (devices.length === 0) this.#enqueue([...again]);
    else this.#readTogether(new FullResync('last_look', devices, again));
  }

  /** Takes entries out, but for those that are kept. @returns what has to be read again because of it */
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
