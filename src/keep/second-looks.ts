/**
 * Answers whose `mac:` record has not been seen: looked for a moment later, when no guest waits for an answer, since what
 * it rarely corrects is worth less than the answers that it would hold up; in the longest storm every second.
 */
import type { Settled } from '../resolve/pipeline.ts';
import type { Recheck } from './recheck.ts';

export class SecondLooks {
  #waiting: Recheck[] = [];

  /**
   * Of answers just written notes those whose MAC may have a `mac:` record that nobody has looked for: the FDB entry rests
   * on this very address' record. Another address of the same MAC has had it looked for, and the feed tells of it since.
   * @returns whether anything waits
   */
  note(settled: readonly Settled[]): boolean {
    for (const { question, outcome, answer } of settled) {
      const { device, layer, address } = question;
      if (outcome !== 'resolved' || layer !== 'l3' || answer?.source.kind !== 'ip') continue;
      const source = device.tables.fdb.get(answer.mac)?.source;
      if (source?.kind === 'mac' || (source?.kind === 'ip' && source.name !== address)) continue;
      this.#waiting.push({ device, table: 'neighbour', key: address, cause: 'second_look' });
    }
    return this.#waiting.length > 0;
  }

  /** What is to be looked for, once. */
  take(): Recheck[] {
    const due = this.#waiting;
    this.#waiting = [];
    return due;
  }
}
