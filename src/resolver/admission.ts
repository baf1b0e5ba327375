/**
 * Stage 2 of a miss. Takes batches of misses; gives new questions. Every other miss is counted with its reason, so that
 * misses = resolutions + ignored + in flight at every moment.
 */
import { questionsOf } from '../model/device-questions.ts';
import { monotonic, type Clock } from '../base/clock.ts';
import type { Counters } from '../model/counters.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Asker, Miss } from '../base/vocabulary.ts';
import { L2_KNOWN, L2_PORT, UNKNOWN_PORT } from '../model/port-lane.ts';
import { PortLane, type Question, newQuestion } from '../model/question.ts';
import { Senders } from './senders.ts';

/**
 * Questions in flight on all devices together. A port may hold at most as many as are still free, so one port alone gets
 * half, and there is always room for another port.
 */
const MOST_IN_FLIGHT = 262_144;

const NO_ASKERS: readonly Asker[] = [];

/** Askers announced to per question; the guests beyond get their answer when they ask again. */
const MOST_ASKERS = 16;

export class Admission {
  readonly #counters: Counters;
  #lookupRate: number;
  readonly #now: Clock;
  readonly #senders: Senders;
  /** Called with each question dropped of a port that floods. */
  onExcess: (device: ServedDevice, lane: PortLane) => void = () => undefined;
  onDrop: (device: ServedDevice, address: string) => void = () => undefined;
  #inFlight = 0;

  /** @param lookupRate lookups a second that one port may cause for unknown addresses */
  constructor(counters: Counters, lookupRate: number, now: Clock = monotonic) {
    this.#counters = counters;
    this.#lookupRate = lookupRate;
    this.#now = now;
    this.#senders = new Senders(now);
  }

  /** Once a second. */
  tick(): void {
    this.#senders.tick();
  }

  /** @param lookupRate lookups a second, from now on @param devices all served devices */
  limit(lookupRate: number, devices: Iterable<ServedDevice>): void {
    this.#lookupRate = lookupRate;
    for (const device of devices)
      for (const lane of questionsOf(device).lanes.values()) lane.limit(lookupRate);
  }

