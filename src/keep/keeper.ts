/**
 * Keeps what is held true for as long as it is held. One lane of rechecks, in order, so that of two words about a
 * record the later one stands:
 *
 *   a record changed           its entries are read again                          changes.ts
 *   an answer was written      its `mac:` record is seen behind it                 second look
 *   an answer is old           it is read again                                    lifetime, below
 *   the feed had a gap         everything is read again, at one blow               blow.ts
 *   → what is read             updates, moves or withdraws entries                 apply.ts
 *   → too much lost at once    stays for the grace                                 guard.ts
 *
 * and beside it the kernel's tables are compared with what is held                 audit.ts
 */
import { EMPTY, type Observable, Subject, filter, from, map, merge, mergeMap } from 'rxjs';
import type { DirectoryChange } from '../directory/directory.ts';
import { reasonOf } from '../errors.ts';
import { groupBy } from '../group-by.ts';
import type { Logger } from '../log.ts';
import { increment } from '../metrics/counters.ts';
import { batchWhileBusy } from '../resolve/batch-while-busy.ts';
import type { PipelineDeps } from '../resolve/deps.ts';
import type { MissBatch, Settled } from '../resolve/pipeline.ts';
import type { ServedDevice } from '../served/device.ts';
import { adopt } from './adopt.ts';
import { apply, withdrawLost } from './apply.ts';
import { audit } from './audit.ts';
import { Blow } from './blow.ts';
import { MovedAway, forgetAbsence, rechecksFor } from './changes.ts';
import { WithdrawalGuard } from './guard.ts';
import { heedUse } from './idle.ts';
import { type HeldEntry, type Recheck, type Verdict, readAgain } from './recheck.ts';

export interface KeepOptions {
  /** Seconds, all three. */
  lifetime: number;
  idle: number;
  withdrawalGrace: number;
}

const RECHECKS = { size: 256, underWay: 1 };
const ONE_BY_ONE = { size: 1, underWay: 1 };
/** Entries whose answers are checked again in one go of the clock, which comes every second. */
const MOST_DUE = 5_000;
/** Fewer losses than this among checks by lifetime are single records that vanished without a word. */
const SUSPICIOUS = 10;

export class Keeper {
  readonly guard: WithdrawalGuard;
  readonly #deps: PipelineDeps;
  readonly #options: KeepOptions;
  readonly #devices: () => ServedDevice[];
  readonly #log: Logger;
  readonly #rechecks$ = new Subject<Recheck[]>();
  readonly #served$ = new Subject<{ device: ServedDevice; leasesRead: Promise<void> }>();
  readonly #audits$ = new Subject<ServedDevice[]>();
  readonly #auditing = new Set<ServedDevice>();
  readonly #movedAway: MovedAway;
  readonly #blows = new Set<Blow>();
  #directoryUp = false;

  constructor(deps: PipelineDeps, options: KeepOptions, devices: () => ServedDevice[], log: Logger) {
    this.#deps = deps;
    this.#options = options;
    this.#devices = devices;
    this.#log = log;
    this.guard = new WithdrawalGuard(options.withdrawalGrace * 1000);
    this.#movedAway = new MovedAway(deps);
  }

  /** Everything that goes on by itself; nothing does until it is subscribed to. */
  work$(): Observable<unknown> {
    return merge(
      this.#rechecks$.pipe(
        filter((rechecks) => rechecks.length > 0),
        batchWhileBusy((batch) => this.#readAgain(batch), RECHECKS),
        map(({ batch, verdicts }) => {
          this.#conclude(batch, verdicts);
        }),
      ),
      this.#served$.pipe(mergeMap(({ device, leasesRead }) => from(this.#adopt(device, leasesRead)))),
      this.#audits$.pipe(batchWhileBusy((batch) => from(this.#audit(batch)), ONE_BY_ONE)),
      this.#movedAway.work$(),
    );
  }

  /** Misses just heard. */
  heedUse(batch: MissBatch): void {
    heedUse(batch, this.#deps);
  }

  /** Answers just written. */
  secondLook(settled: readonly Settled[]): void {
    this.#rechecks$.next(
      settled.flatMap(({ question: { device, layer, address }, outcome, answer }) =>
        outcome === 'resolved' && layer === 'l3' && answer?.source.kind === 'ip'
          ? [{ device, table: 'neighbour' as const, key: address, cause: 'second_look' as const }]
          : [],
      ),
    );
  }

  heed(change: DirectoryChange): void {
    const devices = this.#devices();
    forgetAbsence(change, devices);
    if (change.type === 'gap' || change.type === 'flushed') {
      this.#directoryUp = true;
      this.#readAll(change.type === 'gap' ? 'gap' : 'flush');
      return;
    }
    this.#rechecks$.next(rechecksFor(change, devices));
    this.#movedAway.look(change, devices);
  }

