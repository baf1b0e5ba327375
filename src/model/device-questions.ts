/** The questions of each device. A device itself knows nothing of them, so that questions can name their device. */
import type { Ip } from '../base/vocabulary.ts';
import type { ServedDevice } from './device.ts';
import type { PortLane, Question } from './question.ts';

export class DeviceQuestions {
  /** Misses being looked up, by address: a second one for the same address joins the first. */
  readonly inFlight = new Map<string, Question>();
  /** L2 questions under way that read `ip:` records, by the address: a change of such a record makes them ask again. */
  readonly reading = new Map<Ip, Set<Question>>();
  /** By the ifindex of the bridge port, or one of the lanes for which no port is known. */
  readonly lanes = new Map<number, PortLane>();
  /** The port that is throttled, the last of them: questions without a known asker are charged to that port. */
  throttled: PortLane | undefined;
}

const DEVICES = new WeakMap<ServedDevice, DeviceQuestions>();

/** One lookup in a WeakMap: a loop over misses of one device calls it once. */
export function questionsOf(device: ServedDevice): DeviceQuestions {
  let questions = DEVICES.get(device);
  if (questions === undefined) DEVICES.set(device, (questions = new DeviceQuestions()));
  return questions;
}
