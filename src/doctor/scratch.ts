/** A temporary network namespace for trials. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { printed } from '../inspect/inside.ts';

/** Longest time for creating the namespace, ms. */
const TIMEOUT = 3_000;

/**
 * An unnamed namespace that a child process keeps alive. The child ends when its standard input closes, so also when this
 * process is killed, and the kernel then removes the namespace.
 */
export class Scratch {
  readonly path: string;
  readonly #holder: ChildProcess;

  /** @throws Error with a readable message if it is not permitted, or util-linux is not installed */
  static async open(): Promise<Scratch> {
    // Without a free descriptor spawn() emits an error and the streams are undefined, in spite of their type.
    const holder: ChildProcess = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo; exec cat >/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    holder.on('error', () => undefined);
    const { stdin, stdout, stderr } = holder;
    if (!stdin || !stdout || !stderr)
      throw new Error('unshare cannot be started: no file descriptor is left');
    // The event `close` reports the end of the child, so errors of the streams add nothing.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
    let said = '';
    stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const timeout = AbortSignal.timeout(TIMEOUT);
    const failed = once(holder, 'close', { signal: timeout }).then(() => {
      throw new Error(said.trim().split('\n')[0] || 'unshare ended');
    });
    try {
      await Promise.race([once(stdout, 'data', { signal: timeout }), failed]);
    } catch (error) {
      holder.kill('SIGKILL');
      throw (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? new Error('unshare is not installed', { cause: error })
        : error;
    } finally {
      failed.catch(() => undefined);
    }
    return new Scratch(holder);
  }

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
    this.path = `/proc/${holder.pid ?? 0}/ns/net`;
  }

  /** Runs `ip` in the namespace. @throws Error with the message of `ip` */
  async ip(...words: string[]): Promise<void> {
    await printed(this.path, ['ip', ...words]);
  }

  close(): void {
    this.#holder.stdin?.end();
    this.#holder.kill('SIGKILL');
  }
}
