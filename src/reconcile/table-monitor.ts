/**
 * What is known of the kernel's tables without reading them whole. That costs more than in proportion (100,000 FDB
 * entries: a second of the kernel's time), so it is done rarely where it is dear, and in between only rows are looked at
 * that the kernel said have changed.
 *
 * It says so of our own writes, too. In a storm of misses that would double the work, so nothing is listened to then,
 * and what was not heard is made up for by reading whole.
 */
import { chunks } from '../base/chunks.ts';
import { type Faults, attemptOn } from '../base/guarded-lane.ts';
import type { RowChange } from '../kernel/kernel.ts';
import type { ServedDevice } from '../model/device.ts';
import { isKernelLeftover, isOurFdbEntry, isOurNeighbour } from '../entries/ownership.ts';
import { isForeignNeighbour, placeOf, readForeignMacs } from '../entries/evidence.ts';
import { ALL_ZEROS, isGroup } from '../base/mac.ts';
import { replicasIn } from '../entries/replicas.ts';
import type { FdbEntry, Ip, Mac, Neighbour } from '../base/vocabulary.ts';
import { isFdbAsHeld, isNeighbourAsHeld } from './matches.ts';

/** Reading whole more than this many entries takes at most one part in so many of the time. */
const MANY = 5_000;
const RARELY = 100;
/** The same where changes went unheard. */
const SELDOM = 10;
/** Answers written in a second above which nobody listens. */
const STORM = 2_000;
const SECOND = 1_000;
/** Rows read in one go. */
const AT_ONCE = 500;

/** What the kernel said has changed, and how to find the device of each row. */
export interface ChangedRows {
  changes: readonly RowChange[];
  deviceOf: (ifindex: number) => ServedDevice | undefined;
  behindBridge: (bridge: number) => ServedDevice | undefined;
}

/** Rows of a device that may differ from what is held, as they were a moment ago. */
export interface Rows {
  fdb: ReadonlyMap<Mac, FdbEntry>;
  neighbours: ReadonlyMap<Ip, Neighbour>;
  /** What of the held is to be compared with them: those without a row are missing. */
  macs: ReadonlySet<Mac>;
  ips: ReadonlySet<Ip>;
}

interface Monitored {
  /** What changed meanwhile has not been heard. */
  missedEvents: boolean;
  /** Rows that differ from what is held, or differed a moment ago. */
  macs: Set<Mac>;
  ips: Set<Ip>;
  /** When the tables were last read whole, and how long that took; monotonic ms. */
  readAt: number;
  cost: number;
}

export class TableMonitor {
  readonly #devices: () => ServedDevice[];
  readonly #now: () => number;
  readonly #faults: Faults;
  readonly #monitored = new WeakMap<ServedDevice, Monitored>();
  #written = 0;
  #since = -Infinity;

  constructor(devices: () => ServedDevice[], now: () => number, faults: Faults) {
    this.#devices = devices;
    this.#now = now;
    this.#faults = faults;
  }

  /** Whether it is time to read a device's tables whole. */
  isDue(device: ServedDevice): boolean {
    const { missedEvents, readAt, cost } = this.#of(device);
    if (device.tables.quotas.size <= MANY) return true;
    return this.#now() - readAt >= (missedEvents ? SELDOM : RARELY) * cost;
  }

