/**
 * Finds rows of the kernel's tables that differ from the held entries, mostly without dumping the tables. A dump costs
 * more than in proportion to its size (100,000 FDB entries: a second of the kernel's time), so large tables are dumped
 * rarely, and in between only rows are read that the kernel reported as changed.
 *
 * The kernel reports missd's own writes as well. In a storm of misses that would double the work, so missd then stops
 * listening, and a dump makes up for the missed events.
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

/** Tables with more entries than this are dumped at most for one `RARELY`th of the time. */
const MANY = 5_000;
const RARELY = 100;
/** The same where events were missed. */
const SELDOM = 10;
/** Answers written in a second above which missd stops listening. */
const STORM = 2_000;
const SECOND = 1_000;

/** Rows that the kernel reported as changed, and how to find the device of each row. */
export interface ChangedRows {
  changes: readonly RowChange[];
  deviceOf: (ifindex: number) => ServedDevice | undefined;
  behindBridge: (bridge: number) => ServedDevice | undefined;
}

/** Rows of a device that may differ from the held entries, as they were a moment ago. */
export interface Rows {
  fdb: ReadonlyMap<Mac, FdbEntry>;
  neighbours: ReadonlyMap<Ip, Neighbour>;
  /** Held entries to compare with the rows; those without a row are missing. */
  macs: ReadonlySet<Mac>;
  ips: ReadonlySet<Ip>;
}

interface Monitored {
  /** Changes since the last dump went unreported. */
  missedEvents: boolean;
  /** Rows that differ from the held entries, or differed a moment ago. */
  macs: Set<Mac>;
  ips: Set<Ip>;
  /** When the tables were last dumped (monotonic ms), and how long that took, ms. */
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

  /** Whether it is time to dump a device's tables. */
  isDue(device: ServedDevice): boolean {
    const { missedEvents, readAt, cost } = this.#of(device);
    if (device.tables.quotas.size <= MANY) return true;
    return this.#now() - readAt >= (missedEvents ? SELDOM : RARELY) * cost;
  }

  /** Counts answers just written. */
  wrote(count: number): void {
    if (this.#now() - this.#since > SECOND) {
      this.#since = this.#now();
      this.#written = 0;
    }
    this.#written += count;
    if (this.#written > STORM) this.lose();
  }

  /** Stops listening: events were missed, or would cost too much. */
  lose(): void {
    for (const device of this.#devices()) {
      const monitored = this.#of(device);
      if (monitored.missedEvents) continue;
      monitored.missedEvents = true;
      // When this fails, further events arrive and are ignored.
      attemptOn(device, 'table_monitor', () => device.namespace.kernel.watchTables([]), this.#faults);
    }
  }

  onRows({ changes, deviceOf }: ChangedRows): void {
    for (const { removed, row } of changes) {
      // Rows learned by a bridge are for leaks.ts.
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
      // Listening comes first, so that changes during the dump are reported.
      kernel.watchTables(this.#watchedInterfaces(device));
      const started = this.#now();
      // Nearly all rows match and are dropped at once; kept until the end, they would cost a garbage collection of their size.
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

  /** Reads the rows that changed since the last call. @throws KernelError */
  readChanged(device: ServedDevice): Rows {
    const monitored = this.#of(device);
    const { macs, ips } = monitored;
    monitored.macs = new Set();
    monitored.ips = new Set();
    const { namespace, ifindex } = device;
    const fdb = new Map<Mac, FdbEntry>();
    const neighbours = new Map<Ip, Neighbour>();
    for (const some of chunks([...macs]))
      for (const row of namespace.kernel.getFdb(some.map((lladdr) => ({ ifindex, lladdr }))))
        if (row !== undefined) fdb.set(row.lladdr, row);
    for (const some of chunks([...ips]))
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

  /** The ifindexes of the namespace whose events are wanted. */
  #watchedInterfaces({ namespace }: ServedDevice): number[] {
    return this.#devices()
      .filter((device) => device.namespace === namespace && !this.#of(device).missedEvents)
      .flatMap(({ ifindex, bridge }) => (bridge === 0 ? [ifindex] : [ifindex, bridge]));
  }
}

/** Rows with our marks that are not held are suspect as well, and so are the kernel's leftovers. */
function isNeighbourSuspect({ tables }: ServedDevice, row: Neighbour, removed: boolean): boolean {
  const held = tables.neighbours.get(row.ip);
  if (held !== undefined) return removed || !isNeighbourAsHeld(held, row);
  return !removed && (isOurNeighbour(row) || isKernelLeftover(row));
}

/** Rows with our marks are suspect unless another owner is known to have written them. */
function isFdbSuspect(device: ServedDevice, row: FdbEntry, removed: boolean): boolean {
  const { tables, foreign } = device;
  const held = tables.fdb.get(row.lladdr);
  if (held !== undefined) return removed || !isFdbAsHeld(device, held, row);
  if (row.lladdr === ALL_ZEROS) return true;
  if (removed) foreign.delete(row.lladdr);
  return !removed && isOurFdbEntry(row) && foreign.get(row.lladdr) !== row.vtep;
}
