/**
 * Stage 3 of a miss. Takes questions; gives batches for the directory. Each asking port has a lane. Every batch carries
 * questions of every lane that may ask, so a port's question is in the next batch however much another port asks. Questions
 * beyond a port's budget wait in its lane until the budget pays for them or the guest has given up.
 */
import type { Clock } from '../base/clock.ts';
import type { Waiting } from '../base/batch-while-busy.ts';
import type { PortLane, Question } from '../model/question.ts';

/** After this a guest has given up, ms: it asks three times, a second apart (mcast_solicit, retrans_time). */
const GIVEN_UP = 3_000;
/** The same for a port that floods, ms: its old questions would use up its whole rate. */
const FLOODED = 250;

export class FairQueue implements Waiting<Question> {
  /** Lanes with questions waiting, the lane served longest ago first. */
  #lanes: PortLane[] = [];
  readonly #drop: (question: Question) => void;
  readonly #now: Clock;

  /** @param drop called with a question that will not be asked */
  constructor(drop: (question: Question) => void, now: Clock) {
    this.#drop = drop;
    this.#now = now;
  }

  push(question: Question): void {
    const { lane } = question;
    question.waiting = true;
    // A question whose record changed during its lookup has waited longest.
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
      if (lane.budget.inDebt) this.#dropOld(lane, now);
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
    // Lanes that a full batch had no room for are first in the next.
    const skipped = served.length > size ? served.splice(size) : [];
    this.#lanes = [...idle, ...skipped, ...served];
    return batch;
  }

  /** Milliseconds until `take` may return questions; undefined while none waits. */
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

  #dropOld(lane: PortLane, now: number): void {
    const longest = lane.floods ? FLOODED : GIVEN_UP;
    for (let question = lane.peek(); question !== undefined; question = lane.peek()) {
      if (question.asked === true || now - question.receivedAt < longest) return;
      lane.shift();
      question.waiting = false;
      this.#drop(question);
    }
  }
}
