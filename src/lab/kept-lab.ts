/**
 * A lab that stays after the command that made it has ended. Its namespaces have the lab's name instead of a pid, so that no
 * sweep removes them. A file beside its sockets and logs lists its programs, which `missd lab clean` ends.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RuntimeFailure, UsageError } from '../base/errors.ts';
import { NETNS, removeNamespaces } from './sweep.ts';

const HOME = '/run/missd-lab';

/** A name begins with a letter, so that it is no pid (see `sweep.ts`). */
const NAME = /^[a-z][a-z0-9-]{0,30}$/;

export class KeptLab {
  readonly name: string;
  #logs = 0;

  /** @throws UsageError for an invalid name, RuntimeFailure if a lab of that name exists */
  static claim(name: string): KeptLab {
    if (!NAME.test(name))
      throw new UsageError(`a lab cannot be kept as '${name}': a-z, 0-9 and -, a letter first`);
    const lab = new KeptLab(name);
    if (existsSync(lab.directory))
      throw new RuntimeFailure(`lab ${name} is up already: missd lab clean ${name}`);
    mkdirSync(lab.directory, { recursive: true, mode: 0o700 });
    return lab;
  }

  /** All kept labs. */
  static all(): KeptLab[] {
    return existsSync(HOME) ? readdirSync(HOME).map((name) => new KeptLab(name)) : [];
  }

  private constructor(name: string) {
    this.name = name;
  }

  get prefix(): string {
    return `missd-${this.name}-`;
  }

  get directory(): string {
    return join(HOME, this.name);
  }

  /** Path of the log for one more program. */
  logOf(argv: readonly string[]): string {
    this.#logs += 1;
    const program = argv.map((word) => basename(word)).find((word) => !/^(node|nsenter|--.*)$/.test(word));
    return join(this.directory, `${this.#logs}-${program ?? 'program'}.log`);
  }

  /** Lists a program, to be ended with the lab. */
  remember(pid: number): void {
    appendFileSync(this.#programs, `${pid} ${startOf(pid) ?? ''}\n`);
  }

  /** Ends the programs of the lab, and removes its namespaces and files. */
  clean(): void {
    const lines = existsSync(this.#programs) ? readFileSync(this.#programs, 'utf8').trim().split('\n') : [];
    for (const [pid = '', start] of lines.map((line) => line.split(' '))) {
      // A different start time means that another process has the pid now.
      if (start !== undefined && startOf(Number(pid)) === start) process.kill(Number(pid), 'SIGKILL');
    }
    const mine = existsSync(NETNS) ? readdirSync(NETNS).filter((name) => name.startsWith(this.prefix)) : [];
    removeNamespaces(mine);
    // A program that was just killed may still have been writing files, hence the retries.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }

  get #programs(): string {
    return join(this.directory, 'programs');
  }
}

/** Start time of a process, in ticks since boot (proc(5), field 22 of stat); undefined if there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    // The second field is the program's name, which may contain spaces and parentheses.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}
