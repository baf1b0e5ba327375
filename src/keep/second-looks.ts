/**
 * Answers whose `mac:` record has not been seen: looked for as soon as no guest waits for an answer, since what it rarely
 * corrects is worth less than the answers that it would hold up; in the longest storm every second.
 */
import type { Settled } from '../resolve/pipeline.ts';
import type { Recheck } from './recheck.ts';

export class SecondLooks {
  #waiting: Recheck[] = [];

  /**
   * Of answers just written takes those whose MAC may have a `mac:` record that nobody has looked for: the FDB entry rests
   * on this very address' record. Another address of the same MAC has had it looked for, and the feed tells of it since.
   * @param idle nobody waits for an answer
   * @returns what is to be looked for now
   */
  after(settled: readonly Settled[], idle: boolean): Recheck[] {
    for (const { question, outcome, answer } of settled) {
      const { device, layer, address } = question;
      if (outcome !== 'resolved' || layer !== 'l3' || answer?.source.kind !== 'ip') continue;
      const source = device.tables.fdb.get(answer.mac)?.source;
      if (source?.kind === 'mac' || (source?.kind === 'ip' && source.name !== address)) continue;
      this.#waiting.push({ device, table: 'neighbour', key: address, cause: 'second_look' });
    }
    if (!idle || this.#waiting.length === 0) return [];
    const due = this.#waiting;
    this.#waiting = [];
    return due;
  }
}
