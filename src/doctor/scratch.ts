/** A network namespace to try things in. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { printed } from '../inspect/inside.ts';

/** Before it is taken that there will be none, ms. */
const PATIENCE = 3_000;

/**
 * An unnamed namespace, kept by one child process. The child ends when its standard input closes, which happens however
 * this process ends, and the kernel then removes the namespace.
 */
export class Scratch {
  readonly path: string;
  readonly #holder: ChildProcess;

  /** @throws Error in words where that is not permitted, or util-linux is not there */
  static async open(): Promise<Scratch> {
    // Without a descriptor left there is an error, and no streams in spite of their type (child_process, ChildProcess).
    const holder: ChildProcess = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo; exec cat >/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    holder.on('error', () => undefined);
    const { stdin, stdout, stderr } = holder;
    if (!stdin || !stdout || !stderr)
      throw new Error('unshare cannot be started: no file descriptor is left');
    // Its end is told by the other streams.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
    let said = '';
    stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const patience = AbortSignal.timeout(PATIENCE);
    const failed = once(holder, 'close', { signal: patience }).then(() => {
      throw new Error(said.trim().split('\n')[0] || 'unshare ended');
    });
    try {
      await Promise.race([once(stdout, 'data', { signal: patience }), failed]);
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

  /** One command of iproute2's `ip`. @throws Error with its own words */
  async ip(...words: string[]): Promise<void> {
    await printed(this.path, ['ip', ...words]);
  }

  close(): void {
    this.#holder.stdin?.end();
    this.#holder.kill('SIGKILL');
  }
}