  directory(up: boolean): void {
    if (up && !this.#directoryUp) {
      this.#directoryUp = true;
      this.#read(
        'start',
        this.#devices().filter((device) => device.adopted && !device.verified),
      );
    }
    this.#directoryUp = up;
  }

  /** @param leasesRead resolves when the leases of its VNI are known: before, every lease would look lost */
  begin(device: ServedDevice, leasesRead: Promise<void>): void {
    this.#served$.next({ device, leasesRead });
  }

  forget(device: ServedDevice): void {
    this.guard.forget(device);
    this.#auditing.delete(device);
  }

  /** Compares these devices' tables with what is held, soon. */
  audit(devices: readonly ServedDevice[]): void {
    const due = devices.filter((device) => device.adopted && device.link.up && !this.#auditing.has(device));
    for (const device of due) this.#auditing.add(device);
    if (due.length > 0) this.#audits$.next(due);
  }

  /** Every second: answers that are old, and a grace that is over. */
  tick(): void {
    if (!this.#directoryUp) return;
    const now = this.#deps.now();
    this.#rechecks$.next(
      this.#devices().flatMap((device) => due(device, now - this.#options.lifetime * 1000, now)),
    );
    const over = this.guard.expire(now);
    if (over.length === 0) return;
    this.#log.warn(`the grace for ${over.length} entries without records is over`);
    this.#readTogether(new Blow('grace_over', [], over));
  }

  /** When the entry longest unread was read, monotonic ms; undefined when nothing is held. */
  oldestCheck(): number | undefined {
    const oldest = this.#devices().flatMap(({ tables }) => {
      for (const { checkedAt } of tables.neighbours.values()) return [checkedAt];
      return [];
    });
    return oldest.length === 0 ? undefined : Math.min(...oldest);
  }

  async #adopt(device: ServedDevice, leasesRead: Promise<void>): Promise<void> {
    try {
      await adopt(device, this.#deps.now);
    } catch (error) {
      // The device went away again, or the audit will find what could not be read now.
      this.#log.warn(`${device.name}: what is in its tables could not be read: ${reasonOf(error)}`);
      device.adopted = true;
    }
    const { neighbours, fdb } = device.tables;
    if (neighbours.size + fdb.size > 0)
      this.#log.info(`${device.name}: adopted ${neighbours.size} neighbours, ${fdb.size} FDB entries`);
    await leasesRead;
    if (this.#directoryUp) this.#read('start', [device]);
    this.audit([device]);
  }

  /** Reads every held entry again and judges the losses together. What of it was under way is overtaken. */
  #readAll(reason: 'gap' | 'flush'): void {
    for (const blow of this.#blows) {
      // Its entries have had their grace: a blow that comes now gives them no other.
      if (blow.reason === 'grace_over') continue;
      blow.overtaken = true;
      this.#blows.delete(blow);
    }
    this.#read(
      reason,
      this.#devices().filter((device) => device.adopted),
    );
  }

  #read(reason: Blow['reason'], devices: readonly ServedDevice[]): void {
    this.#readTogether(
      new Blow(
        reason,
        devices,
        devices.flatMap((device) => heldBy(device)),
      ),
    );
  }

  #readTogether(blow: Blow): void {
    this.#blows.add(blow);
    if (blow.entries.length === 0) this.#conclusion(blow);
    this.#rechecks$.next(blow.entries.map((entry) => ({ ...entry, cause: blow })));
  }

  #readAgain(queued: Recheck[]): Observable<{ batch: Recheck[]; verdicts: Verdict[] | undefined }> {
    const batch = queued.filter(({ cause }) => !(cause instanceof Blow && cause.overtaken));
    if (batch.length === 0) return EMPTY;
    return readAgain(batch, this.#deps).pipe(map((verdicts) => ({ batch, verdicts })));
  }

  /** What a batch of records that was read means for the tables. */
  #conclude(batch: Recheck[], verdicts: Verdict[] | undefined): void {
    if (verdicts === undefined) {
      // No answer in time: ask again, behind whatever has come meanwhile.
      this.#rechecks$.next(batch);
      return;
    }
    const lost: Recheck[] = [];
    const again: Recheck[] = [];
    const served = new Set(this.#devices());
    for (const [device, together] of groupBy(verdicts, ({ recheck }) => recheck.device)) {
      // What went away while its records were read has nowhere to be written to.
      const applied = served.has(device) ? this.#attempt(() => apply(together, this.#deps)) : undefined;
      lost.push(...(applied?.lost ?? []));
      again.push(...(applied?.again ?? []));
    }
    for (const { recheck, answer } of verdicts) if (answer !== undefined) this.guard.release(recheck);
    const single = lost.filter((recheck) => !(recheck.cause instanceof Blow) && !this.guard.keeps(recheck));
    const silent = single.filter(({ cause }) => cause === 'lifetime').length;
    if (silent > SUSPICIOUS && silent > batch.length / 2) this.#readAll('gap');
    else again.push(...this.#withdraw(single));
    for (const [cause, read] of groupBy(batch, (recheck) => recheck.cause))
      if (cause instanceof Blow) {
        const mine = lost.filter((recheck) => recheck.cause === cause);
        if (cause.note(read, mine)) this.#conclusion(cause);
      }
    this.#rechecks$.next(again);
  }

  /** All of a blow has been read: what was lost stays for the grace, or is looked at once more and goes. */
  #conclusion(blow: Blow): void {
    const last = blow.reason === 'last_look' || blow.reason === 'grace_over';
    if (blow.reason === 'grace_over') this.guard.end(blow.entries);
    const going: Recheck[] = [];
    const judged: Promise<Recheck[]>[] = [];
    for (const [vni, lost] of blow.lost) {
      const starting = blow.devices.some((device) => device.vni === vni && !device.verified);
      if (last || !this.guard.isMass(blow, vni)) going.push(...lost);
      else if (!starting) this.#keep(vni, lost);
      else judged.push(this.#keepIfEmpty(vni, lost));
    }
    if (last) this.#rechecks$.next(this.#withdraw(going));
    if (judged.length === 0) this.#end(blow, going);
    else
      void Promise.all(judged).then((more) => {
        if (!blow.overtaken) this.#end(blow, [...going, ...more.flat()]);
      });
  }

  /** It took a while, and what was lost when it was read may be back. */
  #end(blow: Blow, going: Recheck[]): void {
    this.#blows.delete(blow);
    const last = blow.reason === 'last_look' || blow.reason === 'grace_over';
    if (!last && going.length > 0) this.#readTogether(new Blow('last_look', blow.devices, going));
    else for (const device of blow.devices) device.verified = true;
  }

  /**
   * At start only a VNI without any record looks like a directory that lost its memory.
   * @returns other orphans, which go
   */
  #keepIfEmpty(vni: number, lost: Recheck[]): Promise<Recheck[]> {
    return this.#deps.directory.isEmpty(vni).then(
      (empty) => {
        if (!empty) return lost;
        this.#keep(vni, lost);
        return [];
      },
      () => {
        this.#keep(vni, lost);
        return [];
      },
    );
  }

  #keep(vni: number, all: Recheck[]): void {
    const served = new Set(this.#devices());
    const lost = all.filter(({ device }) => served.has(device));
    if (lost.length === 0) return;
    this.guard.keep(vni, lost, this.#deps.now());
    this.#log.error(
      `VNI ${vni}: ${lost.length} entries lost their records at one blow; they stay for ${this.#options.withdrawalGrace} s`,
    );
  }

  #withdraw(lost: readonly Recheck[]): Recheck[] {
    const served = new Set(this.#devices());
    const going = lost.filter((recheck) => served.has(recheck.device) && !this.guard.keeps(recheck));
    if (going.length === 0) return [];
    increment(this.#deps.counters.reconcileChanges, 'withdrawn', going.length);
    return [...groupBy(going, ({ device }) => device).values()].flatMap(
      (together) => this.#attempt(() => withdrawLost(together, this.#deps)) ?? [],
    );
  }

  async #audit(devices: readonly ServedDevice[]): Promise<void> {
    for (const device of devices) {
      if (!this.#auditing.delete(device)) continue;
      try {
        const idleBefore = this.#deps.now() - this.#options.idle * 1000;
        this.#rechecks$.next(await audit(device, idleBefore, this.#deps));
      } catch (error) {
        this.#log.debug(`${device.name}: audit broken off: ${reasonOf(error)}`);
      }
    }
  }

  #attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#deps.report.broken(error);
      return undefined;
    }
  }
}

