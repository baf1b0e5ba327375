/**
 * Keeps the entries that missd holds in step with the directory and the kernel. All rechecks go through one lane in order,
 * so that the latest reading of a record wins:
 *
 *   a device is served         its predecessor's entries are adopted               takeover.ts, adopt.ts
 *   a record changed           its entries are rechecked                           changes.ts
 *   an answer was written      its `mac:` record is read                           mac-record-checks.ts
 *   an answer is old           its record is read again                            refresh-queue.ts
 *   the feed had a gap         all records are read again                          full-resync.ts
 *   → a record was read        its entry is confirmed, moved or lost               apply.ts
 *   → an entry lost its record it is withdrawn, or kept for the grace              withdrawals.ts, withdrawal-guard.ts
 *
 * The kernel's tables are compared with the held entries (audits.ts, audit.ts) and kept within bounds (evict.ts).
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import type { MissBatch, Settled } from '../model/question.ts';
import { VolatileJournal } from '../model/journal.ts';
import { type Observable, Subject, map, merge } from 'rxjs';
import type { DirectoryChange } from '../directory/directory.ts';
import { attempt, attemptOn, inLane } from '../base/guarded-lane.ts';
import { groupBy } from '../base/group-by.ts';
import type { Logger } from '../base/log.ts';
import type { ServedDevice } from '../model/device.ts';
import { apply } from './apply.ts';
import { withdrawLocal } from './audit.ts';
import { Audits } from './audits.ts';
import { FullResync, type Recheck } from './full-resync.ts';
import { Leaks } from './leaks.ts';
import { UnheldChanges } from './unheld-changes.ts';
import { forgetAbsence, rechecksFor } from './changes.ts';
import { RefreshQueue, heldBy } from './refresh-queue.ts';
import { endAllStaleProbes, onMisses } from './aging.ts';
import { type EvictOptions, Evictor } from './evict.ts';
import { type ChangedRows, TableMonitor } from './table-monitor.ts';
import type { WithdrawalGuard } from './withdrawal-guard.ts';
import { Withdrawals } from './withdrawals.ts';
import { OwnLeases } from './own-leases.ts';
import { type Reread, readAgain } from './recheck.ts';
import { RecheckQueue } from './recheck-queue.ts';
import { Restorer } from './restore.ts';
import { type OpenJournal, Takeover, unprovenOf } from './takeover.ts';
import { MacRecordChecks } from './mac-record-checks.ts';

export interface ReconcileOptions extends EvictOptions {
  /** All in seconds. */
  lifetime: number;
  idle: number;
  withdrawalGrace: number;
}

const RECHECKS = { size: 256, underWay: 1 };
/** Up to this many lost records per batch of lifetime checks are taken as single deletions that the feed did not report. */
const SUSPICIOUS = 10;

export class Reconciler {
  readonly #withdrawals: Withdrawals;
  readonly #deps: PipelineDeps;
  #options: ReconcileOptions;
  readonly #devices: () => ServedDevice[];
  readonly #rechecks$ = new Subject<Recheck[]>();
  readonly #unheld: UnheldChanges;
  readonly #leaks: Leaks;
  readonly #macRecordChecks: MacRecordChecks;
  readonly #ownLeases: OwnLeases;
  readonly #evictor: Evictor;
  readonly #monitor: TableMonitor;
  readonly #restorer: Restorer;
  readonly #takeover: Takeover;
  readonly #audits: Audits;
  readonly due: RefreshQueue;
  #directoryUp = false;

