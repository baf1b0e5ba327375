import type { Outcome } from '../base/outcomes.ts';
import type { Asker, Ip, Mac, Miss } from '../base/vocabulary.ts';
import type { Source } from './desired-tables.ts';
import type { ServedDevice } from './device.ts';
import { Lane } from './port-lane.ts';

/** The lane of a bridge port, or of questions without a known port. */
export class PortLane extends Lane<Question> {}

/** A miss that is being answered, with all its askers. */
export interface Question {
  device: ServedDevice;
  layer: 'l2' | 'l3';
  /** IP of an L3 miss, MAC of an L2 miss. */
  address: string;
  /** Guests that wait for the answer. Several questions of one asker may share the array. */
  askers: readonly Asker[];
  /** Monotonic milliseconds. */
  receivedAt: number;
  /** Of the port that asked first, or of a later one that asked while the first waited for its budget. */
  lane: PortLane;
  /** True while the question waits in its lane, false while it is looked up. */
  waiting: boolean;
  /** The record changed during the lookup, so the question is looked up again. */
  changed?: boolean;
  /** The question has been sent to the directory. */
  asked?: boolean;
  /** The directory has been searched for it, see resolver/find-mac-owner.ts. */
  searched?: boolean;
  /** The question is counted and finished; a later miss starts a new one. */
  over?: boolean;
}

/** Sets every property: V8 stores a later one apart from the object, and a storm makes 100,000 questions. */
export const newQuestion = (
  device: ServedDevice,
  { layer, address }: Miss,
  askers: readonly Asker[],
  receivedAt: number,
  lane: PortLane,
): Question => ({
  device,
  layer,
  address,
  askers,
  receivedAt,
  lane,
  waiting: false,
  changed: false,
  asked: false,
  searched: false,
  over: false,
});

/** The usable answer of the directory to a question. */
export interface Answer {
  mac: Mac;
  vtep: Ip;
  router: boolean;
  source: Source;
  /** The `mac:` record that decided the VTEP, where there is one. */
  vtepSource?: Source;
}

/** An answer to write: a neighbour with its FDB entry for an L3 miss, the FDB entry alone without `ip`. */
export interface Placement {
  device: ServedDevice;
  ip?: Ip | undefined;
  answer: Answer;
  /** The port that asked, see model/port-quotas.ts; absent when a record is read again. */
  port?: number;
}

/** Misses that the kernel delivered together, and the device of each by its ifindex. */
export interface MissBatch {
  misses: Miss[];
  deviceOf: (ifindex: number) => ServedDevice | undefined;
}

/** How a question ended. */
export interface Settled {
  question: Question;
  outcome: Outcome;
  answer?: Answer;
  /** False where the same question of another guest may have another outcome. */
  remember?: boolean;
}
