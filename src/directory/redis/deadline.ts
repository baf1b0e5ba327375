/** An end to commands that get no answer, with one timer for all of them: ioredis starts and stops one for each. */
import type { Command } from 'ioredis';
import { COMMAND_TIMEOUT } from './client.ts';

/** How much later than due it may be noticed that an answer is late, ms. */
const TICK = 50;

interface Sent {
  command: Command;
  /** Monotonic ms. */
  at: number;
}

export class Deadline {
  #sent: Sent[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** The command fails unless it is answered in time. A reply that comes later keeps its place, and is dropped. */
  watch(command: Command): void {
    this.#sent.push({ command, at: performance.now() });
    if (this.#timer === undefined) this.#timer = setTimeout(this.#due, TICK);
  }

  // Timers come before sockets are read. What arrived while this process was busy is read before the server is blamed.
  readonly #due = (): void => void setImmediate(this.#check);

  readonly #check = (): void => {
    const now = performance.now();
    const late: Command[] = [];
    this.#sent = this.#sent.filter(({ command, at }) => {
      if (command.isSettled) return false;
      if (now - at < COMMAND_TIMEOUT) return true;
      late.push(command);
      return false;
    });
    this.#timer = this.#sent.length === 0 ? undefined : setTimeout(this.#due, TICK);
    for (const command of late) command.reject(new Error('Command timed out'));
  };
}