  constructor(
    deps: PipelineDeps,
    options: ReconcileOptions,
    devices: () => ServedDevice[],
    log: Logger,
    openJournal: OpenJournal = () => new VolatileJournal(),
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#devices = devices;
    this.#withdrawals = new Withdrawals(deps, options.withdrawalGrace, devices, log, (rechecks) => {
      this.#rechecks$.next(rechecks);
    });
    this.#macRecordChecks = new MacRecordChecks(deps);
    this.#unheld = new UnheldChanges(deps);
    this.#leaks = new Leaks(deps);
    this.#ownLeases = new OwnLeases(deps, log);
    this.#evictor = new Evictor(options, devices, deps);
    this.#monitor = new TableMonitor(devices, deps.now, deps.report);
    this.#restorer = new Restorer(deps, (device) => {
      this.#audits.request([device], { whole: true });
    });
    this.due = new RefreshQueue(devices, options.lifetime * 1000, deps.now);
    const enqueue = (rechecks: Recheck[]): void => {
      this.#rechecks$.next(rechecks);
    };
    this.#audits = new Audits(this.#monitor, this.#leaks, enqueue, options.idle * 1000, deps, log);
    this.#takeover = new Takeover(openJournal, deps, log, {
      verify: (verifiable) => {
        enqueue(verifiable.flatMap((device) => unprovenOf(device)));
        this.#withdrawals.read('start', verifiable);
      },
      adopted: (device) => {
        this.#unheld.lookAll(device);
        if (this.#directoryUp) this.#takeover.verify([device]);
        this.audit([device]);
      },
    });
  }

  /** All periodic and queued work; it starts with the subscription. */
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
      this.#takeover.work$(),
      this.#audits.work$(),
      this.#unheld.work$(),
      this.#deps.macChanges.work$(),
    );
  }

  /** Puts other limits in force. */
  reload(options: ReconcileOptions): void {
    this.#options = options;
    this.due.lifetime = options.lifetime * 1000;
    this.guard.grace = options.withdrawalGrace * 1000;
    this.#audits.idle = options.idle * 1000;
    this.#evictor.limit(options.maxEntries);
  }

  /** Reads every held record again, because the rules for records have changed. */
  readAll(): void {
    for (const device of this.#devices()) {
      device.absent.clear();
      this.#rechecks$.next(heldBy(device).map((held) => ({ ...held, cause: 'change' })));
    }
  }

  /** Takes misses just received. */
  onMisses(batch: MissBatch): void {
    onMisses(batch, this.#deps);
    this.#unheld.hear(batch);
  }

  /** Keeps entries that lost their records all at once. */
  get guard(): WithdrawalGuard {
    return this.#withdrawals.guard;
  }

  /** Takes answers just written. */
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

  /** Takes rows that the kernel reported as changed. */
  onRows(changed: ChangedRows): void {
    this.#monitor.onRows(changed);
    this.#restorer.onChange(changed);
    this.#leaks.onChange(changed);
  }

  /** The kernel dropped notifications of changed rows. */
  missRows(): void {
    this.#monitor.lose();
  }

  directory(up: boolean): void {
    if (up && !this.#directoryUp) {
      this.#directoryUp = true;
      this.#takeover.verify(this.#devices().filter((device) => device.adopted && !device.verified));
    }
    this.#directoryUp = up;
  }

  /** @param leasesRead resolves when the leases of its VNI are known; until then every lease would look lost */
  begin(device: ServedDevice, leasesRead: Promise<unknown>): void {
    this.#bound(device);
    this.#unheld.restore(device);
    this.#takeover.begin(device, leasesRead);
  }

  forget(device: ServedDevice): void {
    this.guard.forget(device);
    this.#unheld.keep(device);
    this.#deps.macChanges.forget(device);
    this.#audits.forget(device);
    this.#takeover.forget(device);
    device.journal.close();
  }

  /** Withdraws entries for addresses that this host has since taken. The kernel's tables need not be read for that. */
  withdrawLocal(devices: readonly ServedDevice[]): void {
    this.#ownLeases.stale();
    for (const device of devices)
      attemptOn(device, 'audit', () => withdrawLocal(device, this.#deps), this.#deps.report);
  }

  /** Audits these devices soon and reads their tables whole, because much may have changed. */
  audit(devices: readonly ServedDevice[]): void {
    this.#ownLeases.stale();
    this.#audits.request(devices, { whole: true });
  }

  /** Audits every `--audit` seconds the rows that the kernel reported as changed, and now and then all rows. */
  auditChanges(devices: readonly ServedDevice[]): void {
    this.#audits.request(devices, { whole: false });
  }

  /** Every second: evicts, reads postponed `mac:` records, refreshes old answers and ends expired graces. */
  tick(): void {
    const { report } = this.#deps;
    attempt('evict', () => this.#evictor.tick(), report);
    for (const device of this.#devices()) this.#bound(device);
    attempt('mac_records', () => this.#macRecordChecks.look(), report);
    attempt('withdrawals', () => this.guard.prune(), report);
    if (!this.#directoryUp) return;
    attempt('rechecks', () => this.#takeover.searchAgain(this.#devices()), report);
    attempt('housekeeping', () => this.#ownLeases.look(this.#devices()), report);
    attempt('rechecks', () => this.#rechecks$.next(this.due.take()), report);
    attempt('withdrawals', () => this.#withdrawals.tick(this.#deps.now()), report);
  }

  /** The device has moved to another bridge or left its bridge: stale probes work in the routed topology only. */
  bridged(device: ServedDevice): void {
    attemptOn(device, 'idle', () => endAllStaleProbes(device, this.#deps), this.#deps.report);
    this.audit([device]);
  }

  /** An interface of this host has lost this address. */
  unassigned(device: ServedDevice, ip: string): void {
    this.#unheld.lookFor(device, ip);
  }

  /** As many MACs known to guests are remembered as entries may be held; none where the device does not answer guests. */
  #bound(device: ServedDevice): void {
    device.tables.known.most = device.bridge === 0 || !device.link.vxlan.proxy ? 0 : this.#options.maxEntries;
  }

  /** Applies a batch of records that was read. */
  #conclude({ batch, verdicts }: Reread): void {
    if (verdicts === undefined) {
      // The directory did not answer in time: read again, behind later rechecks.
      this.#rechecks$.next(batch);
      return;
    }
    this.due.read(batch);
    const [lost, again]: [Recheck[], Recheck[]] = [[], []];
    for (const [device, together] of groupBy(verdicts, ({ recheck }) => recheck.device)) {
      // The device may have gone while its records were read.
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

  /** Drops a batch that could not be applied: no entry is lost by it, and the next check reads its records again. */
  #giveUp(batch: readonly Recheck[]): void {
    this.due.read(batch);
    this.#withdrawals.note(batch, []);
  }
}
