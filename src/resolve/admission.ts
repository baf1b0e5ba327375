import { monotonic, type Clock } from '../clock.ts';
import type { Counters } from '../metrics/counters.ts';
import type { ServedDevice } from '../served/device.ts';
import type { Asker, Miss } from '../vocabulary.ts';
import type { Question } from './question.ts';

/** Questions waiting or under way, all devices together. Above it misses are shed: the guest will ask again. */
const MOST_IN_FLIGHT = 131_072;

/** Askers told per question; with more, the others complete at their own retry. */
const MOST_ASKERS = 16;

/**
 * Decides which misses become questions. Every miss that does not is counted with its reason, so that
 * misses = resolutions + ignored + in flight at every moment.
 */
export class Admission {
  readonly #counters: Counters;
  readonly #now: Clock;
  #inFlight = 0;

  constructor(counters: Counters, now: Clock = monotonic) {
    this.#counters = counters;
    this.#now = now;
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
    for (const miss of misses) {
      this.#counters.misses[miss.layer] += miss.count;
      ignored.duplicate += miss.count - 1;
      const device = deviceOf(miss.ifindex);
      if (device === undefined) ignored.unserved++;
      else if (joined(device, miss)) ignored.in_flight++;
      else if (device.absent.has(miss.address)) ignored.negative++;
      else if (device.local.has(miss.address)) this.#counters.resolutions[miss.layer].local++;
      else if (this.#inFlight >= MOST_IN_FLIGHT) this.#counters.resolutions[miss.layer].shed++;
      else {
        const { layer, address, asker } = miss;
        const question = { device, layer, address, askers: asker === undefined ? [] : [asker], receivedAt };
        device.inFlight.set(address, question);
        this.#inFlight++;
        questions.push(question);
      }
    }
    return questions;
  }

  /** A device is gone and its questions with it; they count as failed. */
  abandon(device: ServedDevice): void {
    for (const { layer } of device.inFlight.values()) this.#counters.resolutions[layer].failed++;
    this.#inFlight -= device.inFlight.size;
    device.inFlight.clear();
  }

  /** A question is over; whoever asks from now on starts a new one. False where it was abandoned, and counted, before. */
  settle(question: Question): boolean {
    const current = question.device.inFlight.get(question.address) === question;
    if (current) {
      question.device.inFlight.delete(question.address);
      this.#inFlight--;
    }
    return current;
  }
}

function joined(device: ServedDevice, miss: Miss): boolean {
  const question = device.inFlight.get(miss.address);
  if (question === undefined) return false;
  const { asker } = miss;
  if (
    asker !== undefined &&
    question.askers.length < MOST_ASKERS &&
    !question.askers.some((one) => same(one, asker))
  )
    question.askers.push(asker);
  return true;
}

const same = (one: Asker, other: Asker): boolean =>
  one.port === other.port && one.lladdr === other.lladdr && one.ip === other.ip;
