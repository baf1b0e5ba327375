/**
 * Writes entries before any miss, by the strategy of each VNI. Records are judged and installed in batches like answers to
 * misses, and the entries are reconciled like all others.
 *
 *   at start, and after every gap of the feed    all records or leases are read
 *   a new record or lease                        is written at once
 *   a record of a held entry                     is left to reconciliation (reconcile/reconciler.ts)
 */
import { tryInstall } from '../entries/install.ts';
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { EMPTY, type Observable, Subject, from, map, merge } from 'rxjs';
import { type DirectoryChange, DirectoryError, type RecordKey, type Values } from '../directory/directory.ts';
import { reasonOf } from '../base/errors.ts';
import { inLane } from '../base/guarded-lane.ts';
import { groupBy } from '../base/group-by.ts';
import { isGone } from '../kernel/kernel.ts';
import type { Logger } from '../base/log.ts';
import { answerL3, fromMacRecord } from '../resolver/select-record.ts';
import { CHANGE_TIMEOUT, readUntil } from '../resolver/lookup.ts';
import type { Placement } from '../model/question.ts';
import { type ServedDevice, isHeld } from '../model/device.ts';
import { ADOPTED } from '../model/port-quotas.ts';
import { ourRoutes, writeRoutes } from '../entries/routes.ts';
import { areStale, gatewaysToWrite, wantedRoutes } from './routes.ts';

/** Entries written in one go; the event loop turns in between. */
const AT_ONCE = 256;
/** No device waits twice. */
const ONE_BY_ONE = { size: 1, underWay: 1, most: Infinity };
/** Changed records that may wait; beyond that all records are read again. */
const READS = { size: AT_ONCE, underWay: 1, most: 65_536 };

interface Changed {
  device: ServedDevice;
  key: RecordKey;
}

export class Preload {
  readonly #deps: PipelineDeps;
  readonly #devices: () => ServedDevice[];
  readonly #log: Logger;
  readonly #again: (change: DirectoryChange) => void;
  readonly #due$ = new Subject<ServedDevice[]>();
  readonly #changed$ = new Subject<Changed[]>();
  /** Devices on which every entry of the strategy is written; the next `tick` writes those of all other devices. */
  readonly #done = new WeakSet<ServedDevice>();
  readonly #underWay = new Set<ServedDevice>();

  /** @param again takes records whose entries were held by the time they were read, for reconciliation */
  constructor(
    deps: PipelineDeps,
    devices: () => ServedDevice[],
    log: Logger,
    again: (change: DirectoryChange) => void,
  ) {
    this.#deps = deps;
    this.#devices = devices;
    this.#log = log;
    this.#again = again;
  }

  work$(): Observable<unknown> {
    return merge(
      this.#due$.pipe(
        inLane(
          'proactive',
          {
            work: ([device]) => (device === undefined ? EMPTY : from(this.#write(device))),
            conclude: () => undefined,
          },
          ONE_BY_ONE,
          this.#deps.report,
        ),
      ),
      this.#changed$.pipe(
        inLane(
          'proactive',
          {
            work: (batch) => this.#read(batch),
            conclude: (read) => {
              this.#conclude(read);
            },
            instead: (batch) => {
              this.renew(batch.map(({ device }) => device));
            },
          },
          {
            ...READS,
            dropped: ({ device }) => {
              this.renew([device]);
            },
          },
          this.#deps.report,
        ),
      ),
    );
  }

  onChange(change: DirectoryChange): void {
    const devices = this.#devices().filter(({ strategy }) => strategy !== 'miss');
    if (change.type === 'records') {
      const changed = devices
        .filter(({ strategy }) => strategy === 'preload')
        .flatMap((device) =>
          change.keys
            .filter((key) => key.vni === device.vni && !isHeld(device, key))
            .map((key) => ({ device, key })),
        );
      if (changed.length > 0) this.#changed$.next(changed);
      return;
    }
    this.renew(devices.filter(({ vni }) => change.type !== 'leases' || vni === change.vni));
    this.tick();
  }

  /** Writes these devices again at the next `tick`, because their tables or records may have changed. */
  renew(devices: readonly ServedDevice[]): void {
    for (const device of devices) this.#done.delete(device);
  }

