/**
 * The daemon: namespaces and the directory on one side, the resolver in the middle, and what it tells the operator on
 * the other. All streams meet here and are subscribed to once, in `start`.
 */
import { VolatileJournal } from '../model/journal.ts';
import type { LaneName } from '../base/outcomes.ts';
import { BehaviorSubject, type Observable, Subscription, interval, map, merge, switchMap, tap } from 'rxjs';
import { monotonic } from '../base/clock.ts';
import { History } from '../observe/history/history.ts';
import type { RunOptions } from '../config/options.ts';
import type { LiveOptions } from './reload.ts';
import type { Directory, DirectoryChange, DirectoryHealth, DirectoryState } from '../directory/directory.ts';
import { Preload } from '../proactive/preload.ts';
import { Replication } from '../replication/replication.ts';
import { BroadcastLimits } from '../nft/broadcast-limits.ts';
import { TopAddresses } from '../observe/top-addresses/top-addresses.ts';
import { vtepAllowance } from '../directory/vtep-allow.ts';
import { reasonOf } from '../base/errors.ts';
import type { FlushRequest } from './control-server.ts';
import { Networks } from './networks.ts';
import { attempt, attemptLater, revived } from '../base/guarded-lane.ts';
import { type Concerned, dispatch } from './event-dispatch.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { FoldedLog, type Logger } from '../base/log.ts';
import { Counters } from '../model/counters.ts';
import { Reconciler } from '../reconcile/reconciler.ts';
import type { OpenJournal } from '../reconcile/takeover.ts';
import { Admission } from '../resolver/admission.ts';
import { Throttle } from '../nft/throttle.ts';
import { type PipelineDeps, resolveMisses } from '../resolver/pipeline.ts';
import { FullTables } from '../links/full-tables.ts';
import { Host } from '../links/host.ts';
import { Readiness } from '../observe/readiness.ts';
import { Report } from './report.ts';
import { HeapTrim } from './heap-trim.ts';
import { logResolutions } from '../resolver/log-resolutions.ts';
import { RequestedDevices } from '../links/requested-devices.ts';
import { Announcer } from '../entries/announce.ts';
import type { Flushed } from '../entries/flush.ts';
import { flushDevices, removeEverything } from './flush-devices.ts';
import { Journals, settingsOf, sourceOf } from '../entries/journals.ts';
import { MacChanges } from '../entries/mac-changes.ts';

/** Between rounds of housekeeping, ms. */
const HOUSEKEEPING = 10_000;
/** Between checks for old answers, ms. */
const SECOND = 1_000;
/** Between attempts to take over a device from another missd with `--wait`, ms. */
const CLAIM = 100;

export class Daemon {
  readonly counters = new Counters();
  readonly startedAt = monotonic();
  readonly host: Host;
  readonly readiness: Readiness;
  readonly admission: Admission;
  readonly throttle: Throttle;
  readonly reconciler: Reconciler;
  readonly preload: Preload;
  readonly replication: Replication;
  readonly networks: Networks;
  readonly topAddresses = new TopAddresses(() => this.host.devices(), monotonic);
  readonly report: Report;
  readonly history = new History(monotonic);
  readonly options: RunOptions;
  readonly #directory: Directory;
  readonly #log: Logger;
  readonly #complaints: FoldedLog;
  readonly #fullTables: FullTables;
  readonly #heapTrim = new HeapTrim(monotonic);
  readonly #deps: PipelineDeps;
  /** Everything that writes; it ends before the sockets close. */
  readonly #working = new Subscription();
  readonly #listening = new Subscription();
  readonly #audit$: BehaviorSubject<number>;
  readonly #stateDir: string | undefined;
  #vtepAllow: (vtep: string) => boolean;
  /** Why devices are not served, by name. */
  readonly #requestedDevices: RequestedDevices;
  #fail: (reason: string) => void = () => undefined;

