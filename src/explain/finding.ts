/** The finding of a stage: the evidence, and the cause if something is wrong. */

import type { CommandLine } from '../screen/shell.ts';

/** In the order of a packet's path. */
export const STAGES = [
  'record',
  'mac record',
  'lease',
  'owner',
  'directory',
  'daemon',
  'device',
  'neighbour',
  'FDB',
  'bridge',
  'underlay',
  'MTU',
  'guest',
  'history',
] as const;
export type Stage = (typeof STAGES)[number];

/** `note`: information. `warn`: works, with a caution. `bad`: does not work. `unknown`: could not be determined. */
export type Level = 'ok' | 'note' | 'warn' | 'bad' | 'unknown';

/** In order of precedence: the first cause that is found becomes the verdict. */
export const CAUSES = [
  'device_down',
  'device_refused',
  'two_owners',
  'wrong_mac',
  'not_here',
  'foreign_entry',
  'stale_neighbour',
  'no_l3miss',
  'no_app_solicit',
  'unrouted',
  'default_remote',
  'malformed_record',
  'directory_down',
  'no_record',
  'no_daemon',
  'missing_fdb',
  'not_as_recorded',
  'underlay_down',
  'wrong_vtep',
  'duplicate_address',
  'vtep_disputed',
  'vtep_unreachable',
  'mtu',
  'guest_unrouted',
  'guest_neighbour',
  'bridge_memory',
  'owner_ended',
  'owner_frozen',
  'no_answer',
  'record_changing',
  'caution',
] as const;
export type CauseName = (typeof CAUSES)[number];

export interface Cause {
  name: CauseName;
  /** One line. */
  says: string;
  /** The command to type next. */
  next: CommandLine;
}

export interface Finding {
  stage: Stage;
  level: Level;
  text: string;
  /** Age of the evidence, seconds. */
  age?: number;
  cause?: Cause;
}

type Rest = Partial<Pick<Finding, 'age' | 'cause'>>;

export const finding = (stage: Stage, level: Level, text: string, rest: Rest = {}): Finding => ({
  stage,
  level,
  text,
  ...rest,
});
