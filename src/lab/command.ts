/**
 * Runs other programs to their end: argument arrays, never a shell line, so nothing in them needs quoting.
 */
import { type ChildProcess, execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { quoted } from '../screen/shell.ts';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command of the lab failed: what was tried, and its own words. */
export class LabError extends Error {
  constructor(argv: readonly string[], said: string) {
    super(`${printable(argv)}: ${said.trim() === '' ? 'failed' : said.trim()}`);
    this.name = 'LabError';
  }
}

export interface RunOptions {
  input?: string;
  /** Milliseconds after which it is killed; the lab's own commands take tens of them. */
  timeout?: number;
}

/** As a person would type it. */
export function printable(argv: readonly string[]): string {
  return argv.map(quoted).join(' ');
}

/** Commands that run at the moment. */
const running = new Set<ChildProcess>();

/** Runs to the end, whatever the exit code. @throws LabError when it cannot be started or takes too long */
export function attempt(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      // C: ping and ip are read by program, so they must not speak the user's language.
      { timeout: options.timeout ?? 30_000, maxBuffer: 64 << 20, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        running.delete(child);
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else reject(new LabError(argv, error.killed === true ? 'took too long' : error.message));
      },
    );
    running.add(child);
    // The program may end without having read everything; its exit code says the rest.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs to a successful end. @throws LabError otherwise */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await attempt(argv, options);
  if (outcome.code !== 0) throw new LabError(argv, outcome.stderr || outcome.stdout);
  return outcome.stdout;
}

/** How long a killed command may take to leave the kernel, ms: deleting a namespace waits for all of its devices. */
const LEAVE_KERNEL = 5_000;

/**
 * For the way out: kills the commands that run and returns when they are dead. One that lived on, or that the kernel
 * had not yet let go, could make a namespace after all of them were removed.
 */
export function killRunning(): void {
  for (const child of running) child.kill('SIGKILL');
  const deadline = performance.now() + LEAVE_KERNEL;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while ([...running].some(({ pid }) => isAlive(pid)) && performance.now() < deadline)
    Atomics.wait(pause, 0, 0, 1);
  running.clear();
}

/** Node collects the exit of a child in its event loop: until then a dead one is a zombie (proc(5), state Z). */
function isAlive(pid: number | undefined): boolean {
  const stat = `/proc/${pid ?? 0}/stat`;
  try {
    return existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'utf8'));
  } catch {
    return false;
  }
}

/** For the way out, where nothing can be awaited any more; failures are not worth a word then. */
export function runNow(argv: readonly string[], input = ''): string {
  const [file = '', ...args] = argv;
  return spawnSync(file, args, { input, encoding: 'utf8', timeout: 30_000 }).stdout;
}
