/**
 * A lab that outlives the command that made it. Its names carry its own name instead of a pid, so no sweep takes it for
 * a dead lab's; its programs are listed in a file beside its sockets and logs, for `missd lab clean` to end.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RuntimeFailure, UsageError } from '../base/errors.ts';
import { NETNS, removeNamespaces } from './sweep.ts';

const HOME = '/run/missd-lab';

/** Letters first, so that it is nobody's pid (see `sweep.ts`). */
const NAME = /^[a-z][a-z0-9-]{0,30}$/;

export class KeptLab {
  readonly name: string;
  #logs = 0;

  /** @throws UsageError for a name that cannot be one, RuntimeFailure where there is one of that name */
  static claim(name: string): KeptLab {
    if (!NAME.test(name))
      throw new UsageError(`a lab cannot be kept as '${name}': a-z, 0-9 and -, a letter first`);
    const lab = new KeptLab(name);
    if (existsSync(lab.directory))
      throw new RuntimeFailure(`lab ${name} is up already: missd lab clean ${name}`);
    mkdirSync(lab.directory, { recursive: true, mode: 0o700 });
    return lab;
  }

  /** Those that are up. */
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

  /** A log for one more program. */
  logOf(argv: readonly string[]): string {
    this.#logs += 1;
    const program = argv.map((word) => basename(word)).find((word) => !/^(node|nsenter|--.*)$/.test(word));
    return join(this.directory, `${this.#logs}-${program ?? 'program'}.log`);
  }

  /** Notes a program to be ended with the lab. */
  remember(pid: number): void {
    appendFileSync(this.#programs, `${pid} ${startOf(pid) ?? ''}\n`);
  }

  /** Ends its programs and removes whatever it made. */
  clean(): void {
    const lines = existsSync(this.#programs) ? readFileSync(this.#programs, 'utf8').trim().split('\n') : [];
    for (const [pid = '', start] of lines.map((line) => line.split(' '))) {
      // The pid may be somebody else's by now.
      if (start !== undefined && startOf(Number(pid)) === start) process.kill(Number(pid), 'SIGKILL');
    }
    const mine = existsSync(NETNS) ? readdirSync(NETNS).filter((name) => name.startsWith(this.prefix)) : [];
    removeNamespaces(mine);
    // What was just killed may have been writing there.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }

  get #programs(): string {
    return join(this.directory, 'programs');
  }
}

/** When a process started, in ticks since boot (proc(5), field 22 of stat); undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    // The second field is the program's name, which may contain anything.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}