  /** Questions admitted and not yet settled. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param deviceOf the served device with that ifindex, undefined where the device is not served */
  admit(misses: readonly Miss[], deviceOf: (ifindex: number) => ServedDevice | undefined): Question[] {
    const { ignored } = this.#counters;
    const receivedAt = this.#now();
    const questions: Question[] = [];
    let askers = NO_ASKERS;
    for (const miss of misses) {
      this.#counters.misses[miss.layer] += miss.count;
      ignored.duplicate += miss.count - 1;
      const device = deviceOf(miss.ifindex);
      if (device === undefined) {
        ignored.unserved++;
        continue;
      }
      const { inFlight } = questionsOf(device);
      device.counters.misses[miss.layer] += miss.count;
      if (miss.address === '0.0.0.0' || miss.address === '::') {
        ignored.unspecified++;
        const lane = this.#laneOf(device, miss, receivedAt);
        lane.wasted(miss.count, receivedAt);
        if (lane.floods) this.onExcess(device, lane);
      } else if (inFlight.has(miss.address)) {
        ignored.in_flight++;
        const moved = this.#join(device, miss);
        if (moved !== undefined) questions.push(moved);
      } else if (device.absent.has(miss.address)) ignored.negative++;
      else if (device.local.has(miss.address)) this.#counters.settled(device, miss.layer, 'local');
      else {
        const { layer, address, asker } = miss;
        const lane = this.#laneOf(device, miss, receivedAt);
        // The oldest question goes: its guest is most likely to have given up.
        if (lane.exhausted(receivedAt) && !this.#dropOldest(lane))
          this.#drop(device, lane, layer, address, 'budget');
        else if (lane.inFlight >= MOST_IN_FLIGHT - this.#inFlight)
          this.#drop(device, lane, layer, address, 'room');
        else {
          if (askers[0] !== asker) askers = asker === undefined ? NO_ASKERS : [asker];
          const question = newQuestion(device, miss, askers, receivedAt, lane);
          inFlight.set(address, question);
          lane.inFlight++;
          this.#inFlight++;
          questions.push(question);
        }
      }
    }
    return questions;
  }

  /** Drops a question that its lane's budget did not pay for while the guest waited. */
  readonly drop = (question: Question): void => {
    const { device, lane, layer, address } = question;
    if (this.settle(question)) this.#drop(device, lane, layer, address, 'budget');
  };

  /** Ends the questions of a device that is gone; they count as failed. */
  abandon(device: ServedDevice): void {
    const { inFlight, reading, lanes } = questionsOf(device);
    for (const question of inFlight.values()) {
      question.over = true;
      this.#counters.settled(device, question.layer, 'failed');
    }
    this.#inFlight -= inFlight.size;
    inFlight.clear();
    reading.clear();
    for (const lane of lanes.values()) lane.clear();
    lanes.clear();
  }

  /** Ends a question: the next miss for its address starts a new one. @returns false where it was over, and counted, already */
  settle(question: Question): boolean {
    if (question.over === true) return false;
    question.over = true;
    questionsOf(question.device).inFlight.delete(question.address);
    question.lane.inFlight--;
    this.#inFlight--;
    return true;
  }

  /**
   * Adds the asker to the question in flight. Where that question waits in the lane of a port in debt, it moves to the lane
   * of the new asker, so that a flooding port cannot hold up an address by asking first.
   * @returns the question if it moved, to be queued again
   */
  #join(device: ServedDevice, miss: Miss): Question | undefined {
    const question = questionsOf(device).inFlight.get(miss.address);
    const { asker } = miss;
    if (question === undefined || asker === undefined) return undefined;
    if (question.askers.length < MOST_ASKERS && !question.askers.some((one) => same(one, asker)))
      question.askers = [...question.askers, asker];
    const { lane } = question;
    if (!question.waiting || lane.port === asker.port || !lane.budget.inDebt) return undefined;
    const other = this.#laneOf(device, miss, question.receivedAt);
    if (other.budget.inDebt) return undefined;
    lane.inFlight--;
    other.inFlight++;
    question.lane = other;
    return question;
  }

  #laneOf(device: ServedDevice, miss: Miss, now: number): PortLane {
    const port = this.#portOf(device, miss);
    const { lanes, throttled } = questionsOf(device);
    let lane = lanes.get(port);
    if (lane === undefined) lanes.set(port, (lane = new PortLane(port, this.#lookupRate, now)));
    if (miss.layer === 'l2' && (lane.crowded || port === throttled?.port)) this.#senders.follow(device);
    return lane;
  }

  #portOf(device: ServedDevice, { layer, address, asker }: Miss): number {
    if (asker !== undefined) return asker.port;
    const throttled = questionsOf(device).throttled?.port;
    if (layer === 'l3') return throttled ?? UNKNOWN_PORT;
    if (device.tables.addressesOf(address).length > 0) return L2_KNOWN;
    // While frames are read, a sender stays unknown only for the throttled port, whose frames are not read.
    return (this.#senders.follows(device) ? throttled : undefined) ?? L2_PORT;
  }

  #dropOldest(lane: PortLane): boolean {
    const oldest = lane.peek();
    if (oldest === undefined) return false;
    lane.shift();
    oldest.waiting = false;
    this.drop(oldest);
    return true;
  }

  /** @param reason whether the port's budget is spent, or too many questions are in flight */
  #drop(
    device: ServedDevice,
    lane: PortLane,
    layer: Miss['layer'],
    address: string,
    reason: 'budget' | 'room',
  ): void {
    this.onDrop(device, address);
    this.#counters.settled(device, layer, 'shed');
    lane.dropped++;
    if (reason === 'room') return;
    lane.excess++;
    if (lane.floods) this.onExcess(device, lane.port === L2_PORT ? (likelySender(device) ?? lane) : lane);
  }
}

/**
 * The port that most L2 misses without a known sender come from. In a flood not every frame is read, but those that are
 * read bring the flooding port into debt.
 */
function likelySender(device: ServedDevice): PortLane | undefined {
  let found: PortLane | undefined;
  for (const lane of questionsOf(device).lanes.values())
    if (lane.port > 0 && lane.budget.inDebt && lane.unknown > (found?.unknown ?? 0)) found = lane;
  return found;
}

const same = (one: Asker, other: Asker): boolean =>
  one.port === other.port && one.lladdr === other.lladdr && one.ip === other.ip;
