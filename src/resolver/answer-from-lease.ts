/**
 * Answers that need no question: where the directory is known to have no record of an address, the lease that covers it.
 * That nobody has an address is not concluded here: a record may be on its way, and the guest would wait for its retry.
 */
import type { LookupDeps } from './deps.ts';
import { answerL3 } from './select-record.ts';
import type { Answered } from './lookup.ts';
import type { Question } from '../model/question.ts';

export function answerFromLease(
  questions: Question[],
  { directory, policy }: LookupDeps,
): { known: Answered[]; open: Question[] } {
  const known: Answered[] = [];
  const open: Question[] = [];
  for (const question of questions) {
    const { device, layer, address, waiting } = question;
    const knows = layer === 'l3' && !waiting && directory.lacksRecord(device.vni, address);
    const result = knows ? answerL3(policy, device, address, null) : undefined;
    if (result === undefined) open.push(question);
    else known.push({ question, result });
  }
  return { known, open };
}
