/**
 * Ports that go on asking far beyond their budget are held back in the kernel, where a question costs a tenth of what
 * receiving the miss would. For seconds at a time: a storm that ended is forgotten, one that goes on is noticed again.
 *
 * The asker tap passes over a throttled port: it would still hear all that the kernel drops, and the questions of other
 * ports would be lost in that. So the guest behind it is not told of answers, and learns of them when it asks again. It
 * is passed over from before the kernel holds it back until after: what no asker is found for then is taken for its.
 *
 * What must be in force is handed to the kernel whole, one change at a time; a word that comes meanwhile is in the next.
 */
import { questionsOf } from '../model/device-questions.ts';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import { NftBusy } from '../kernel/nft/nft.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { ServedDevice, DeviceNamespace } from '../model/device.ts';
import type { PortLane } from '../model/question.ts';

/** How long a port is held back at a time, ms, and how long before the end it is decided whether to go on. */
const DURATION = 10_000;
const BEFORE_THE_END = 2_000;
/** Before nft is started again where it could not be, ms. */
const PAUSE = 1_000;
/** The same where nft said why it cannot, ms: it may be installed, or another table be out of the way, by then. */
const LONG_PAUSE = 60_000;
/** What a throttled port may ask a second, as a share of the rate for unknown addresses; it cannot be in debt then. */
const SHARE = 10;

interface Offence {
  device: ServedDevice;
  lane: PortLane;
  until: number;
  /** When it was last decided on, and the unknown addresses asked for until then. */
  since: number;
  unknown: number;
}

/** One namespace. */
interface Place {
  devices: Set<ServedDevice>;
  /** By port. */
  offences: Map<number, Offence>;
  /** Those that the kernel knows of. */
  inForce: Offence[];
  /** The kernel could do it once. */
  able: boolean;
  /** The kernel has a table of ours. */
  standing: boolean;
  /** The kernel cannot, as far as is known, which was said: user space does what it can. */
  refused: boolean;
  /** The kernel could not be told a moment ago, and is left alone until then, ms. */
  pausedUntil: number;
  work: Promise<void> | undefined;
  again: boolean;
}

export class Throttle {
  /** Times a port began to be held back. */
  count = 0;
  readonly #places = new Map<DeviceNamespace, Place>();
  #rate = 0;
  readonly #log: Logger;
  readonly #complaints: FoldedLog;
  readonly #now: Clock;

  /** @param lookupRate lookups a second that one port may cause for unknown addresses */
  constructor(lookupRate: number, log: Logger, complaints: FoldedLog, now: Clock) {
    this.limit(lookupRate);
    this.#log = log;
    this.#complaints = complaints;
    this.#now = now;
  }

  /** Of what is throttled from now on. */
  limit(lookupRate: number): void {
    this.#rate = Math.max(1, Math.floor(lookupRate / SHARE));
  }

  /** Ports held back now. */
  get size(): number {
    return [...this.#places.values()].reduce((sum, { offences }) => sum + offences.size, 0);
  }

  /** Those ports, each with its device. */
  held(): { device: ServedDevice; port: number }[] {
    return [...this.#places.values()].flatMap(({ offences }) =>
      [...offences.values()].map(({ device, lane: { port } }) => ({ device, port })),
    );
  }

  /** A device begins to be served: what a predecessor left goes, and it is known whether the kernel can. */
  begin(device: ServedDevice): void {
    const { namespace } = device;
    const known = this.#places.get(namespace);
    known?.devices.add(device);
    if (known !== undefined) return;
    const place: Place = {
      devices: new Set([device]),
      offences: new Map(),
      inForce: [],
      able: false,
      standing: true,
      refused: false,
      pausedUntil: 0,
      work: undefined,
      again: false,
    };
    this.#places.set(namespace, place);
    this.#apply(namespace, place);
  }

  /** A port of a bridge asks for more unknown addresses than it may, again and again. */
  offend(device: ServedDevice, lane: PortLane): void {
    const place = this.#places.get(device.namespace);
    if (place === undefined || lane.port <= 0 || place.offences.has(lane.port)) return;
    const since = this.#now();
    if (since < place.pausedUntil) return;
    place.offences.set(lane.port, { device, lane, until: since + DURATION, since, unknown: lane.unknown });
    this.count++;
    this.#complaints.warn(
      `${device.name}: a port floods with questions for unknown addresses; throttled`,
      device.namespace.portName(lane.port),
    );
    this.#apply(device.namespace, place);
  }

