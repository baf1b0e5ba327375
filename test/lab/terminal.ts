/** missd on a terminal of its own: `script` (bsdutils, on every Debian) makes the pty. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { run } from '../../src/lab/command.ts';
import { MISSD } from '../../src/lab/daemon.ts';
import { until } from '../../src/lab/wait.ts';

/** What a terminal is sent when a program takes its screen, and when it gives it back. */
export const ENTER = '\u001b[?1049h';
export const LEAVE = '\u001b[?25h\u001b[?1049l';

export class Terminal {
  output = '';
  readonly #script: ChildProcess;
  readonly #pidFile: string;
  readonly ended: Promise<number | null>;

  /** @param directory for a file @param env added to this one's */
  constructor(args: readonly string[], directory: string, env: Record<string, string> = {}) {
    this.#pidFile = `${directory}/terminal.pid`;
    const command = `stty cols 80 rows 24; echo $$ > ${this.#pidFile}; exec ${process.execPath} ${MISSD} ${args.join(' ')}`;
    // Nothing of the run that tests: NO_COLOR, CI and the like decide what is shown.
    const { PATH = '' } = process.env;
    this.#script = spawn('script', ['-qec', command, '/dev/null'], {
      env: { PATH, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
    });
    this.#script.stdout?.on('data', (data: Buffer) => (this.output += data.toString()));
    this.ended = new Promise((resolve) => this.#script.once('close', resolve));
  }

  type(keys: string): void {
    this.#script.stdin?.write(keys);
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** As somebody does who pulls at the corner of a window. */
  async resize(width: number, height: number): Promise<void> {
    await run(['stty', '-F', `/proc/${this.pid}/fd/1`, 'cols', String(width), 'rows', String(height)]);
  }

  /** Waits until something was shown. */
  shows(text: string | RegExp): Promise<boolean> {
    return until(`${String(text)} on the screen`, () =>
      typeof text === 'string' ? this.output.includes(text) : text.test(this.output),
    );
  }

  /** What was drawn, frame by frame, line by line, as far as it is text. */
  get frames(): string[][] {
    return this.output
      .split('\u001b[H')
      .slice(1)
      .map((frame) => frame.split('\u001b[J')[0] ?? '')
      .map((frame) => stripVTControlCharacters(frame).split(/\r+\n/));
  }

  /** As a window that is closed: the kernel sends SIGHUP, and whoever writes from then on gets EIO. */
  kill(): void {
    this.#script.kill('SIGKILL');
  }

  /** The program's own. */
  get pid(): number {
    return Number(readFileSync(this.#pidFile, 'utf8'));
  }
}
