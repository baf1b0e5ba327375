/**
 * Runs other programs to their end, from argument arrays without a shell, so that nothing needs quoting.
 */
import { type ChildProcess, execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { quoted } from '../screen/shell.ts';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command of the lab failed. The message has the command and its error output. */
export class LabError extends Error {
  constructor(argv: readonly string[], said: string) {
    super(`${printable(argv)}: ${said.trim() === '' ? 'failed' : said.trim()}`);
    this.name = 'LabError';
  }
}

export interface RunOptions {
  input?: string;
  /** Milliseconds after which the command is killed; the lab's own commands take some ten. */
  timeout?: number;
}

/** The command line to be typed in a shell. */
export function printable(argv: readonly string[]): string {
  return argv.map(quoted).join(' ');
}

/** Commands that run at the moment. */
const running = new Set<ChildProcess>();

/** Runs a command; any exit code is a result. @throws LabError if it cannot be started or takes too long */
export function attempt(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      // LC_ALL=C, because the output of ping and ip is parsed.
      { timeout: options.timeout ?? 30_000, maxBuffer: 64 << 20, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        running.delete(child);
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else reject(new LabError(argv, error.killed === true ? 'took too long' : error.message));
      },
    );
    running.add(child);
    // The program may end before it has read its whole input, which is no error.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a command. @returns its standard output @throws LabError if the exit code is not 0 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await attempt(argv, options);
  if (outcome.code !== 0) throw new LabError(argv, outcome.stderr || outcome.stdout);
  return outcome.stdout;
}

/** How long a killed command may take to leave the kernel, ms: deleting a namespace waits for all of its devices. */
const LEAVE_KERNEL = 5_000;

/**
 * For the end of the process: kills the running commands and returns when they are dead. A command that still runs could
 * make a namespace after the lab has removed all of them.
 */
export function killRunning(): void {
  for (const child of running) child.kill('SIGKILL');
  const deadline = performance.now() + LEAVE_KERNEL;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while ([...running].some(({ pid }) => isAlive(pid)) && performance.now() < deadline)
    Atomics.wait(pause, 0, 0, 1);
  running.clear();
}

/** Node reaps a child in its event loop; until then a dead child is a zombie (proc(5), state Z). */
function isAlive(pid: number | undefined): boolean {
  const stat = `/proc/${pid ?? 0}/stat`;
  try {
    return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'utf8'));
  } catch {
    return false;
  }
}

/** Runs a command synchronously, for exit handlers, which cannot wait for a promise. Failures are ignored. */
export function runNow(argv: readonly string[], input = ''): string {
  const [file = '', ...args] = argv;
  return spawnSync(file, args, { input, encoding: 'utf8', timeout: 30_000 }).stdout;
}
