import { Queue } from '../base/queue.ts';
import { Budget } from './budget.ts';

/** The lane of questions without a known port: those of this host itself, in the routed topology. */
export const UNKNOWN_PORT = -1;
/** The lane of L2 misses whose sender is not known, see resolver/senders.ts. */
export const L2_PORT = -2;
/** The lane of L2 misses for MACs that are known to have had an address. No scan can guess such a MAC. */
export const L2_KNOWN = -3;

/** Questions that a port in debt may have in flight at least, however small its budget. */
const LEAST_IN_DEBT = 16;

/** A port floods, and is not merely in a burst, when it has dropped so many seconds' worth of its rate since it was last out of debt. */
const FLOOD = 10;

/** The part of a question that its lane needs. */
export interface Queued<Q extends Queued<Q>> {
  lane: Lane<Q>;
  waiting: boolean;
}

/** The waiting questions of one bridge port, in order, and the port's budget. */
export class Lane<Q extends Queued<Q>> {
  /** ifindex, or one of the constants above. */
  readonly port: number;
  readonly budget: Budget;
  /** Questions admitted and not settled, waiting or being looked up. */
  inFlight = 0;
  /** Questions taken to the directory. */
  asked = 0;
  /** Answers that say the address does not exist. */
  unknown = 0;
  /** Questions dropped. */
  dropped = 0;
  /** Questions dropped since the port was last out of debt. */
  excess = 0;
  /** The lane is in the fair queue. */
  queued = false;
  #mostExcess: number;
  readonly #waiting = new Queue<Q>();

  constructor(port: number, lookupRate: number, now: number) {
    this.port = port;
    this.#mostExcess = FLOOD * lookupRate;
    this.budget = new Budget(lookupRate, now);
  }

  /** Sets the rate from now on. @param lookupRate lookups a second for unknown addresses */
  limit(lookupRate: number): void {
    this.#mostExcess = FLOOD * lookupRate;
    this.budget.limit(lookupRate);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get floods(): boolean {
    return this.excess >= this.#mostExcess;
  }

  /** Whether the port asks more than its budget allows, or may do so by its questions in flight. */
  get crowded(): boolean {
    return this.budget.inDebt || this.inFlight > this.budget.capacity / 2;
  }

  /** Whether the port may have no more questions in flight, because too many of its last ones were unknown. */
  exhausted(now: number): boolean {
    if (this.inFlight < Math.max(LEAST_IN_DEBT, this.budget.capacity)) return false;
    this.budget.flow(now);
    return this.budget.inDebt;
  }

  /** Notes an answer to a question of this lane. */
  answered(unknown: boolean): void {
    if (unknown) this.unknown++;
    this.budget.answered(unknown);
  }

  /** Charges questions that cannot have an answer: each costs as much as an unknown address; beyond the budget it is excess. */
  wasted(count: number, now: number): void {
    this.unknown += count;
    this.budget.flow(now);
    if (!this.budget.inDebt) this.excess = 0;
    this.excess += count - this.budget.spend(count);
  }

  push(question: Q): void {
    this.#waiting.push(question);
  }

  pushFirst(question: Q): void {
    this.#waiting.pushFirst(question);
  }

  /** The question that waits longest. Questions that another lane has taken over are dropped on the way. */
  peek(): Q | undefined {
    for (;;) {
      const question = this.#waiting.peek();
      if (question === undefined || (question.lane === this && question.waiting)) return question;
      this.#waiting.shift();
    }
  }

  shift(): void {
    this.#waiting.shift();
  }

  clear(): void {
    this.#waiting.clear();
  }
}