  /** Once a second: whose time is over, and who still asks as much as it is let. */
  tick(): void {
    const now = this.#now();
    for (const [namespace, place] of this.#places) {
      let changed = false;
      for (const offence of place.offences.values()) {
        if (offence.until - now > BEFORE_THE_END) continue;
        const { lane, since } = offence;
        const asks = (lane.unknown - offence.unknown) / ((now - since) / 1000);
        if (asks * 2 >= this.#rate)
          Object.assign(offence, { until: now + DURATION, since: now, unknown: lane.unknown });
        else if (offence.until <= now) place.offences.delete(lane.port);
        else continue;
        changed = true;
      }
      if (changed) this.#apply(namespace, place);
    }
  }

  /** A device is no longer served, and its ports are not ours to throttle. */
  forget(device: ServedDevice): void {
    const place = this.#places.get(device.namespace);
    if (place === undefined) return;
    for (const [port, offence] of place.offences) if (offence.device === device) place.offences.delete(port);
    if (place.standing) this.#apply(device.namespace, place);
    place.devices.delete(device);
    if (place.devices.size === 0) this.#places.delete(device.namespace);
  }

  /** Removes every table of ours; resolves when that is done or cannot be done. */
  async stop(): Promise<void> {
    for (const [namespace, place] of this.#places) {
      place.offences.clear();
      if (place.standing) this.#apply(namespace, place);
    }
    for (const { work } of this.#places.values()) await work;
    this.#places.clear();
  }

  #apply(namespace: DeviceNamespace, place: Place): void {
    place.again = true;
    place.work ??= this.#work(namespace, place).finally(() => {
      place.work = undefined;
    });
  }

  /** For this time. A port that goes on is noticed again, and by then there may be what there was no room for. */
  #giveUp(namespace: DeviceNamespace, place: Place, error: NftBusy): void {
    place.offences.clear();
    place.pausedUntil = this.#now() + PAUSE;
    this.#complaints.warn(
      `namespace ${namespace.name}: floods are shed, not throttled in the kernel for now`,
      reasonOf(error),
    );
  }

  /** Never rejects. */
  async #work(namespace: DeviceNamespace, place: Place): Promise<void> {
    while (place.again) {
      place.again = false;
      const now = this.#now();
      const offences = [...place.offences.values()];
      const throttled = offences.map(({ lane: { port }, until }) => ({
        port,
        seconds: (until - now) / 1000,
      }));
      passOver(namespace, place, [...place.inForce, ...offences]);
      try {
        await namespace.kernel.throttle(throttled, this.#rate);
        place.standing = throttled.length > 0;
        place.able = true;
        place.refused = false;
        place.inForce = offences;
        passOver(namespace, place, offences);
      } catch (error) {
        passOver(namespace, place, []);
        // With the namespace the table is gone, too.
        if (place.able && throttled.length === 0) return;
        if (error instanceof NftBusy) {
          this.#giveUp(namespace, place, error);
          continue;
        }
        place.offences.clear();
        place.pausedUntil = this.#now() + LONG_PAUSE;
        if (place.refused) continue;
        place.refused = true;
        this.#log.warn(
          `namespace ${namespace.name}: no nftables (${reasonOf(error)}); floods are shed, not throttled in the kernel`,
        );
      }
    }
  }
}

function passOver(namespace: DeviceNamespace, { devices }: Place, offences: Offence[]): void {
  try {
    namespace.muteTap(new Set(offences.map(({ lane }) => lane.port)));
  } catch {
    // Its sockets are closed already, as at the end of the daemon: it hears nobody any more.
  }
  for (const device of devices)
    questionsOf(device).throttled = offences.findLast((one) => one.device === device)?.lane;
}
