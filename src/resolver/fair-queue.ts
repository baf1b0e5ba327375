import type { Clock } from '../base/clock.ts';
import type { Waiting } from '../base/batch-while-busy.ts';
import type { PortLane, Question } from '../model/question.ts';

/** A guest asks three times, a second apart (mcast_solicit, retrans_time): then nobody waits for the answer any more, ms. */
const GIVEN_UP = 3_000;
/** The same for a port that asks far beyond its budget, ms: what came in before that was known would take its whole rate. */
const FLOODED = 250;

/**
 * The questions that wait for the directory, a lane per asking port. Every batch carries something of every lane that
 * may ask: however much one port asks, another's question is in the very next one. What a port asks beyond its budget
 * waits in its own lane, until it can be paid for or nobody waits for it.
 */
export class FairQueue implements Waiting<Question> {
  /** Lanes with something waiting; the one served last is last. */
  #lanes: PortLane[] = [];
  readonly #shed: (question: Question) => void;
  readonly #now: Clock;

  /** @param shed takes a question that will not be asked */
  constructor(shed: (question: Question) => void, now: Clock) {
    this.#shed = shed;
    this.#now = now;
  }

  push(question: Question): void {
    const { lane } = question;
    question.waiting = true;
    // What was asked before waits longest, and its answer is only in doubt: its record changed meanwhile.
    if (question.asked === true) lane.pushFirst(question);
    else lane.push(question);
    if (lane.queued) return;
    lane.queued = true;
    this.#lanes.push(lane);
  }

  take(size: number): Question[] {
    const now = this.#now();
    const batch: Question[] = [];
    const idle: PortLane[] = [];
    let sharing: PortLane[] = [];
    for (const lane of this.#lanes) {
      if (lane.budget.inDebt) this.#age(lane, now);
      else lane.excess = 0;
      if (lane.peek() === undefined) lane.queued = false;
      else if (lane.budget.allowance(lane.waiting, now) > 0) sharing.push(lane);
      else idle.push(lane);
    }
    const served = sharing;
    while (batch.length < size && sharing.length > 0) {
      const quota = Math.max(1, Math.floor((size - batch.length) / sharing.length));
      sharing = sharing.filter((lane) =>
        this.#takeFrom(lane, Math.min(quota, size - batch.length), batch, now),
      );
    }
    // More lanes than a batch has room for: those that had to stay behind are first next time.
    const skipped = served.length > size ? served.splice(size) : [];
    this.#lanes = [...idle, ...skipped, ...served];
    return batch;
  }

  /** Milliseconds until `take` may have something; undefined while nothing waits. */
  readyIn(): number | undefined {
    let least: number | undefined;
    for (const lane of this.#lanes) {
      if (lane.peek() === undefined) continue;
      const wait = lane.budget.readyIn(lane.waiting);
      if (least === undefined || wait < least) least = wait;
    }
    return least;
  }

  /** @returns whether the lane may give more */
  #takeFrom(lane: PortLane, quota: number, batch: Question[], now: number): boolean {
    const allowance = Math.min(quota, lane.budget.allowance(lane.waiting, now));
    for (let taken = 0; taken < allowance; taken++) {
      const question = lane.peek();
      if (question === undefined) return false;
      lane.shift();
      question.waiting = false;
      question.asked = true;
      lane.budget.hold();
      lane.asked++;
      question.device.counters.lookups++;
      batch.push(question);
    }
    return allowance > 0 && lane.waiting > 0;
  }

  #age(lane: PortLane, now: number): void {
    const patience = lane.floods ? FLOODED : GIVEN_UP;
    for (let question = lane.peek(); question !== undefined; question = lane.peek()) {
      if (question.asked === true || now - question.receivedAt < patience) return;
      lane.shift();
      question.waiting = false;
      this.#shed(question);
    }
  }
}
