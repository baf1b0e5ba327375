import { questionsOf } from '../model/device-questions.ts';
import { monotonic, type Clock } from '../base/clock.ts';
import type { Counters } from '../model/counters.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Asker, Miss } from '../base/vocabulary.ts';
import { L2_KNOWN, L2_PORT, UNKNOWN_PORT } from '../model/port-lane.ts';
import { PortLane, type Question, newQuestion } from '../model/question.ts';
import { Senders } from './senders.ts';

/**
 * Questions waiting or under way, all devices together. Of what is free a port may have as much again as it has: one
 * alone gets half, and however many are greedy, there is room for one that is not.
 */
const MOST_IN_FLIGHT = 262_144;

const NOBODY: readonly Asker[] = [];

/** Askers told per question; with more, the others complete at their own retry. */
const MOST_ASKERS = 16;

/**
 * Decides which misses become questions. Every miss that does not is counted with its reason, so that
 * misses = resolutions + ignored + in flight at every moment.
 */
export class Admission {
  readonly #counters: Counters;
  #lookupRate: number;
  readonly #now: Clock;
  readonly #senders: Senders;
  /** Called for a port that floods, and again while it does. */
  onExcess: (device: ServedDevice, lane: PortLane) => void = () => undefined;
  /** Called for a question dropped for want of budget or room. */
  onShed: (device: ServedDevice, address: string) => void = () => undefined;
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

  /** From now on. @param devices whose lanes there are */
  limit(lookupRate: number, devices: Iterable<ServedDevice>): void {
    this.#lookupRate = lookupRate;
    for (const device of devices)
      for (const lane of questionsOf(device).lanes.values()) lane.limit(lookupRate);
  }

  /** Questions admitted and not yet settled. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param deviceOf the served device with that ifindex, if it is one */
  admit(misses: readonly Miss[], deviceOf: (ifindex: number) => ServedDevice | undefined): Question[] {
    const { ignored } = this.#counters;
    const receivedAt = this.#now();
    const questions: Question[] = [];
    let askers = NOBODY;
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
        // The guest has waited longest for the oldest; what it asks now it still wants.
        if (lane.exhausted(receivedAt) && !this.#shedOldest(lane)) this.#refuse(device, lane, layer, address);
        else if (lane.inFlight >= MOST_IN_FLIGHT - this.#inFlight) this.#drop(device, lane, layer, address);
        else {
          if (askers[0] !== asker) askers = asker === undefined ? NOBODY : [asker];
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

  /** A question that waited for its lane's budget until nobody waits for the answer any more. */
  readonly shed = (question: Question): void => {
    const { device, lane, layer, address } = question;
    if (this.settle(question)) this.#refuse(device, lane, layer, address);
  };

  /** A device is gone and its questions with it; they count as failed. */
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

  /** A question is over; whoever asks from now on starts a new one. False where it was abandoned, and counted, before. */
  settle(question: Question): boolean {
    if (question.over === true) return false;
    question.over = true;
    questionsOf(question.device).inFlight.delete(question.address);
    question.lane.inFlight--;
    this.#inFlight--;
    return true;
  }

  /**
   * Nobody else's question waits for the budget of one that asks too much: it changes over to the lane of the next
   * who asks the same.
   * @returns the question if it did, to be queued again
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
    // The frames of a throttled port are not read, those of all others are.
    return (this.#senders.follows(device) ? throttled : undefined) ?? L2_PORT;
  }

  #shedOldest(lane: PortLane): boolean {
    const oldest = lane.peek();
    if (oldest === undefined) return false;
    lane.shift();
    oldest.waiting = false;
    this.shed(oldest);
    return true;
  }

  #drop(device: ServedDevice, lane: PortLane, layer: Miss['layer'], address: string): void {
    this.onShed(device, address);
    this.#counters.settled(device, layer, 'shed');
    lane.shed++;
  }

  /** Dropped for want of budget. */
  #refuse(device: ServedDevice, lane: PortLane, layer: Miss['layer'], address: string): void {
    this.#drop(device, lane, layer, address);
    lane.excess++;
    if (lane.floods) this.onExcess(device, lane.port === L2_PORT ? (loudest(device) ?? lane) : lane);
  }
}

/**
 * The port that most of the L2 misses without a sender are of: under a flood not every frame can be read, and those that
 * were have brought one port into debt by themselves.
 */
function loudest(device: ServedDevice): PortLane | undefined {
  let found: PortLane | undefined;
  for (const lane of questionsOf(device).lanes.values())
    if (lane.port > 0 && lane.budget.inDebt && lane.unknown > (found?.unknown ?? 0)) found = lane;
  return found;
}

const same = (one: Asker, other: Asker): boolean =>
  one.port === other.port && one.lladdr === other.lladdr && one.ip === other.ip;
