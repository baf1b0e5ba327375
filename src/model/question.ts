import type { Outcome } from '../base/outcomes.ts';
import type { Asker, Ip, Mac, Miss } from '../base/vocabulary.ts';
import type { Source } from './desired-tables.ts';
import type { ServedDevice } from './device.ts';
import { Lane } from './port-lane.ts';

/** The lane of a bridge port, or of what no port is known to have asked. */
export class PortLane extends Lane<Question> {}

/** A miss that is being answered, with everybody who asked meanwhile. */
export interface Question {
  device: ServedDevice;
  layer: 'l2' | 'l3';
  /** IP of an L3 miss, MAC of an L2 miss. */
  address: string;
  /** Whom to tell. Several questions of one asker may have the same array. */
  askers: readonly Asker[];
  /** Monotonic milliseconds. */
  receivedAt: number;
  /** The port that asked first, or another one that asked while the first had to wait for its budget. */
  lane: PortLane;
  /** In its lane; else it is being looked up. */
  waiting: boolean;
  /** Its record changed while it was being looked up: what was read may be old already, so it is asked again. */
  changed?: boolean;
  /** It has been to the directory. */
  asked?: boolean;
  /** The directory has been searched for it, see resolver/find-mac-owner.ts. */
  searched?: boolean;
  /** It has been counted, and whoever asks from now on starts a new one. */
  over?: boolean;
}

/** With all its properties: one that came later would take a piece of memory of its own, and a storm makes 100,000 of these. */
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

/** What the directory says about a question, judged to be usable. */
export interface Answer {
  mac: Mac;
  vtep: Ip;
  router: boolean;
  source: Source;
  /** The `mac:` record that decided the VTEP, where there is one. */
  vtepSource?: Source;
}

/** An answer to be written: with the address of an L3 miss, or the FDB entry alone. */
export interface Placement {
  device: ServedDevice;
  ip?: Ip | undefined;
  answer: Answer;
  /** Of the miss that it answers: the asking port, see model/port-quotas.ts; absent when a record is read again. */
  port?: number;
}

/** A drain of misses, and how to find the device of each. */
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