  /** Restores routes that were removed from outside. */
  audit(): void {
    this.renew(this.#devices().filter(({ strategy }) => strategy === 'routes'));
    this.tick();
  }

  /**
   * Every second. Adopted entries are compared with the directory first, so that misses can replace entries that a change
   * of strategy removes.
   */
  tick(): void {
    const due = this.#devices().filter((device) => {
      if (device.strategy === 'routes' && areStale(device)) this.#done.delete(device);
      return device.verified && device.link.up && !this.#done.has(device) && !this.#underWay.has(device);
    });
    for (const device of due) this.#underWay.add(device);
    if (due.length > 0) this.#due$.next(due);
  }

  /** Writes all entries of a device's strategy. Never rejects: a failure is repeated at the next `tick`. */
  async #write(device: ServedDevice): Promise<void> {
    this.#done.add(device);
    try {
      if (device.strategy === 'preload') await this.#preload(device);
      await this.#routes(device);
      device.preload = true;
    } catch (error) {
      this.#done.delete(device);
      if (error instanceof DirectoryError || isGone(error) || device.gone)
        this.#log.debug(`${device.name}: writing ahead broken off: ${reasonOf(error)}`);
      else this.#deps.report.broken('proactive', error);
    } finally {
      this.#underWay.delete(device);
    }
  }

  async #preload(device: ServedDevice): Promise<void> {
    let batch: Placement[] = [];
    for await (const [key, value] of this.#deps.directory.everything(device.vni)) {
      const placement = this.#judged(device, key, value);
      if (placement !== undefined && !stands(placement)) batch.push(placement);
      if (batch.length < AT_ONCE) continue;
      this.#install(batch);
      batch = [];
      await turn();
    }
    this.#install(batch);
  }

  /** Writes routes, or removes those of a predecessor with the strategy `routes`. */
  async #routes(device: ServedDevice): Promise<void> {
    const leases = this.#deps.policy.leases(device.vni);
    const stand = await ourRoutes(device);
    if (device.strategy === 'routes') {
      this.#install(gatewaysToWrite(device, this.#deps));
      device.routes = writeRoutes(device, stand, wantedRoutes(device, stand, leases), this.#deps.report);
    } else if (stand.size > 0) {
      device.routes = writeRoutes(device, stand, new Map(), this.#deps.report);
      this.#log.info(`${device.name}: removed ${stand.size} routes of another strategy`);
    }
  }

  #read(batch: Changed[]): Observable<{ batch: Changed[]; values: Values | undefined }> {
    const keys = batch.map(({ key }) => key);
    return readUntil(keys, this.#deps.now() + CHANGE_TIMEOUT, this.#deps).pipe(
      map((values) => ({ batch, values })),
    );
  }

  #conclude({ batch, values }: { batch: Changed[]; values: Values | undefined }): void {
    if (values === undefined) {
      this.renew(batch.map(({ device }) => device));
      return;
    }
    const held = batch.filter(({ device, key }) => isHeld(device, key));
    const placements = batch.map(({ device, key }, index) => {
      const value = values[index] ?? null;
      return value === null || isHeld(device, key) ? undefined : this.#judged(device, key, value);
    });
    this.#install(placements.filter((placement) => placement !== undefined));
    if (held.length > 0) this.#again({ type: 'records', keys: held.map(({ key }) => key) });
  }

  #judged(device: ServedDevice, { kind, address }: RecordKey, value: string): Placement | undefined {
    const { policy, isOwnVtep } = this.#deps;
    if (kind === 'mac') {
      const answer = fromMacRecord(policy, device, address, value);
      return answer === undefined || isOwnVtep(answer.vtep) ? undefined : { device, answer };
    }
    const answer = answerL3(policy, device, address, value);
    return answer === undefined || isOwnVtep(answer.vtep) ? undefined : { device, ip: address, answer };
  }

  /** Installs one namespace at a time, and only on devices that are still served. */
  #install(placements: readonly Placement[]): void {
    const served = new Set(this.#devices());
    const current = placements
      .filter(({ device }) => served.has(device))
      .map((placement) => ({ ...placement, port: ADOPTED }));
    // Adopted entries count against no port's quota.
    for (const together of groupBy(current, ({ device }) => device.namespace).values())
      tryInstall(together, this.#deps);
  }
}

/** Held neighbours are left to reconciliation; an FDB entry stands only if the answer has the same VTEP. */
const stands = ({ device: { tables }, ip, answer }: Placement): boolean =>
  ip === undefined ? tables.fdb.get(answer.mac)?.vtep === answer.vtep : tables.neighbours.has(ip);
