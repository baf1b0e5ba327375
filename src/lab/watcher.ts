/** A guest that pings an address continuously, with the time of every answer. */
import type { Guest } from './guest.ts';
import type { Lab } from './lab.ts';
import type { Program } from './program.ts';

/** Time between two pings, ms, which is the precision of the times. */
export const WATCH_INTERVAL = 10;

export class Watcher {
  readonly #program: Program;

  /** Resolves after the first answers. */
  static async start(lab: Lab, from: Guest, ip: string): Promise<Watcher> {
    const words = ['ping', '-n', '-D', '-i', String(WATCH_INTERVAL / 1000), ip];
    const watcher = new Watcher(await lab.start(from.namespace.inside(words)));
    await watcher.#program.until(`${ip} to answer guest ${from.n}`, () => watcher.answers().length > 2);
    return watcher;
  }

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Times of the answers, ms since the epoch. */
  answers(): number[] {
    return this.#program.lines.flatMap((line) => {
      const seconds = /^\[([\d.]+)\] \d+ bytes from /.exec(line)?.[1];
      return seconds === undefined ? [] : [Number(seconds) * 1000];
    });
  }

  /** Time of the first answer after `moment`; undefined if none came within `timeout` ms. */
  async answerAfter(moment: number, timeout: number): Promise<number | undefined> {
    const first = (): number | undefined => this.answers().find((at) => at > moment);
    await this.#program.until('an answer', () => first(), { timeout }).catch(() => undefined);
    return first();
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