  /** @param stateDir for journals of entries and of changed settings; without it none are kept */
  constructor(options: RunOptions, kernel: Kernel, directory: Directory, log: Logger, stateDir?: string) {
    // A copy that all parts share, so that they see what a reload changes.
    this.options = options = { ...options };
    this.#vtepAllow = vtepAllowance(options.vtepAllow);
    this.#audit$ = new BehaviorSubject(options.audit);
    this.#directory = directory;
    this.#stateDir = stateDir;
    this.#log = log;
    this.#complaints = new FoldedLog(log, monotonic);
    this.report = new Report(this.counters, this.#complaints, this.history);
    this.host = new Host(options, kernel, log, this.report);
    const complaints = this.#complaints;
    this.networks = new Networks({
      options,
      directory,
      host: this.host,
      log,
      complaints,
      faults: this.report,
    });
    this.readiness = new Readiness(this.host, this.networks.joins);
    this.admission = new Admission(this.counters, options.lookupRate);
    this.admission.onDrop = (device, address) => {
      this.history.dropped(device, address);
    };
    this.throttle = new Throttle(options.lookupRate, log, this.#complaints, monotonic);
    this.admission.onExcess = (device, lane) => {
      this.throttle.offend(device, lane);
    };
    this.#requestedDevices = new RequestedDevices(
      () => options.device,
      this.host,
      log,
      (reason) => {
        this.#fail(reason);
      },
      () => this.options.join.length > 0,
    );
    this.#fullTables = new FullTables(this.host.anyKernel, this.report);
    this.#deps = this.#dependencies();
    this.reconciler = new Reconciler(
      this.#deps,
      options,
      () => this.host.devices(),
      log,
      this.#journals(stateDir),
    );
    const limits = new BroadcastLimits(options.broadcastRate, log, monotonic);
    this.replication = new Replication(options.broadcast, this.#deps, () => this.host.devices(), log, limits);
    this.preload = new Preload(
      this.#deps,
      () => this.host.devices(),
      log,
      (change) => {
        this.reconciler.onChange(change);
      },
    );
  }

  /** @param fail called with the reason when nothing can be served */
  onFailure(fail: (reason: string) => void): void {
    this.#fail = fail;
  }

  /** Subscribes to everything, once. */
  start(): void {
    const concerned = this.#concerned();
    const error = (reason: unknown): void => {
      this.#fail(`internal error: ${reasonOf(reason)}`);
    };
    this.#working.add(merge(...this.#work(concerned)).subscribe({ error }));
    const events$ = this.host.events$().pipe(
      map((event) => {
        this.#attempt('events', () => dispatch(event, concerned));
        this.networks.onEvent(event);
      }),
      revived('events', this.report),
    );
    this.#listening.add(events$.subscribe({ error }));
    this.#directory.start();
    if (this.host.namespaces.size === 0 && this.options.wait !== true)
      this.#fail(this.host.troubles.join('; '));
    else this.host.started();
    // Counts from before the start are not reported.
    this.#attempt('housekeeping', () => this.#fullTables.tick());
  }

  /** Puts other options in force. @throws UsageError for an invalid prefix, before anything is changed */
  reload(live: LiveOptions, changed: ReadonlySet<keyof LiveOptions>): void {
    const vtepAllow = vtepAllowance(live.vtepAllow);
    Object.assign(this.options, live);
    this.#log.level = live.logLevel;
    this.reconciler.reload(this.options);
    if (changed.has('audit')) this.#audit$.next(live.audit);
    if (changed.has('lookupRate')) {
      this.admission.limit(live.lookupRate, this.host.devices());
      this.throttle.limit(live.lookupRate);
    }
    if (changed.has('negativeLifetime'))
      for (const { absent, local } of this.host.devices())
        for (const memory of [absent, local]) memory.keepFor(live.negativeLifetime * 1000);
    if (changed.has('vtepAllow')) {
      this.#vtepAllow = vtepAllow;
      this.reconciler.readAll();
      this.preload.renew(this.host.devices());
    }
    if (changed.has('device')) {
      const concerned = this.#concerned();
      for (const event of this.host.review()) this.#attempt('events', () => dispatch(event, concerned));
    }
  }

  /** All streams; an exception in one of them does not affect the others. */
  #work(concerned: Concerned): Observable<unknown>[] {
    const { report, host, reconciler, preload, replication, topAddresses } = this;
    const misses$ = host.misses$.pipe(
      tap((batch) => {
        this.#attempt('idle', () => reconciler.onMisses(batch));
        this.#attempt('top_addresses', () => topAddresses.onMisses(batch));
      }),
    );
    const resolving$ = resolveMisses(misses$, this.#deps).pipe(
      map((settled) => {
        reconciler.settled(settled);
        this.#attempt('history', () => this.history.settled(settled));
        this.#attempt('top_addresses', () => topAddresses.settled(settled));
        this.#attempt('history', () => logResolutions(settled, this.#log));
      }),
    );
    const changes$ = this.#directory.changes$.pipe(
      map((change) => {
        this.#heedChange(change);
      }),
    );
    const state$ = this.#directory.state$.pipe(
      map((state) => {
        this.#heedDirectory(state);
      }),
    );
    return [
      resolving$.pipe(revived('misses', report)),
      // Changes missed until the stream is revived count as a gap.
      changes$.pipe(
        revived('changes', report, () => {
          this.#heedChange({ type: 'gap' });
        }),
      ),
      state$.pipe(revived('directory', report)),
      reconciler.work$().pipe(revived('rechecks', report)),
      preload.work$().pipe(revived('proactive', report)),
      replication.work$().pipe(revived('replication', report)),
      this.networks.work$(),
      this.#every(SECOND, [
        ['rechecks', () => reconciler.tick()],
        ['misses', () => this.admission.tick()],
        ['throttle', () => this.throttle.tick()],
        ['housekeeping', () => this.#fullTables.tick()],
        ['proactive', () => preload.tick()],
        ['top_addresses', () => topAddresses.tick()],
        ['publish', () => this.networks.tick()],
      ]),
      this.#every(this.options.wait === true ? CLAIM : SECOND, [['devices', () => this.#claim(concerned)]]),
      this.#audit$.pipe(
        switchMap((seconds) =>
          this.#every(seconds * 1000, [
            ['audit', () => reconciler.auditChanges(host.devices())],
            ['proactive', () => preload.audit()],
          ]),
        ),
      ),
      this.#every(HOUSEKEEPING, [
        ['housekeeping', () => this.#complaints.flush()],
        ['links', () => host.refresh()],
        ['housekeeping', () => this.#heapTrim.tick(this.counters.misses.l2 + this.counters.misses.l3)],
      ]),
    ];
  }

  /** Runs the parts periodically; an exception in one does not affect the others. @param period ms */
  #every(period: number, parts: readonly (readonly [lane: LaneName, part: () => void])[]): Observable<void> {
    return interval(period).pipe(
      map(() => {
        for (const [lane, part] of parts) this.#attempt(lane, part);
      }),
    );
  }

  #attempt(lane: LaneName, work: () => void): void {
    attempt(lane, work, this.report);
  }

  #claim(concerned: Concerned): void {
    for (const event of this.host.claim()) this.#attempt('events', () => dispatch(event, concerned));
  }

  #heedChange(change: DirectoryChange): void {
    const { history, reconciler, preload, topAddresses, host } = this;
    if (change.type === 'network') {
      this.networks.onChange(change);
      return;
    }
    const parts: readonly (readonly [LaneName, () => void])[] = [
      ['history', () => history.onChange(change)],
      ['changes', () => reconciler.onChange(change)],
      ['proactive', () => preload.onChange(change)],
      ['top_addresses', () => topAddresses.changed(change)],
    ];
    for (const [lane, part] of parts) this.#attempt(lane, part);
    this.networks.onChange(change);
    if (change.type === 'gap') this.#attempt('audit', () => reconciler.audit(host.devices()));
  }

  /** Ends all work and removes every entry, while the devices are still locked against a successor. */
  async flush(): Promise<void> {
    this.#working.unsubscribe();
    for (const device of this.host.devices())
      await attemptLater('stop', () => removeEverything(device, this.#log), this.report);
  }

  /** Flushes the devices of a request while the daemon goes on: the next miss writes an entry again. */
  flushServed(request: FlushRequest): Promise<Flushed[]> {
    return flushDevices(this.host.devices(), request);
  }

  async stop(): Promise<void> {
    this.#working.unsubscribe();
    this.#listening.unsubscribe();
    for (const end of [
      () => this.replication.leave(),
      () => this.throttle.stop(),
      () => this.#directory.close(),
    ])
      await attemptLater('stop', end, this.report);
  }

  directoryHealth(): DirectoryHealth {
    return this.#directory.health();
  }

  #dependencies(): PipelineDeps {
    const { counters } = this;
    const announcer = new Announcer((outcome, by) => {
      counters.announcements[outcome] += by;
    });
    return {
      directory: this.#directory,
      counters,
      now: monotonic,
      admission: this.admission,
      isOwnVtep: this.host.isOwnVtep,
      announcer,
      macChanges: new MacChanges(announcer, this.report, monotonic),
      policy: {
        leases: (vni) => this.#directory.leases(vni),
        vtepAllow: (vtep) => this.#vtepAllow(vtep),
        malformed: (device, reason, example) => {
          this.report.malformed(device.vni, reason, example);
        },
      },
      report: this.report,
    };
  }

  #journals(folder: string | undefined): OpenJournal {
    if (folder === undefined) return () => new VolatileJournal();
    const journals = new Journals(folder, (reason, what) => {
      this.report.journal(reason, what);
    });
    return (device) => {
      const { link, namespace } = device;
      return journals.open({ link, namespace: namespace.kernel.inode }, sourceOf(device));
    };
  }

  #concerned(): Concerned {
    const { host, admission, throttle, reconciler, preload, report } = this;
    return {
      ...{
        host,
        admission,
        throttle,
        reconciler,
        preload,
        report,
        requestedDevices: this.#requestedDevices,
        log: this.#log,
      },
      wait: this.options.wait === true,
      settings: (device) =>
        settingsOf(this.#stateDir, { link: device.link, namespace: device.namespace.kernel.inode }),
      follow: () =>
        attemptLater(
          'directory',
          () => this.#directory.follow(new Set(host.devices().map((device) => device.vni))),
          report,
        ),
    };
  }

  #heedDirectory(state: DirectoryState): void {
    const before = this.readiness.directory;
    this.readiness.onState(state);
    this.#attempt('directory', () => this.report.directory(state, before));
    this.#attempt('rechecks', () => this.reconciler.directory(state.up));
    this.networks.onState(state.up);
  }
}
