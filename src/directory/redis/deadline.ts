/** A time limit for commands, with one timer for all of them: ioredis starts and stops one per command. */
import type { Command } from 'ioredis';
import { COMMAND_TIMEOUT } from './client.ts';

/** Granularity of the time limit, ms. */
const TICK = 50;

interface Sent {
  command: Command;
  /** Monotonic ms. */
  at: number;
}

export class Deadline {
  #sent: Sent[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Rejects the command unless it is answered in time. ioredis drops a later reply, so later commands get their own replies. */
  watch(command: Command): void {
    this.#sent.push({ command, at: performance.now() });
    if (this.#timer === undefined) this.#timer = setTimeout(this.#due, TICK);
  }

  // Timers run before sockets are read: replies that arrived while this process was busy are read before the check.
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
