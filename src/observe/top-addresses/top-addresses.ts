/**
 * The addresses that guests ask for most, and unresolved addresses, each with its port, for `missd top`. No decision depends
 * on them.
 *
 * Every batch of misses passes through this class, so the cost must be small: above a thousand misses a second it counts a
 * sample, and each sampled miss stands for the skipped ones.
 */
import type { MissBatch, Settled } from '../../model/question.ts';
import type { Clock } from '../../base/clock.ts';
import type { DirectoryChange } from '../../directory/directory.ts';
import { L2_PORT, UNKNOWN_PORT } from '../../model/port-lane.ts';
import { isLinkLocal } from '../../base/address.ts';
import { addressesOf } from './device-addresses.ts';
import type { ServedDevice } from '../../model/device.ts';
import type { Miss } from '../../base/vocabulary.ts';

/** Misses a second that are counted one by one; above that every second miss is counted, every third and so on. */
const ONE_BY_ONE = 1_000;
/** Seconds after which heat is halved. */
export const HALF_LIFE = 60;
/** Milliseconds without a miss after which an address is removed. */
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

  /** Takes misses just received. */
  onMisses({ misses, deviceOf }: MissBatch): void {
    const now = this.#now();
    this.#recent += misses.length;
    const stride = 1 + Math.floor(this.#recent / ONE_BY_ONE);
    // A random start, so that the misses of one guest are not skipped every time.
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
      // A new address does not count for skipped misses; otherwise each address of a scan would outweigh regular ones.
      if (!asked.hot.again(address, port, times, now)) asked.hot.add(address, layer, port, count, now);
      if (asked.unknown.size > 0) asked.unknown.again(address, port, times, now);
    }
  }

  /** Takes outcomes of questions. */
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

  /** Removes addresses with changed records from the unresolved ones; the next miss decides anew. */
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

/** The port, as the lanes of admission number it. */
const portOf = ({ layer, asker }: Miss): number => (layer === 'l2' ? L2_PORT : (asker?.port ?? UNKNOWN_PORT));
