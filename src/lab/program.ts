/** A program that runs beside the lab until it is stopped: redis-server, missd, a traffic generator. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LabError, printable } from './command.ts';
import { until } from './wait.ts';

export class Program {
  readonly argv: readonly string[];
  readonly pid: number;
  /** What it printed so far, both streams, line by line. */
  readonly lines: string[] = [];
  /** Resolves when it is gone: the exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  #end: number | string | undefined;
  readonly #child: ChildProcess;

  /** @param env added to the lab's own environment */
  static async start(argv: readonly string[], env: Record<string, string> = {}): Promise<Program> {
    // Dies with the lab, even where that is killed before it can clean up (prctl(2), PR_SET_PDEATHSIG).
    const args = ['--pdeathsig', 'KILL', '--', ...argv];
    const child = spawn('setpriv', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(new LabError(argv, error.message));
      });
    });
    return new Program(argv, child);
  }

  private constructor(argv: readonly string[], child: ChildProcess) {
    this.argv = argv;
    this.pid = child.pid ?? 0;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.lines.push(line));
    }
    // `close` comes after the last line was read, `exit` may come before.
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#end = code ?? signal ?? 'unknown';
        resolve(this.#end);
      });
    });
  }

  /** undefined while it runs. */
  get end(): number | string | undefined {
    return this.#end;
  }

  /** Like `until`, but a program that ends meanwhile is an error at once, with its last words. */
  async until<T>(
    what: string,
    look: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  ) {
    return until(what, async () => {
      const seen = await look();
      if ((seen === false || seen === null || seen === undefined) && this.#end !== undefined) {
        throw new LabError(
          this.argv,
          `ended with ${this.#end} before ${what}: ${this.lines.slice(-5).join(' | ')}`,
        );
      }
      return seen;
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#end === undefined) this.#child.kill(signal);
  }

  /** Asks it to end, and after some seconds makes it. */
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
