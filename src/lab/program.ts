/** A program that runs beside the lab until it is stopped: redis-server, missd, a traffic generator. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { reasonOf } from '../base/errors.ts';
import { LabError, printable } from './command.ts';
import { type UntilOptions, until } from './wait.ts';

export class Program {
  readonly argv: readonly string[];
  readonly pid: number;
  readonly #read: string[] = [];
  readonly #log: string | undefined;
  /** Resolves at the end of the program: the exit code, or the name of the signal. */
  readonly ended: Promise<number | string>;
  #end: number | string | undefined;
  readonly #child: ChildProcess;

  /**
   * @param env added to the lab's own environment
   * @param log file for the output. A program with a log may run after the end of this process; others die with it.
   */
  static async start(
    argv: readonly string[],
    env: Record<string, string> = {},
    log?: string,
  ): Promise<Program> {
    // The program also dies if the lab is killed before it can clean up (prctl(2), PR_SET_PDEATHSIG).
    const mortal = log === undefined ? ['--pdeathsig', 'KILL'] : [];
    const output = log === undefined ? 'pipe' : openSync(log, 'a', 0o600);
    const child = spawn('setpriv', [...mortal, '--', ...argv], {
      stdio: ['ignore', output, output],
      detached: log !== undefined,
      env: { ...process.env, ...env },
    });
    if (typeof output === 'number') closeSync(output);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(new LabError(argv, error.message));
      });
    });
    return new Program(argv, child, log);
  }

  private constructor(argv: readonly string[], child: ChildProcess, log: string | undefined) {
    this.argv = argv;
    this.#log = log;
    this.pid = child.pid ?? 0;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#read.push(line));
    }
    // `close` comes after the last line was read, `exit` may come before.
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#end = code ?? signal ?? 'unknown';
        resolve(this.#end);
      });
    });
  }

  /** The lines that the program has printed, on both streams. */
  get lines(): readonly string[] {
    if (this.#log === undefined) return this.#read;
    return readFileSync(this.#log, 'utf8').trimEnd().split('\n');
  }

  /** Lets this process end before the program; only with a log. */
  leave(): void {
    this.#child.unref();
  }

  /** Undefined while the program runs. */
  get end(): number | string | undefined {
    return this.#end;
  }

  /** Like `until`, but fails at once if the program ends, with the last lines of its output. */
  async until<T>(
    what: string,
    look: () => Promise<T | false | null | undefined> | T | false | null | undefined,
    options: UntilOptions = {},
  ) {
    return until(
      what,
      async () => {
        const seen = await look();
        if ((seen === false || seen === null || seen === undefined) && this.#end !== undefined) {
          throw new LabError(this.argv, `ended with ${this.#end} before ${what}; ${this.#lastWords()}`);
        }
        return seen;
      },
      options,
    ).catch((error: unknown) => {
      if (error instanceof LabError) throw error;
      throw new LabError(this.argv, `${reasonOf(error)}; ${this.#lastWords()}`);
    });
  }

  /** The last lines of the output, for errors. */
  #lastWords(): string {
    const last = this.lines.filter((line) => line !== '').slice(-5);
    return last.length === 0 ? 'it printed nothing' : `the end of its log: ${last.join(' | ')}`;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#end === undefined) this.#child.kill(signal);
  }

  /** Sends SIGTERM, and SIGKILL after `patience` ms. */
  async stop(patience = 5_000): Promise<number | string> {
    this.signal('SIGTERM');
    const impatience = setTimeout(() => {
      this.signal('SIGKILL');
    }, patience);
    try {
      return await this.ended;
    } finally {
      clearTimeout(impatience);
    }
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  toString(): string {
    return printable(this.argv);
  }
}
