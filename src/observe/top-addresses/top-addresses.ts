/**
 * What is asked for, and by whom: the addresses asked for most, and those asked for again and again although nobody has
 * them. For people who look (`missd top`); nothing is decided by it.
 *
 * It is told of every batch and must cost next to nothing: of more than a thousand misses a second only some are looked
 * at, each for as many as were passed over.
 */
import type { MissBatch, Settled } from '../../model/question.ts';
import type { Clock } from '../../base/clock.ts';
import type { DirectoryChange } from '../../directory/directory.ts';
import { L2_PORT, UNKNOWN_PORT } from '../../model/port-lane.ts';
import { isLinkLocal } from '../../base/address.ts';
import { addressesOf } from './device-addresses.ts';
import type { ServedDevice } from '../../model/device.ts';
import type { Miss } from '../../base/vocabulary.ts';

/** So many misses a second are looked at one by one; beyond, every second one, every third and so on. */
const ONE_BY_ONE = 1_000;
/** Ticks after which being asked for is worth half, and after which an address is forgotten; a tick is a second. */
export const HALF_LIFE = 60;
const FORGOTTEN = 600_000;

export class TopAddresses {
  readonly #devices: () => ServedDevice[];
  readonly #now: Clock;
  readonly #random: () => number;
  /** Misses since the last tick. */
  #recent = 0;

  constructor(devices: () => ServedDevice[], now: Clock, random = Math.random) {
    this.#devices = devices;
    this.#now = now;
    this.#random = random;
  }

  /** Misses just heard. */
  onMisses({ misses, deviceOf }: MissBatch): void {
    const now = this.#now();
    this.#recent += misses.length;
    const stride = 1 + Math.floor(this.#recent / ONE_BY_ONE);
    // At random, so that nobody's misses are always the ones passed over.
    for (let at = stride === 1 ? 0 : Math.floor(this.#random() * stride); at < misses.length; at += stride) {
      const miss = misses[at];
      if (miss === undefined) continue;
      const { address, layer, count } = miss;
      const device = deviceOf(miss.ifindex);
      if (device === undefined) continue;
      const asked = addressesOf(device);
      const port = portOf(miss);
      const times = count * stride;
      asked.misses += times;
      // What is new stands for itself alone, or one of a storm's addresses would outweigh what is asked for all the time.
      if (!asked.hot.again(address, port, times, now)) asked.hot.add(address, layer, port, count, now);
      if (asked.unknown.size > 0) asked.unknown.again(address, port, times, now);
    }
  }

  /** Misses just answered. */
  settled(settled: readonly Settled[]): void {
    const now = this.#now();
    for (const { question, outcome } of settled) {
      const { device, address, layer, lane } = question;
      const { unknown } = addressesOf(device);
      if (outcome === 'resolved' || outcome === 'local') {
        if (unknown.size > 0) unknown.delete(address);
      } else if (outcome === 'unknown' && !unknown.has(address) && !isLinkLocal(address))
        unknown.add(address, layer, lane.port, 1, now);
    }
  }

  /** Records changed: whether anybody has these addresses is to be seen when they are asked for again. */
  changed(change: DirectoryChange): void {
    if (change.type !== 'records') return;
    const wanting = this.#devices().filter((device) => addressesOf(device).unknown.size > 0);
    for (const { vni, address } of change.keys)
      for (const device of wanting) if (device.vni === vni) addressesOf(device).unknown.delete(address);
  }

  /** Every second. */
  tick(): void {
    this.#recent = 0;
    const before = this.#now() - FORGOTTEN;
    for (const device of this.#devices()) {
      const { hot, unknown } = addressesOf(device);
      hot.cool(2 ** (-1 / HALF_LIFE), before);
      unknown.cool(1, before);
    }
  }
}

/** As the lanes of admission have it. */
const portOf = ({ layer, asker }: Miss): number => (layer === 'l2' ? L2_PORT : (asker?.port ?? UNKNOWN_PORT));
