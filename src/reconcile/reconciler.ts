/**
 * Reconciles the kernel's tables with the directory. One lane of rechecks, in order, so that of two changes of a record
 * the later one wins:
 *
 *   a record changed           its entries are read again                        changes.ts
 *   an answer was written      its `mac:` record is read as well                 mac-record-checks.ts
 *   an answer is old           its record is read again                          refresh-queue.ts
 *   the feed had a gap         all held entries are read again, all at once      full-resync.ts
 *   → records that were read   update, move or withdraw entries                  apply.ts
 *   → records that are gone    withdraw entries, at once or after the grace      withdrawals.ts, withdrawal-guard.ts
 *
 * Beside it the audit compares the kernel's tables with the desired ones (audit.ts), and eviction keeps these within
 * their bound (evict.ts).
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { MissBatch, Settled } from '../model/question.ts';
import { type Journal, VolatileJournal } from '../model/journal.ts';
import { type Observable, Subject, from, map, merge, mergeMap } from 'rxjs';
import type { DirectoryChange } from '../directory/directory.ts';
import { reasonOf } from '../base/errors.ts';
import { attempt, attemptLater, attemptOn, inLane } from '../base/guarded-lane.ts';
import { groupBy } from '../base/group-by.ts';
import { isGone } from '../kernel/kernel.ts';
import type { Logger } from '../base/log.ts';
import type { ServedDevice } from '../model/device.ts';
import { adopt } from './adopt.ts';
import { apply } from './apply.ts';
import { audit, withdrawLocal } from './audit.ts';
import { FullResync, type Recheck } from './full-resync.ts';
import { Leaks } from './leaks.ts';
import { UnheldChanges } from './unheld-changes.ts';
import { forgetAbsence, rechecksFor } from './changes.ts';
import { RefreshQueue, heldBy } from './refresh-queue.ts';
import { endAllProbation, onMisses } from './aging.ts';
import { type EvictOptions, Evictor } from './evict.ts';
import { type ChangedRows, TableMonitor } from './table-monitor.ts';
import type { WithdrawalGuard } from './withdrawal-guard.ts';
import { Withdrawals } from './withdrawals.ts';
import { OwnLeases } from './own-leases.ts';
import { type Reread, readAgain } from './recheck.ts';
import { RecheckQueue } from './recheck-queue.ts';
import { Restorer } from './restore.ts';
import { hasUntraced, searchLone } from './search-lone.ts';
import { MacRecordChecks } from './mac-record-checks.ts';

export interface KeepOptions extends EvictOptions {
  /** Seconds, all of these. */
  lifetime: number;
  idle: number;
  withdrawalGrace: number;
}

/** Opens what a predecessor wrote down of a device. */
export type OpenJournal = (device: ServedDevice) => Journal;

const RECHECKS = { size: 256, underWay: 1 };
/** No device waits twice. */
const ONE_BY_ONE = { size: 1, underWay: 1, most: Infinity };
/** Fewer losses than this among checks by lifetime are single records that vanished without a word. */
const SUSPICIOUS = 10;

export class Reconciler {
  readonly #withdrawals: Withdrawals;
  readonly #deps: PipelineDeps;
  #options: KeepOptions;
  readonly #devices: () => ServedDevice[];
  readonly #log: Logger;
  readonly #rechecks$ = new Subject<Recheck[]>();
  readonly #served$ = new Subject<{ device: ServedDevice; leasesRead: Promise<unknown> }>();
  readonly #audits$ = new Subject<ServedDevice[]>();
  readonly #auditing = new Set<ServedDevice>();
  readonly #unheld: UnheldChanges;
  readonly #leaks: Leaks;
  readonly #macRecordChecks: MacRecordChecks;
  readonly #ownLeases: OwnLeases;
  readonly #evictor: Evictor;
  readonly #monitor: TableMonitor;
  readonly #restorer: Restorer;
  /** Of those to be audited, the ones whose tables are to be read whole. */
  readonly #whole = new WeakSet<ServedDevice>();
  readonly due: RefreshQueue;
  /** Devices with adopted entries whose VNI could not be searched. */
  readonly #unsearched = new Set<ServedDevice>();
  readonly #openJournal: OpenJournal;
  #directoryUp = false;

