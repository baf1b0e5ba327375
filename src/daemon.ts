/**
 * The daemon: namespaces and the directory on one side, the resolver in the middle, and what it tells the operator on
 * the other. All streams meet here and are subscribed to once, in `start`.
 */
import { EMPTY, Subscription, interval, map, merge, tap } from 'rxjs';
import { monotonic } from './clock.ts';
import { History } from './history/history.ts';
import type { RunOptions } from './config/options.ts';
import type { Directory, DirectoryHealth, DirectoryState } from './directory/directory.ts';
import { Ahead } from './ahead/ahead.ts';
import { Broadcast } from './broadcast/broadcast.ts';
import { BroadcastLimits } from './broadcast/limits.ts';
import { Demand } from './demand/demand.ts';
import { vtepAllowance } from './directory/vtep-allow.ts';
import { reasonOf } from './errors.ts';
import { type Concerned, heed } from './heed.ts';
import type { Kernel } from './kernel/kernel.ts';
import { FoldedLog, type Logger } from './log.ts';
import { Counters } from './metrics/counters.ts';
import { Keeper } from './keep/keeper.ts';
import { Admission } from './resolve/admission.ts';
import type { PipelineDeps } from './resolve/deps.ts';
import { Throttle } from './resolve/throttle.ts';
import { resolveMisses } from './resolve/pipeline.ts';
import { FullTables } from './served/full-tables.ts';
import { Host } from './served/host.ts';
import { Report } from './report.ts';
import { Tidying } from './tidying.ts';
import { tellSettled } from './resolve/tell.ts';
import { Wishes } from './served/wishes.ts';
import { Announcer } from './tables/announce.ts';
import { flush } from './tables/flush.ts';