  /** So many answers were just written. */
  wrote(count: number): void {
    if (this.#now() - this.#since > SECOND) {
      this.#since = this.#now();
      this.#written = 0;
    }
    this.#written += count;
    if (this.#written > STORM) this.lose();
  }

  /** Changes have been missed, or will be. */
  lose(): void {
    for (const device of this.#devices()) {
      const monitored = this.#of(device);
      if (monitored.missedEvents) continue;
      monitored.missedEvents = true;
      // Where that breaks there is more to hear, and it is not listened to.
      attemptOn(device, 'table_monitor', () => device.namespace.kernel.watchTables([]), this.#faults);
    }
  }

  onRows({ changes, deviceOf }: ChangedRows): void {
    for (const { removed, row } of changes) {
      // What a bridge has learned, see leaks.ts.
      if ('master' in row && row.master !== 0) continue;
      const device = deviceOf(row.ifindex);
      if (device === undefined) continue;
      const { macs, ips, missedEvents } = this.#of(device);
      if (missedEvents) continue;
      if ('ip' in row) {
        if (isNeighbourSuspect(device, row, removed)) ips.add(row.ip);
      } else if (isFdbSuspect(device, row, removed)) macs.add(row.lladdr);
    }
  }

  /** @throws KernelError when a table cannot be dumped */
  async readWhole(device: ServedDevice): Promise<Rows> {
    const monitored = this.#of(device);
    const { ifindex, namespace, tables } = device;
    const { kernel } = namespace;
    monitored.missedEvents = false;
    monitored.macs.clear();
    monitored.ips.clear();
    try {
      // Listening comes first: what changes while it is read is heard of.
      kernel.watchTables(this.#sighted(device));
      const started = this.#now();
      // Nearly all are as held and forgotten at once: kept until the end, they would cost a collection of their size.
      const macs = new Set(tables.fdb.keys());
      const gone = new Set(device.foreign.keys());
      const fdb = await kernel.fdb(ifindex, (row) => {
        gone.delete(row.lladdr);
        if (isFdbSuspect(device, row, false)) return true;
        macs.delete(row.lladdr);
        return isGroup(row.lladdr);
      });
      for (const mac of gone) device.foreign.delete(mac);
      device.replicas = replicasIn(fdb, device.journal);
      const ips = new Set(tables.neighbours.keys());
      const neighbours = await kernel.neighbours(ifindex, (row) => {
        if (isNeighbourSuspect(device, row, false)) return true;
        ips.delete(row.ip);
        return isForeignNeighbour(row);
      });
      device.foreignMacs = await readForeignMacs(placeOf(device), neighbours);
      monitored.readAt = this.#now();
      monitored.cost = monitored.readAt - started;
      return {
        fdb: new Map(fdb.map((row) => [row.lladdr, row])),
        neighbours: new Map(neighbours.map((row) => [row.ip, row])),
        macs,
        ips,
      };
    } catch (error) {
      monitored.missedEvents = true;
      throw error;
    }
  }

  /** Reads what has changed since. @throws KernelError */
  readChanged(device: ServedDevice): Rows {
    const monitored = this.#of(device);
    const { macs, ips } = monitored;
    monitored.macs = new Set();
    monitored.ips = new Set();
    const { namespace, ifindex } = device;
    const fdb = new Map<Mac, FdbEntry>();
    const neighbours = new Map<Ip, Neighbour>();
    for (const some of chunks([...macs], AT_ONCE))
      for (const row of namespace.kernel.getFdb(some.map((lladdr) => ({ ifindex, lladdr }))))
        if (row !== undefined) fdb.set(row.lladdr, row);
    for (const some of chunks([...ips], AT_ONCE))
      for (const row of namespace.kernel.getNeighbours(some.map((ip) => ({ ifindex, ip }))))
        if (row !== undefined) neighbours.set(row.ip, row);
    return { fdb, neighbours, macs, ips };
  }

  #of(device: ServedDevice): Monitored {
    let monitored = this.#monitored.get(device);
    if (monitored === undefined) {
      monitored = { missedEvents: true, macs: new Set(), ips: new Set(), readAt: -Infinity, cost: 0 };
      this.#monitored.set(device, monitored);
    }
    return monitored;
  }

  /** Devices of the same namespace that are listened for. */
  #sighted({ namespace }: ServedDevice): number[] {
    return this.#devices()
      .filter((device) => device.namespace === namespace && !this.#of(device).missedEvents)
      .flatMap(({ ifindex, bridge }) => (bridge === 0 ? [ifindex] : [ifindex, bridge]));
  }
}

/** Also what is ours by its marks and not held, and what the kernel left behind. */
function isNeighbourSuspect({ tables }: ServedDevice, row: Neighbour, removed: boolean): boolean {
  const held = tables.neighbours.get(row.ip);
  if (held !== undefined) return removed || !isNeighbourAsHeld(held, row);
  return !removed && (isOurNeighbour(row) || isKernelLeftover(row));
}

/** Of those with our marks not those that are known to be somebody else's. */
function isFdbSuspect(device: ServedDevice, row: FdbEntry, removed: boolean): boolean {
  const { tables, foreign } = device;
  const held = tables.fdb.get(row.lladdr);
  if (held !== undefined) return removed || !isFdbAsHeld(device, held, row);
  if (row.lladdr === ALL_ZEROS) return true;
  if (removed) foreign.delete(row.lladdr);
  return !removed && isOurFdbEntry(row) && foreign.get(row.lladdr) !== row.vtep;
}
