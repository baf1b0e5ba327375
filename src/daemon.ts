/**
 * The daemon: namespaces and the directory on one side, the resolver in the middle, and what it tells the operator on
 * the other. All streams meet here and are subscribed to once, in `start`.
 */
import { Subject, Subscription, interval, map, merge } from 'rxjs';
import { monotonic } from './clock.ts';
import type { RunOptions } from './config/options.ts';
import type { Directory, DirectoryState } from './directory/directory.ts';
import { vtepAllowance } from './directory/vtep-allow.ts';
import { reasonOf } from './errors.ts';
import type { Kernel } from './kernel/kernel.ts';
import { FoldedLog, type Logger } from './log.ts';
import { Counters, increment } from './metrics/counters.ts';
import { applyChange } from './resolve/changes.ts';
import { Admission } from './resolve/admission.ts';
import type { PipelineDeps } from './resolve/deps.ts';
import { type MissBatch, type Settled, resolveMisses } from './resolve/pipeline.ts';
import { Host } from './served/host.ts';
import type { Signal } from './served/namespace.ts';
import { prepare } from './served/prepare.ts';
import { Announcer } from './tables/announce.ts';

/** Between rounds of housekeeping, ms. */
const HOUSEKEEPING = 10_000;
/** A directory lost for less than this is a hiccup, ms (the contract's `/readyz`). */
const DIRECTORY_GRACE = 10_000;
export class Daemon {
  readonly counters = new Counters();
  readonly startedAt = monotonic();
  readonly host: Host;
  readonly admission: Admission;
  directoryState: DirectoryState = { up: false, reason: 'connecting', since: monotonic() };
  #everUp = false;
  readonly #options: RunOptions;
  readonly #directory: Directory;
  readonly #log: Logger;
  readonly #complaints: FoldedLog;
  readonly #deps: PipelineDeps;
  readonly #subscriptions = new Subscription();
  readonly #refused = new Set<string>();
  readonly #fail: (reason: string) => void;

  /** @param fail called with the reason once it is known that nothing can be served */
  constructor(
    options: RunOptions,
    kernel: Kernel,
    directory: Directory,
    log: Logger,
    fail: (reason: string) => void,
  ) {
    this.#options = options;
    this.host = new Host(options, kernel, log);
    this.#fail = fail;
    this.#directory = directory;
    this.#log = log;
    this.#complaints = new FoldedLog(log, monotonic);
    this.admission = new Admission(this.counters);
    this.#deps = this.#dependencies();
  }