/** Between rounds of housekeeping, ms. */
const HOUSEKEEPING = 10_000;
/** Between looks for answers that have become old, ms. */
const SECOND = 1_000;
/** Between looks whether another missd has let go of a device, ms: until then nobody answers there. */
const CLAIM = 100;
/** A directory lost for less than this is a hiccup, ms (the contract's `/readyz`). */
const DIRECTORY_GRACE = 10_000;
export class Daemon {
  readonly counters = new Counters();
  readonly startedAt = monotonic();
  readonly host: Host;
  readonly admission: Admission;
  readonly throttle: Throttle;
  readonly keeper: Keeper;
  readonly ahead: Ahead;
  readonly broadcast: Broadcast;
  readonly demand = new Demand(() => this.host.devices(), monotonic);
  readonly report: Report;
  readonly history = new History(monotonic);
  readonly options: RunOptions;
  directoryState: DirectoryState = { up: false, reason: 'connecting', since: monotonic() };
  /** When it last came up or went down. */
  directorySince = monotonic();
  #everUp = false;
  readonly #directory: Directory;
  readonly #log: Logger;
  readonly #complaints: FoldedLog;
  readonly #fullTables = new FullTables((family, refused, limit) => {
    this.report.tableFull(family, refused, limit);
  });
  readonly #tidying = new Tidying(monotonic);
  readonly #deps: PipelineDeps;
  /** All that writes; it ends before the sockets close. */
  readonly #working = new Subscription();
  readonly #listening = new Subscription();
  /** Why devices are not served, by name. */
  readonly #wishes: Wishes;
  #fail: (reason: string) => void = () => undefined;

  constructor(options: RunOptions, kernel: Kernel, directory: Directory, log: Logger) {
    this.options = options;
    this.host = new Host(options, kernel, log);
    this.#directory = directory;
    this.#log = log;
    this.#complaints = new FoldedLog(log, monotonic);
    this.admission = new Admission(this.counters, options.lookupRate);
    this.admission.onShed = (device, address) => {
      this.history.shed(device, address);
    };
    this.throttle = new Throttle(options.lookupRate, log, this.#complaints, monotonic);
    this.admission.onExcess = (device, lane) => {
      this.throttle.offend(device, lane);
    };
    this.#wishes = new Wishes(options.device, this.host, log, (reason) => {
      this.#fail(reason);
    });
    this.report = new Report(this.counters, this.#complaints, this.history);
    this.#deps = this.#dependencies();
    this.keeper = new Keeper(this.#deps, options, () => this.host.devices(), log);
    const limits = new BroadcastLimits(options.broadcastRate, log, monotonic);
    this.broadcast = new Broadcast(options.broadcast, this.#deps, () => this.host.devices(), log, limits);
    this.ahead = new Ahead(
      this.#deps,
      () => this.host.devices(),
      log,
      (change) => {
        this.keeper.heed(change);
      },
    );
  }

  /** Called with the reason once it is known that nothing can be served. */
  onFailure(fail: (reason: string) => void): void {
    this.#fail = fail;
  }

  /** Subscribes to everything, once. */
  start(): void {
    const concerned = this.#concerned();
    const misses$ = this.host.misses$.pipe(
      tap((batch) => {
        this.keeper.heedUse(batch);
        this.demand.heed(batch);
      }),
    );
    const work$ = merge(
      resolveMisses(misses$, this.#deps).pipe(
        map((settled) => {
          this.keeper.settled(settled);
          this.history.settled(settled);
          this.demand.settled(settled);
          tellSettled(settled, this.#log);
        }),
      ),
      this.#directory.changes$.pipe(
        map((change) => {
          this.history.heed(change);
          this.keeper.heed(change);
          this.ahead.heed(change);
          this.demand.changed(change);
          if (change.type === 'gap') this.keeper.audit(this.host.devices());
        }),
      ),
      this.#directory.state$.pipe(
        map((state) => {
          this.#heedDirectory(state);
        }),
      ),
      this.keeper.work$(),
      this.ahead.work$(),
      this.broadcast.work$(),
      interval(SECOND).pipe(
        map(() => {
          this.keeper.tick();
          this.throttle.tick();
          this.#fullTables.tick(this.host.namespaces.values().next().value?.kernel);
          this.ahead.tick();
          this.demand.tick();
        }),
      ),
      (this.options.wait === true ? interval(CLAIM) : EMPTY).pipe(
        map(() => {
          for (const signal of this.host.claim()) heed(signal, concerned);
        }),
      ),
      interval(this.options.audit * 1000).pipe(
        map(() => {
          this.keeper.auditChanges(this.host.devices());
          this.ahead.audit();
        }),
      ),
      interval(HOUSEKEEPING).pipe(
        map(() => {
          this.#complaints.flush();
          this.host.refresh();
          this.#tidying.tick(this.counters.misses.l2 + this.counters.misses.l3);
        }),
      ),
    );
    const signals$ = this.host.signals$().pipe(
      map((signal) => {
        heed(signal, concerned);
      }),
    );
    const error = (reason: unknown): void => {
      this.#fail(`internal error: ${reasonOf(reason)}`);
    };
    this.#working.add(work$.subscribe({ error }));
    this.#listening.add(signals$.subscribe({ error }));
    this.#directory.start();
    if (this.host.namespaces.size === 0 && this.options.wait !== true)
      this.#fail(this.host.troubles.join('; '));
    else this.host.started();
  }

  /** Ends all work and removes what it wrote, while the devices are still locked against a successor. */
  async flush(): Promise<void> {
    this.#working.unsubscribe();
    for (const device of this.host.devices()) device.tables.clear();
    for (const { name, kernel, devices } of this.host.namespaces.values())
      if (devices.size > 0)
        for (const { device, neighbours, fdb, routes } of await flush(kernel, [...devices.keys()]))
          this.#log.info(
            `${device}@${name}: removed ${neighbours} neighbours, ${fdb} FDB entries, ${routes} routes`,
          );
  }

  async stop(): Promise<void> {
    this.#working.unsubscribe();
    this.#listening.unsubscribe();
    await this.broadcast.leave();
    await this.throttle.stop();
    await this.#directory.close();
  }

  directoryHealth(): DirectoryHealth {
    return this.#directory.health();
  }

  /** What is not served yet, in words, whether there is a directory or not. */
  unserved(): string[] {
    return [
      ...this.host.missing().map((name) => `namespace ${name}`),
      ...this.host.awaited().map((name) => `${name}: another missd serves it`),
      ...this.host
        .devices()
        .filter((device) => !device.adopted)
        .map((device) => `entries of ${device.name} adopted`),
    ];
  }

  /** What `/readyz` is waiting for, in words; empty when ready. */
  missing(): string[] {
    const missing = this.unserved();
    const state = this.directoryState;
    if (!state.up && (!this.#everUp || monotonic() - state.since > DIRECTORY_GRACE))
      missing.push(`directory: ${state.reason}`);
    for (const device of this.host.devices())
      if (!device.adopted) continue;
      else if (!device.verified && state.up)
        missing.push(`entries of ${device.name} compared with the directory`);
      else if (!device.ahead && device.strategy !== 'miss' && state.up)
        missing.push(`entries of ${device.name} written ahead`);
    return missing;
  }

  #dependencies(): PipelineDeps {
    const { counters } = this;
    return {
      directory: this.#directory,
      counters,
      now: monotonic,
      admission: this.admission,
      isOwnVtep: this.host.isOwnVtep,
      announcer: new Announcer((outcome, by) => {
        counters.announcements[outcome] += by;
      }),
      judge: {
        leases: (vni) => this.#directory.leases(vni),
        vtepAllow: vtepAllowance(this.options.vtepAllow),
        malformed: (device, reason, example) => {
          this.report.malformed(device.vni, reason, example);
        },
      },
      report: this.report,
    };
  }

  #concerned(): Concerned {
    const { host, admission, throttle, keeper, ahead, report } = this;
    return {
      ...{ host, admission, throttle, keeper, ahead, report, wishes: this.#wishes, log: this.#log },
      wait: this.options.wait === true,
      follow: () => this.#directory.follow(new Set(host.devices().map((device) => device.vni))),
    };
  }

  #heedDirectory(state: DirectoryState): void {
    const before = this.directoryState;
    // An outage has one reason after the other, and may come and go.
    if (state.up && !before.up) this.#complaints.info('the directory answers');
    else if (!state.up && (before.up || state.reason !== before.reason))
      this.#complaints.warn('the directory does not answer', state.reason, { apart: state.reason });
    if (!state.up && before.up) this.counters.outages++;
    if (state.up !== before.up) this.directorySince = monotonic();
    this.directoryState = state;
    this.keeper.directory(state.up);
    this.#everUp ||= state.up;
  }
}
