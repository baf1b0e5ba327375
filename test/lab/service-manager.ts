/** What a daemon tells the service manager that started it. */
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../src/lab/lab.ts';
import type { Program } from '../../src/lab/program.ts';

export class ServiceManager {
  /** NOTIFY_SOCKET. */
  readonly socket: string;
  readonly #program: Program;

  static async start(lab: Lab, socket: string): Promise<ServiceManager> {
    const script = fileURLToPath(new URL('notify-socket.py', import.meta.url));
    const program = await lab.start(['python3', script, socket]);
    await program.until('the socket to be there', () => program.lines.length > 0);
    return new ServiceManager(socket, program);
  }

  private constructor(socket: string, program: Program) {
    this.socket = socket;
    this.#program = program;
  }

  /** Lines such as `READY=1`, in the order they came. */
  get words(): string[] {
    return this.#program.lines.slice(1).flatMap((line) => (JSON.parse(line) as string).split('\n'));
  }

  /** The latest STATUS. */
  get status(): string {
    return this.words.findLast((word) => word.startsWith('STATUS='))?.slice('STATUS='.length) ?? '';
  }

  count(word: string): number {
    return this.words.filter((one) => one === word).length;
  }

  /** Waits until the words told so far satisfy. */
  async told(what: string, satisfies: () => boolean): Promise<void> {
    await this.#program.until(`the service manager to be told ${what}`, satisfies);
  }
}