/** Neighbours with their MACs, and the FDB entries that no neighbour uses. */
function heldBy(device: ServedDevice): HeldEntry[] {
  const { neighbours, fdb } = device.tables;
  const lone = [...fdb.keys()].filter((mac) => device.tables.userCount(mac) === 0);
  return [
    ...[...neighbours.keys()].map((key) => ({ device, table: 'neighbour' as const, key })),
    ...lone.map((key) => ({ device, table: 'fdb' as const, key })),
  ];
}

/** Entries read before `before`, the oldest first; they count as read from now on, so that none is asked for twice. */
function due(device: ServedDevice, before: number, now: number): Recheck[] {
  const { tables } = device;
  const rechecks: Recheck[] = [];
  for (const neighbour of tables.neighbours.values()) {
    if (neighbour.checkedAt > before || rechecks.length >= MOST_DUE) break;
    rechecks.push({ device, table: 'neighbour', key: neighbour.ip, cause: 'lifetime' });
  }
  for (const entry of tables.fdb.values()) {
    if (entry.checkedAt > before || rechecks.length >= MOST_DUE) break;
    if (tables.userCount(entry.mac) === 0)
      rechecks.push({ device, table: 'fdb', key: entry.mac, cause: 'lifetime' });
  }
  for (const { table, key } of rechecks) {
    const neighbour = table === 'neighbour' ? tables.neighbours.get(key) : undefined;
    const entry = tables.fdb.get(neighbour?.mac ?? key);
    if (neighbour !== undefined) tables.setNeighbour({ ...neighbour, checkedAt: now });
    if (entry !== undefined) tables.setFdb({ ...entry, checkedAt: now });
  }
  return rechecks;
}
