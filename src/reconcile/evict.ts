/**
 * Keeps held entries within `--max-entries`, and each asking port within its quota: a guest that scans existing addresses
 * evicts its own oldest entries only. At the maximum the port with the most entries loses entries first.
 *
 * The oldest entry is the one whose miss is longest ago, because misses are the only use known without a read. Entries
 * whose FDB row shows traffic are skipped, because they would soon return. An evicted entry in use returns with its next
 * miss: the guest's ARP cache outlives the entry, so that is an L2 miss, answered from the remembered address.
 */
import type { Settled } from '../model/question.ts';
import type { Eviction } from '../base/outcomes.ts';
import { attemptOn } from '../base/guarded-lane.ts';
import type { Counters } from '../model/counters.ts';
import type { ServedDevice } from '../model/device.ts';
import type { HeldFdbEntry, HeldNeighbour } from '../model/desired-tables.ts';
import type { InstallReport } from '../entries/report.ts';
import { ADOPTED, type PortQuota } from '../model/port-quotas.ts';
import { withdrawFdb, withdrawNeighbours } from '../entries/remove.ts';

export interface EvictOptions {
  /** Entries held on all devices together, see `DesiredTables`. */
  maxEntries: number;
}

/** The share of the maximum that one asking port of one device may hold. */
const QUOTA = 1 / 4;
/** Entries evicted in one go; the next batch or second evicts the rest. */
const AT_ONCE = 1_024;
/** Entries evicted beyond the excess, or a 16th of the quota, so that not every miss costs an eviction. */
const MOST_SPARE = 256;

interface EvictDeps {
  counters: Counters;
  report: InstallReport;
}

interface Owned {
  device: ServedDevice;
  quota: PortQuota;
}

export class Evictor {
  #max = 0;
  #quota = 0;
  #spare = 0;
  readonly #devices: () => ServedDevice[];
  readonly #deps: EvictDeps;
  /** Entries that may be added before all devices' entries are counted again. */
  #room = 0;

  constructor({ maxEntries }: EvictOptions, devices: () => ServedDevice[], deps: EvictDeps) {
    this.#devices = devices;
    this.#deps = deps;
    this.limit(maxEntries);
  }

  /** Changes the maximum; the excess is evicted bit by bit, every second. */
  limit(maxEntries: number): void {
    this.#max = maxEntries;
    this.#quota = Math.max(1, Math.floor(maxEntries * QUOTA));
    this.#spare = Math.min(MOST_SPARE, Math.floor(this.#quota / 16));
    this.#room = 0;
  }

  /** Takes answers just written. These are not evicted, because their first packets are on the way. */
  onChange(settled: readonly Settled[]): void {
    const fresh = new Map<PortQuota, { device: ServedDevice; count: number }>();
    for (const { question, outcome } of settled) {
      if (outcome !== 'resolved') continue;
      const { device, layer, address } = question;
      const { neighbours, lone } = device.tables;
      const quota = (layer === 'l3' ? neighbours.get(address) : lone.get(address))?.quota;
      if (quota === undefined) continue;
      const known = fresh.get(quota);
      if (known === undefined) fresh.set(quota, { device, count: 1 });
      else known.count++;
      this.#room--;
    }
    for (const [quota, { device, count }] of fresh)
      attemptOn(device, 'evict', () => this.#keepToQuota({ device, quota }, count), this.#deps.report);
    if (this.#room < 0) this.#keepToMaximum((quota) => fresh.get(quota)?.count ?? 0);
  }

  /** Every second: evicts for entries that did not come from misses, and the rest of batches larger than a quota. */
  tick(): void {
    for (const owned of this.#quotas())
      attemptOn(owned.device, 'evict', () => this.#keepToQuota(owned, 0), this.#deps.report);
    this.#keepToMaximum(() => 0);
  }

  #keepToQuota(owned: Owned, fresh: number): void {
    const { quota } = owned;
    const over = quota.size - this.#quota;
    // Adopted entries have many unknown askers, so the quota of one port does not apply.
    if (over <= 0 || quota.port === ADOPTED) return;
    this.#evict(owned, Math.min(over + this.#spare, quota.size - fresh), 'port_quota');
  }

  #keepToMaximum(fresh: (quota: PortQuota) => number): void {
    const held = this.#devices().reduce((sum, { tables }) => sum + tables.quotas.size, 0);
    this.#room = this.#max - held;
    if (this.#room >= 0) return;
    // When the kernel fails for a device, the next port is tried.
    const left = this.#quotas();
    while (left.length > 0) {
      const greediest = left.reduce((most, one) =>
        this.#greed(one.quota) > this.#greed(most.quota) ? one : most,
      );
      const { device, quota } = greediest;
      const evict = (): true => {
        this.#evict(greediest, Math.min(this.#spare - this.#room, quota.size - fresh(quota)), 'max_entries');
        return true;
      };
      if (attemptOn(device, 'evict', evict, this.#deps.report) === true) return;
      left.splice(left.indexOf(greediest), 1);
    }
  }

  /** Orders ports: adopted entries go before those of a port within its quota, and after those of a port that fills it. */
  #greed({ port, size }: PortQuota): number {
    return port === ADOPTED ? Math.min(size, this.#quota - 0.5) : size;
  }

  #quotas(): Owned[] {
    return this.#devices().flatMap((device) =>
      [...device.tables.quotas.all()].map((quota) => ({ device, quota })),
    );
  }

  #evict({ device, quota }: Owned, wanted: number, reason: Eviction): void {
    const going: (HeldNeighbour | HeldFdbEntry)[] = [];
    const count = Math.min(wanted, AT_ONCE);
    for (let one = quota.oldest; one !== undefined && going.length < count; one = one.newer)
      going.push(one as HeldNeighbour | HeldFdbEntry);
    const talking = new Set(this.#talking(device, going));
    // When most entries have traffic, the oldest go all the same.
    const quiet = talking.size > going.length / 2 ? going : going.filter((one) => !talking.has(one));
    for (const one of talking) if (quiet !== going) device.tables.quotas.renew(one, quota.port);
    const ips: string[] = [];
    const macs: string[] = [];
    for (const one of quiet) {
      if ('ip' in one) ips.push(one.ip);
      else macs.push(one.mac);
    }
    withdrawNeighbours(device, ips, this.#deps.report);
    withdrawFdb(device, macs, this.#deps.report);
    this.#deps.counters.evictions[reason] += quiet.length;
    this.#room += quiet.length;
    if (quiet.length === 0) return;
    this.#deps.report.evicted(device, quota.port, reason);
    this.#deps.report.removed(device, ips, reason);
    this.#deps.report.removed(device, macs, reason);
  }

  /** Entries whose FDB row has forwarded in the later half of its life. */
  #talking<T extends HeldNeighbour | HeldFdbEntry>({ namespace, ifindex }: ServedDevice, all: T[]): T[] {
    const rows = namespace.kernel.getFdb(all.map(({ mac }) => ({ ifindex, lladdr: mac })));
    return all.filter((_, index) => {
      const row = rows[index];
      return row !== undefined && row.usedAgo < row.updatedAgo / 2;
    });
  }
}
