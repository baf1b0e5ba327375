import { Budget } from './budget.ts';

/** The lane of what no port is known to have asked: this host itself, in the routed topology. */
export const UNKNOWN_PORT = -1;
/** The lane of L2 misses whose sender is not known: see senders.ts. */
export const L2_PORT = -2;
/** A reserve: of those, the ones for MACs that are known to have had an address, which no scan can guess. */
export const L2_KNOWN = -3;

/** In debt a port may have this many questions in flight, if its budget is smaller. */
const LEAST_IN_DEBT = 16;

/** So many seconds' worth of its rate dropped since the port was last out of debt is no burst any more, but a flood. */
const FLOOD = 10;

/** Questions gone from the front of the queue before its memory is given back. */
const COMPACT = 4_096;

/** A question, as far as its lane knows it. */
export interface Queued<Q extends Queued<Q>> {
  lane: Lane<Q>;
  waiting: boolean;
}

/** What one bridge port asks: its questions that wait, in order, and its budget. */
export class Lane<Q extends Queued<Q>> {
  /** ifindex, or one of the above. */
  readonly port: number;
  readonly budget: Budget;
  /** Questions admitted and not settled, waiting or being looked up. */
  inFlight = 0;
  /** Questions taken to the directory. */
  asked = 0;
  /** Answers that nobody has the address. */
  unknown = 0;
  /** Questions dropped. */
  dropped = 0;
  /** Questions dropped since it was last out of debt. */
  excess = 0;
  /** It has its place in a queue. */
  queued = false;
  #mostExcess: number;
  #waiting: Q[] = [];
  // Those before it are gone already: shifting an array that long for every question would cost its square.
  #start = 0;

  constructor(port: number, lookupRate: number, now: number) {
    this.port = port;
    this.#mostExcess = FLOOD * lookupRate;
    this.budget = new Budget(lookupRate, now);
  }

  /** From now on. @param lookupRate a second */
  limit(lookupRate: number): void {
    this.#mostExcess = FLOOD * lookupRate;
    this.budget.limit(lookupRate);
  }

  get waiting(): number {
    return this.#waiting.length - this.#start;
  }

  get floods(): boolean {
    return this.excess >= this.#mostExcess;
  }

  /** Whether more come than it may ask, or it seems so while the answers to the last ones are not known. */
  get crowded(): boolean {
    return this.budget.inDebt || this.inFlight > this.budget.capacity / 2;
  }

  /** Whether it may have no more in flight for what its last questions came to. */
  exhausted(now: number): boolean {
    if (this.inFlight < Math.max(LEAST_IN_DEBT, this.budget.capacity)) return false;
    this.budget.flow(now);
    return this.budget.inDebt;
  }

  /** An answer to a question taken from here. */
  answered(unknown: boolean): void {
    if (unknown) this.unknown++;
    this.budget.answered(unknown);
  }

  /** Questions that nobody can have an answer to: they cost as much as unknown addresses, and beyond that they are excess. */
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
    if (this.#start > 0) this.#waiting[--this.#start] = question;
    else this.#waiting.unshift(question);
  }

  /** The question that waits longest; not one that another lane has taken over meanwhile. */
  peek(): Q | undefined {
    for (; this.#start < this.#waiting.length; this.#start++) {
      const question = this.#waiting[this.#start];
      if (question?.lane === this && question.waiting) return question;
    }
    this.clear();
    return undefined;
  }

  shift(): void {
    this.#start++;
    if (this.#start < COMPACT || this.#start * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#start);
    this.#start = 0;
  }

  clear(): void {
    this.#waiting = [];
    this.#start = 0;
  }
}
