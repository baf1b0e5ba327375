/** A guest that pings another all the while, with the time of every answer. */
import type { Guest } from './guest.ts';
import type { Lab } from './lab.ts';
import type { Program } from './program.ts';

/** Between two pings, ms: how exact the times are. */
export const WATCH_INTERVAL = 10;

export class Watcher {
  readonly #program: Program;

  /** Resolves when some answers have come. */
  static async start(lab: Lab, from: Guest, ip: string): Promise<Watcher> {
    const words = ['ping', '-n', '-D', '-i', String(WATCH_INTERVAL / 1000), ip];
    const watcher = new Watcher(await lab.start(from.namespace.inside(words)));
    await watcher.#program.until(`${ip} to answer guest ${from.n}`, () => watcher.answers().length > 2);
    return watcher;
  }

  private constructor(program: Program) {
    this.#program = program;
  }

  /** When the answers came, ms since the epoch. */
  answers(): number[] {
    return this.#program.lines.flatMap((line) => {
      const seconds = /^\[([\d.]+)\] \d+ bytes from /.exec(line)?.[1];
      return seconds === undefined ? [] : [Number(seconds) * 1000];
    });
  }

  /** The first answer after a moment; undefined when none came in time. */
  async answerAfter(moment: number, timeout: number): Promise<number | undefined> {
    const first = (): number | undefined => this.answers().find((at) => at > moment);
    await this.#program.until('an answer', () => first(), { timeout }).catch(() => undefined);
    return first();
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