  /** Subscribes to everything, once. */
  start(): void {
    const batches$ = new Subject<MissBatch>();
    const work$ = merge(
      resolveMisses(batches$, this.#deps).pipe(
        map((settled) => {
          this.#tell(settled);
        }),
      ),
      this.host.signals$().pipe(
        map((signal) => {
          this.#heed(signal, batches$);
        }),
      ),
      this.#directory.changes$.pipe(
        map((change) => {
          applyChange(change, this.host.devices());
        }),
      ),
      this.#directory.state$.pipe(
        map((state) => {
          this.#heedDirectory(state);
        }),
      ),
      interval(HOUSEKEEPING).pipe(
        map(() => {
          this.#keepHouse(batches$);
        }),
      ),
    );
    this.#subscriptions.add(
      work$.subscribe({
        error: (error: unknown) => {
          this.#fail(`internal error: ${reasonOf(error)}`);
        },
      }),
    );
    this.#directory.start();
    if (this.host.namespaces.size === 0) this.#fail(this.host.troubles.join('; '));
  }

  async stop(): Promise<void> {
    this.#subscriptions.unsubscribe();
    await this.#directory.close();
  }

  /** What `/readyz` is waiting for, in words; empty when ready. */
  missing(): string[] {
    const missing = this.host.missing().map((name) => `namespace ${name}`);
    const state = this.directoryState;
    if (!state.up && (!this.#everUp || monotonic() - state.since > DIRECTORY_GRACE))
      missing.push(`directory: ${state.reason}`);
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
        vtepAllow: vtepAllowance(this.#options.vtepAllow),
        malformed: (device, reason, example) => {
          this.malformed(device.vni, reason, example);
        },
      },
      report: {
        conflict: (device, reason, what) => {
          counters.conflicts[reason]++;
          this.#complaints.warn(`${device.name}: conflict (${reason})`, what);
        },
        failed: (device, table, error) => {
          counters.writeFailures[table]++;
          this.#complaints.warn(`${device.name}: ${table} entry refused`, error.message);
        },
        bridgeForgot: (device, mac) => {
          increment(counters.reconcileChanges, 'bridge_entry_removed');
          this.#complaints.warn(
            `${device.name}: removed the bridge's own entry for a MAC that is behind another host`,
            mac,
          );
        },
        broken: (error) => {
          this.#complaints.warn('a batch of answers could not be written', reasonOf(error));
        },
      },
    };
  }

  /** Counts a record that counts as absent, and says so once a minute. */
  malformed(vni: number, reason: string, example: string): void {
    increment(this.counters.malformedRecords, reason);
    this.#complaints.warn(`VNI ${vni}: malformed record (${reason}) ignored`, example);
  }

  #heed(signal: Signal, batches$: Subject<MissBatch>): void {
    switch (signal.type) {
      case 'misses':
        batches$.next(signal.batch);
        return;
      case 'overrun':
        this.counters.overruns[signal.socket]++;
        this.#complaints.warn(
          'netlink overrun',
          `the kernel dropped ${signal.socket} messages for want of buffer`,
        );
        return;
      case 'malformed':
        this.counters.malformedMessages += signal.count;
        this.#complaints.warn('malformed netlink messages', String(signal.count));
        return;
      case 'served':
        prepare(signal.device, this.#log);
        this.#follow();
        return;
      case 'gone':
        this.admission.abandon(signal.device);
        this.#log.info(`${signal.device.name} is no longer served`);
        this.#follow();
        return;
      case 'emptied':
        signal.device.tables.clear();
        this.#log.info(`${signal.device.name}: the kernel emptied its tables`);
        return;
      case 'refused':
        this.#refused.add(signal.name);
        this.#log.error(`${signal.name} is not served: ${signal.reason}`);
        return;
      case 'loaded':
        this.#checkDevices();
        return;
      case 'addresses':
        return;
    }
  }

  /** Devices asked for by name: some may come later, but if all are there and none can be served, say so and end. */
  #checkDevices(): void {
    const namespaces = [...this.host.namespaces.values()];
    if (!namespaces.every((namespace) => namespace.loaded)) return;
    const names = this.#options.device;
    const waiting = names.filter(
      (name) => !namespaces.some(({ links }) => [...links.values()].some((link) => link.name === name)),
    );
    for (const name of waiting) this.#log.warn(`no device ${name} yet; waiting for it`);
    const served = this.host.devices().length;
    if (served === 0 && this.#refused.size > 0 && waiting.length === 0)
      this.#fail(`none of the devices can be served: ${[...this.#refused].join(', ')}`);
    else if (served === 0 && names.length === 0)
      this.#log.warn('no VXLAN device with l2miss or l3miss yet; waiting for one');
  }

  #follow(): void {
    void this.#directory.follow(new Set(this.host.devices().map((device) => device.vni)));
  }

  #heedDirectory(state: DirectoryState): void {
    if (state.up && !this.directoryState.up) this.#log.info('the directory answers');
    if (!state.up && (this.directoryState.up || state.reason !== this.directoryState.reason))
      this.#log.warn(`the directory does not answer: ${state.reason}`);
    this.directoryState = state;
    this.#everUp ||= state.up;
  }

  #keepHouse(batches$: Subject<MissBatch>): void {
    this.#complaints.flush();
    for (const signal of this.host.refresh()) this.#heed(signal, batches$);
  }

  /** One line per settled miss, for whoever asks for that much. */
  #tell(settled: Settled[]): void {
    if (!this.#log.isLevelEnabled('debug')) return;
    for (const { question, outcome, answer } of settled) {
      const { device, layer, address, askers, receivedAt } = question;
      const ms = Number((monotonic() - receivedAt).toFixed(3));
      const asked = askers.map((asker) => asker.ip);
      this.#log.debug(
        {
          device: device.name,
          vni: device.vni,
          layer,
          address,
          outcome,
          ...answer,
          source: answer?.source.kind,
          asked,
          ms,
        },
        `${layer.toUpperCase()} miss ${address}: ${outcome}`,
      );
    }
  }
}
