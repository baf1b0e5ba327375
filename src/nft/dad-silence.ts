/**
 * Keeps duplicate address detection of guests that publish themselves from the VXLAN device, by an nft table per namespace.
 * The table stays when the daemon ends, because the entries that it is for stay as well; `missd flush` and `missd leave`
 * remove it. A table that another program removed is found missing within a minute.
 */
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { NftBusy } from '../kernel/nft/nft.ts';
import type { DeviceNamespace, ServedDevice } from '../model/device.ts';

/** Between looks at the table, and between tries after a failure, ms. */
const LOOK = 60_000;

interface Place {
  /** ifindexes that the table in force has; undefined where that is unknown. */
  inForce: string | undefined;
  refused: boolean;
  /** When it is looked at or tried next, monotonic ms. */
  due: number;
}

export class DadSilence {
  readonly #places = new Map<DeviceNamespace, Place>();
  readonly #log: Logger;
  readonly #now: Clock;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(log: Logger, now: Clock) {
    this.#log = log;
    this.#now = now;
  }

  /** Never rejects. @param devices on which guests are published */
  keep(devices: readonly ServedDevice[]): Promise<void> {
    const done = this.#turn.then(async () => {
      for (const { namespace } of devices)
        if (!this.#places.has(namespace))
          this.#places.set(namespace, { inForce: undefined, refused: false, due: 0 });
      for (const [namespace, place] of this.#places) {
        const here = devices.filter((device) => device.namespace === namespace && device.bridge !== 0);
        await this.#apply(namespace, place, here);
        if (!devices.some((device) => device.namespace === namespace)) this.#places.delete(namespace);
      }
    });
    this.#turn = done.catch(() => undefined);
    return this.#turn.then(() => undefined);
  }

  /** Namespaces whose guests may find their addresses taken by themselves. */
  get refused(): number {
    return [...this.#places.values()].filter((place) => place.refused).length;
  }

  async #apply(namespace: DeviceNamespace, place: Place, devices: readonly ServedDevice[]): Promise<void> {
    const ifindexes = devices.map(({ ifindex }) => ifindex);
    const wanted = ifindexes.join();
    const due = this.#now() >= place.due;
    if (place.refused ? !due : wanted === place.inForce && !due) return;
    place.due = this.#now() + LOOK;
    try {
      if (wanted === place.inForce && (wanted === '' || (await namespace.kernel.isDadSilenced()))) return;
      await namespace.kernel.silenceDad(ifindexes);
      Object.assign(place, { inForce: wanted, refused: false });
    } catch (error) {
      place.inForce = undefined;
      if (error instanceof NftBusy) {
        place.due = 0;
        return;
      }
      // With the namespace the table is gone, too.
      if (devices.length === 0) return;
      const said = place.refused;
      place.refused = true;
      if (said) return;
      this.#log.warn(
        `namespace ${namespace.name}: no nftables (${reasonOf(error)}); a guest may find its own address taken when it comes up`,
      );
    }
  }
}
