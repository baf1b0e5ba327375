/**
 * Limits the rate of broadcasts that are copied to other hosts, by an nft table in the kernel. Every round of replication
 * compares the wanted table with the one in force, so the limit precedes the first copy. A table that another program removed
 * (a firewall that flushes all rules) is found missing when its counters are read.
 */
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import { NftBusy } from '../kernel/nft/nft.ts';
import type { Logger } from '../base/log.ts';
import type { ServedDevice, DeviceNamespace } from '../model/device.ts';
import { GROUPS } from '../model/replicated-groups.ts';

/** One bridge port may send a quarter of the device's rate, as it may hold a quarter of the entries. */
const SHARE = 4;
/** Between reads of the counters, and between tries of nft after a failure, ms. */
const LOOK = 60_000;

/** One namespace. */
interface Place {
  /** The table in force; undefined where it is unknown. */
  inForce: string | undefined;
  /** nft failed, and a warning was logged. */
  refused: boolean;
  /** When nft is tried again, monotonic ms. */
  againAt: number;
  lookedAt: number;
  /** Dropped broadcasts by device: by replaced tables, and by the table in force. */
  dropped: Map<ServedDevice, { before: number; now: number }>;
}

export class BroadcastLimits {
  readonly #places = new Map<DeviceNamespace, Place>();
  readonly #rate: number;
  readonly #log: Logger;
  readonly #now: Clock;
  #turn: Promise<unknown> = Promise.resolve();
  #stopped = false;

  /** @param rate broadcasts a second through one device */
  constructor(rate: number, log: Logger, now: Clock) {
    this.#rate = rate;
    this.#log = log;
    this.#now = now;
  }

  /**
   * Never rejects.
   * @param devices that replicate
   * @param others whose namespaces a predecessor may have limited
   */
  keep(devices: readonly ServedDevice[], others: readonly ServedDevice[]): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#stopped) return;
      for (const { namespace } of [...devices, ...others])
        if (!this.#places.has(namespace))
          this.#places.set(namespace, {
            inForce: undefined,
            refused: false,
            againAt: 0,
            lookedAt: this.#now(),
            dropped: new Map(),
          });
      const inUse = new Set([...devices, ...others].map(({ namespace }) => namespace));
      for (const [namespace, place] of this.#places) {
        const here = devices.filter((device) => device.namespace === namespace);
        if (place.inForce !== undefined && this.#now() - place.lookedAt > LOOK)
          await this.#read(namespace, place);
        await this.#apply(namespace, place, here);
        if (!inUse.has(namespace)) this.#places.delete(namespace);
      }
    });
  }

  /** Broadcasts dropped so far, of every device that replicates. */
  dropped(): Promise<[device: ServedDevice, count: number][]> {
    return this.#inTurn(async () => {
      const counts: [ServedDevice, number][] = [];
      for (const [namespace, place] of this.#places) {
        await this.#read(namespace, place);
        for (const [device, { before, now }] of place.dropped) counts.push([device, before + now]);
      }
      return counts;
    });
  }

  /** Devices whose broadcasts are copied without a limit, because the kernel has none. */
  get unlimited(): number {
    return [...this.#places.values()].reduce(
      (sum, { refused, dropped }) => sum + (refused ? dropped.size : 0),
      0,
    );
  }

  /** Removes every table of ours; resolves when that is done or cannot be done. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      this.#stopped = true;
      for (const [namespace, place] of this.#places) await this.#apply(namespace, place, []);
    });
  }

  async #apply(
    namespace: DeviceNamespace,
    place: Place,
    replicating: readonly ServedDevice[],
  ): Promise<void> {
    const { dropped } = place;
    for (const device of dropped.keys()) if (!replicating.includes(device)) dropped.delete(device);
    for (const device of replicating) if (!dropped.has(device)) dropped.set(device, { before: 0, now: 0 });
    // Off a bridge nobody broadcasts but the host itself.
    const devices = replicating
      .filter(({ bridge }) => bridge !== 0)
      .map(({ ifindex, link }) => ({ ifindex, proxy: link.vxlan.proxy }));
    const wanted = JSON.stringify(devices);
    if (place.refused ? this.#now() < place.againAt : wanted === place.inForce) return;
    await this.#read(namespace, place);
    const portRate = Math.max(1, Math.floor(this.#rate / SHARE));
    try {
      await namespace.kernel.limitBroadcasts({ devices, groups: GROUPS, rate: this.#rate, portRate });
      place.refused = false;
    } catch (error) {
      // Tried again in the next round.
      if (error instanceof NftBusy) {
        place.inForce = undefined;
        return;
      }
      // With the namespace the table is gone, too; and where nothing is to be limited nothing is amiss.
      if (devices.length > 0) {
        const said = place.refused;
        Object.assign(place, { refused: true, againAt: this.#now() + LOOK });
        if (said) return;
        this.#log.warn(
          `namespace ${namespace.name}: no nftables (${reasonOf(error)}); broadcasts are copied without a limit`,
        );
      }
    }
    place.inForce = wanted;
    for (const count of dropped.values()) Object.assign(count, { before: count.before + count.now, now: 0 });
  }

  async #read(namespace: DeviceNamespace, place: Place): Promise<void> {
    if (place.refused || place.inForce === undefined || place.inForce === NOTHING) return;
    place.lookedAt = this.#now();
    try {
      const counters = await namespace.kernel.broadcastsDropped();
      for (const [device, count] of place.dropped) count.now = counters.get(device.ifindex) ?? count.now;
    } catch {
      place.inForce = undefined;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    // One that breaks does not break the next.
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

const NOTHING = JSON.stringify([]);