  constructor(
    deps: PipelineDeps,
    options: KeepOptions,
    devices: () => ServedDevice[],
    log: Logger,
    openJournal: OpenJournal = () => new VolatileJournal(),
  ) {
    this.#openJournal = openJournal;
    this.#deps = deps;
    this.#options = options;
    this.#devices = devices;
    this.#log = log;
    this.#withdrawals = new Withdrawals(deps, options.withdrawalGrace, devices, log, (rechecks) => {
      this.#rechecks$.next(rechecks);
    });
    this.#macRecordChecks = new MacRecordChecks(deps);
    this.#unheld = new UnheldChanges(deps);
    this.#leaks = new Leaks(deps);
    this.#ownLeases = new OwnLeases(deps, log);
    this.#evictor = new Evictor(options, devices, deps);
    this.#monitor = new TableMonitor(devices, deps.now, deps.report);
    this.#restorer = new Restorer(deps);
    this.due = new RefreshQueue(devices, options.lifetime * 1000, deps.now);
  }

  /** Everything that goes on by itself; nothing does until it is subscribed to. */
  work$(): Observable<unknown> {
    const { report } = this.#deps;
    const conclude = (read: Reread): undefined => {
      this.#conclude(read);
    };
    return merge(
      this.#rechecks$.pipe(
        inLane(
          'rechecks',
          {
            work: (batch) => readAgain(this.due.reading(batch), this.#deps),
            conclude,
            instead: (batch) => {
              this.#giveUp(batch);
            },
          },
          { ...RECHECKS, waiting: new RecheckQueue() },
          report,
        ),
      ),
      this.#macRecordChecks
        .verdicts$()
        .pipe(map((verdicts) => attempt('mac_records', () => conclude({ batch: [], verdicts }), report))),
      this.#served$.pipe(mergeMap(({ device, leasesRead }) => from(this.#begin(device, leasesRead)))),
      this.#audits$.pipe(
        inLane(
          'audit',
          { work: (batch) => from(this.#audit(batch)), conclude: () => undefined },
          ONE_BY_ONE,
          report,
        ),
      ),
      this.#unheld.work$(),
      this.#deps.macChanges.work$(),
    );
  }

  /** Other bounds, from now on. */
  reload(options: KeepOptions): void {
    this.#options = options;
    this.due.lifetime = options.lifetime * 1000;
    this.guard.grace = options.withdrawalGrace * 1000;
    this.#evictor.limit(options.maxEntries);
  }

  /** Records are judged otherwise from now on: all that is held is read again, each as if its record had changed. */
  readAll(): void {
    for (const device of this.#devices()) {
      device.absent.clear();
      this.#rechecks$.next(heldBy(device).map((held) => ({ ...held, cause: 'change' })));
    }
  }

  /** Misses just heard. */
  onMisses(batch: MissBatch): void {
    onMisses(batch, this.#deps);
    this.#unheld.hear(batch);
  }

  /** What keeps entries whose records are gone all at once. */
  get guard(): WithdrawalGuard {
    return this.#withdrawals.guard;
  }

  /** Answers just written. */
  settled(settled: readonly Settled[]): void {
    const { report, admission } = this.#deps;
    attempt('evict', () => this.#evictor.onChange(settled), report);
    attempt('table_monitor', () => this.#monitor.wrote(settled.length), report);
    attempt('mac_records', () => this.#macRecordChecks.after(settled, admission.inFlight === 0), report);
  }

  onChange(change: DirectoryChange): void {
    const devices = this.#devices();
    const { report } = this.#deps;
    attempt('changes', () => forgetAbsence(change, devices), report);
    if (change.type !== 'records') this.#ownLeases.stale();
    attempt('bridge_entries', () => this.#unheld.look(change, devices), report);
    if (change.type === 'gap' || change.type === 'flushed') {
      this.#directoryUp = true;
      this.#withdrawals.readAll(change.type === 'gap' ? 'gap' : 'flush');
      return;
    }
    attempt('changes', () => this.#rechecks$.next(rechecksFor(change, devices, this.#deps.now())), report);
  }

  /** Rows changed, by whomever. */
  onRows(changed: ChangedRows): void {
    this.#monitor.onRows(changed);
    this.#restorer.onChange(changed);
    this.#leaks.onChange(changed);
  }

  /** Changes of rows went unheard. */
  missRows(): void {
    this.#monitor.lose();
  }

  directory(up: boolean): void {
    if (up && !this.#directoryUp) {
      this.#directoryUp = true;
      this.#verify(this.#devices().filter((device) => device.adopted && !device.verified));
    }
    this.#directoryUp = up;
  }

  /** @param leasesRead resolves when the leases of its VNI are known: before, every lease would look lost */
  begin(device: ServedDevice, leasesRead: Promise<unknown>): void {
    this.#bound(device);
    this.#unheld.restore(device);
    this.#served$.next({ device, leasesRead });
  }

  forget(device: ServedDevice): void {
    this.guard.forget(device);
    this.#unheld.keep(device);
    this.#deps.macChanges.forget(device);
    this.#auditing.delete(device);
    this.#unsearched.delete(device);
    device.journal.close();
  }

  /** Addresses of this host changed: what is held says what has to go, and the kernel's tables need not be read for that. */
  withdrawLocal(devices: readonly ServedDevice[]): void {
    this.#ownLeases.stale();
    for (const device of devices)
      attemptOn(device, 'audit', () => withdrawLocal(device, this.#deps), this.#deps.report);
  }

  /** Compares these devices' tables with what is held, soon: all of them, for much may have changed. */
  audit(devices: readonly ServedDevice[]): void {
    this.#ownLeases.stale();
    for (const device of devices) this.#whole.add(device);
    this.auditChanges(devices);
  }

  /** The same, every `--audit` seconds: what the kernel said has changed, and all of it now and then. */
  auditChanges(devices: readonly ServedDevice[]): void {
    const due = devices.filter((device) => device.adopted && device.link.up && !this.#auditing.has(device));
    for (const device of due) this.#auditing.add(device);
    if (due.length > 0) this.#audits$.next(due);
  }

  /** Every second: too many entries, second looks put off, answers that are old, and a grace that is over. */
  tick(): void {
    const { report } = this.#deps;
    attempt('evict', () => this.#evictor.tick(), report);
    for (const device of this.#devices()) this.#bound(device);
    attempt('mac_records', () => this.#macRecordChecks.look(), report);
    attempt('withdrawals', () => this.guard.prune(), report);
    if (!this.#directoryUp) return;
    attempt('rechecks', () => this.#searchAgain(), report);
    attempt('housekeeping', () => this.#ownLeases.look(this.#devices()), report);
    attempt('rechecks', () => this.#rechecks$.next(this.due.take()), report);
    attempt('withdrawals', () => this.#withdrawals.tick(this.#deps.now()), report);
  }

  /** It is a port of another bridge than before, or of none: what is on probation is judged otherwise from now on. */
  bridged(device: ServedDevice): void {
    attemptOn(device, 'idle', () => endAllProbation(device, this.#deps), this.#deps.report);
    this.audit([device]);
  }

  /** An interface of this host had this address until now. */
  unassigned(device: ServedDevice, ip: string): void {
    this.#unheld.lookFor(device, ip);
  }

  /** What guests of a device may know is remembered of as many addresses as may be held. */
  #bound(device: ServedDevice): void {
    device.tables.known.most = device.bridge === 0 || !device.link.vxlan.proxy ? 0 : this.#options.maxEntries;
  }

  /** Never rejects. */
  async #begin(device: ServedDevice, leasesRead: Promise<unknown>): Promise<void> {
    await attemptLater('adopt', () => this.#adopt(device, leasesRead), this.#deps.report);
  }

  async #adopt(device: ServedDevice, leasesRead: Promise<unknown>): Promise<void> {
    try {
      device.journal = this.#openJournal(device);
      await adopt(device, this.#deps.now, this.#deps.report);
    } catch (error) {
      device.adopted = true;
      if (device.gone) return;
      // The audit will find what could not be read now.
      if (!isGone(error)) this.#deps.report.broken('adopt', error);
      this.#log.warn(`${device.name}: what is in its tables could not be read: ${reasonOf(error)}`);
    }
    const { neighbours, fdb } = device.tables;
    if (neighbours.size + fdb.size > 0)
      this.#log.info(`${device.name}: adopted ${neighbours.size} neighbours, ${fdb.size} FDB entries`);
    device.journal.adopted();
    await leasesRead;
    this.#unheld.lookAll(device);
    if (this.#directoryUp) this.#verify([device]);
    this.audit([device]);
  }

  /** Compares what was adopted with the directory. Where an entry's record has to be searched for, behind the search. */
  #verify(devices: readonly ServedDevice[]): void {
    const known = devices.filter((device) => !hasUntraced(device));
    if (known.length > 0) this.#readStart(known);
    for (const device of devices)
      if (!known.includes(device))
        searchLone(device, this.#deps.directory).then(
          () => {
            this.#readStart([device]);
          },
          () => this.#unsearched.add(device),
        );
  }

  #readStart(devices: readonly ServedDevice[]): void {
    for (const device of devices)
      this.#rechecks$.next(
        [...device.tables.unproven.keys()].map((key) => ({ device, table: 'fdb', key, cause: 'change' })),
      );
    this.#withdrawals.read('start', devices);
  }

  /** Searches again what could not be searched. */
  #searchAgain(): void {
    const devices = [...this.#unsearched].filter((device) => this.#devices().includes(device));
    this.#unsearched.clear();
    if (devices.length > 0) this.#verify(devices);
  }

  /** What a batch of records that was read means for the tables. */
  #conclude({ batch, verdicts }: Reread): void {
    if (verdicts === undefined) {
      // No answer in time: ask again, behind whatever has come meanwhile.
      this.#rechecks$.next(batch);
      return;
    }
    this.due.read(batch);
    const [lost, again]: [Recheck[], Recheck[]] = [[], []];
    for (const [device, together] of groupBy(verdicts, ({ recheck }) => recheck.device)) {
      // What went away while its records were read has nowhere to be written to.
      const applied = attemptOn(device, 'rechecks', () => apply(together, this.#deps), this.#deps.report);
      lost.push(...(applied?.lost ?? []));
      again.push(...(applied?.again ?? []));
    }
    for (const { recheck, answer } of verdicts) if (answer !== undefined) this.guard.release(recheck);
    const single = lost.filter(
      (recheck) => !(recheck.cause instanceof FullResync) && !this.guard.keeps(recheck),
    );
    const silent = single.filter(({ cause }) => cause === 'lifetime').length;
    if (silent > SUSPICIOUS && silent > batch.length / 2) this.#withdrawals.readAll('gap');
    else this.#withdrawals.checkOnceMore(single);
    this.#withdrawals.followUp(again);
    this.#withdrawals.note(batch, lost);
  }

  /** What was read could not be made anything of: nothing is lost by it, and the next check reads it again. */
  #giveUp(batch: readonly Recheck[]): void {
    this.due.read(batch);
    this.#withdrawals.note(batch, []);
  }

  async #audit(devices: readonly ServedDevice[]): Promise<void> {
    for (const device of devices) {
      if (!this.#auditing.delete(device)) continue;
      try {
        const idleBefore = this.#deps.now() - this.#options.idle * 1000;
        const whole = this.#whole.delete(device) || this.#monitor.isDue(device);
        const rows = whole ? await this.#monitor.readWhole(device) : this.#monitor.readChanged(device);
        this.#rechecks$.next(await audit(device, rows, idleBefore, this.#deps));
        await this.#leaks.audit(device);
        device.auditedAt = this.#deps.now();
        device.journal.tick();
      } catch (error) {
        this.#log.debug(`${device.name}: audit broken off: ${reasonOf(error)}`);
        if (!device.gone && !isGone(error)) this.#deps.report.broken('audit', error);
      }
    }
  }
}
