/**
 * Limits flooding ports in the kernel by nft, where dropping a request costs a tenth of receiving its miss. A port is
 * throttled for some seconds at a time, and again while its flood lasts.
 *
 * The asker tap ignores a throttled port, because the tap sees requests before the kernel drops them and would lose those of
 * other ports in the flood. So guests behind that port get no announcement; they learn the answer from their next request.
 * While the kernel limits a port, misses without an asker are charged to that port.
 *
 * The table is replaced as a whole, one change at a time; changes that come meanwhile are in the next table.
 */
import { questionsOf } from '../model/device-questions.ts';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import { NftBusy } from '../kernel/nft/nft.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { ServedDevice, DeviceNamespace } from '../model/device.ts';
import type { PortLane } from '../model/question.ts';

/** How long a port is throttled at a time, ms, and how long before the end the throttle decides whether to extend it. */
const DURATION = 10_000;
const BEFORE_THE_END = 2_000;
/** Before nft is started again after it could not be started, ms. */
const PAUSE = 1_000;
/** The same after nft reported an error, ms: the operator may have fixed the cause by then. */
const LONG_PAUSE = 60_000;
/** What a throttled port may ask a second, as a share of the rate for unknown addresses; it cannot be in debt then. */
const SHARE = 10;

interface Offence {
  device: ServedDevice;
  lane: PortLane;
  until: number;
  /** When the throttle last decided, and the lane's unknown addresses until then. */
  since: number;
  unknown: number;
}

/** One namespace. */
interface Place {
  devices: Set<ServedDevice>;
  /** By port. */
  offences: Map<number, Offence>;
  /** Offences in the kernel's table. */
  inForce: Offence[];
  /** nft succeeded at least once. */
  able: boolean;
  /** The kernel has, or may have, a table of ours. */
  standing: boolean;
  /** nft failed, and a warning was logged. */
  refused: boolean;
  /** After a failure nft is not started before this, monotonic ms. */
  pausedUntil: number;
  work: Promise<void> | undefined;
  again: boolean;
}

export class Throttle {
  /** Times a port began to be throttled. */
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

  /** Changes the rate of ports throttled from now on. */
  limit(lookupRate: number): void {
    this.#rate = Math.max(1, Math.floor(lookupRate / SHARE));
  }

  /** Throttled ports. */
  get size(): number {
    return [...this.#places.values()].reduce((sum, { offences }) => sum + offences.size, 0);
  }

  /** Throttled ports with their devices. */
  held(): { device: ServedDevice; port: number }[] {
    return [...this.#places.values()].flatMap(({ offences }) =>
      [...offences.values()].map(({ device, lane: { port } }) => ({ device, port })),
    );
  }

  /** Begins for a device: removes a predecessor's table, which shows whether nft works. */
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

  /** Throttles a port that floods with questions for unknown addresses. */
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

  /** Once a second: extends the throttle of ports that use half their limit or more, and ends the others. */
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

  /** Releases the ports of a device that is no longer served. */
  forget(device: ServedDevice): void {
    const place = this.#places.get(device.namespace);
    if (place === undefined) return;
    for (const [port, offence] of place.offences) if (offence.device === device) place.offences.delete(port);
    if (place.standing) this.#apply(device.namespace, place);
    place.devices.delete(device);
    if (place.devices.size === 0) this.#places.delete(device.namespace);
  }

  /** Removes every table of ours; resolves when it is done or has failed. */
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

  /** Gives up this change. A port that goes on flooding is throttled again, and nft may find resources by then. */
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
        // The table went with its namespace.
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
    // At the end of the daemon the tap's socket is closed already.
  }
  for (const device of devices)
    questionsOf(device).throttled = offences.findLast((one) => one.device === device)?.lane;
}
