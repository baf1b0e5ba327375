/**
 * Messages to a service manager (sd_notify(3), sd_watchdog_enabled(3)). The environment names the socket of the manager
 * and the watchdog's interval.
 */
import { addon } from '../kernel/addon.ts';

type Environment = Record<string, string | undefined>;
type Deliver = (socket: string, text: string) => void;

/** Longest time between two WATCHDOG messages, ms, also if the manager accepts a longer one. */
const LONGEST = 60_000;

export class Notifier {
  /** Time between two WATCHDOG messages, ms: half of WATCHDOG_USEC; undefined without a watchdog. */
  readonly watchdog: number | undefined;
  readonly #socket: string;
  readonly #deliver: Deliver;
  /** Latest undelivered value of each variable. */
  readonly #pending = new Map<string, string>();

  /**
   * Removes the variables from the environment, so that no child process sends messages with them.
   * @returns undefined without a service manager
   */
  static take(env: Environment = process.env, deliver: Deliver = addon.notify): Notifier | undefined {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env;
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) Reflect.deleteProperty(env, name);
    // An address of another form (vsock:) is for virtual machines.
    if (socket === undefined || !/^[/@]./.test(socket)) return undefined;
    const meant = pid === undefined || Number(pid) === process.pid;
    const interval = meant ? Number(microseconds) / 1000 / 2 : NaN;
    return new Notifier(socket, interval >= 1 ? Math.min(interval, LONGEST) : undefined, deliver);
  }

  private constructor(socket: string, watchdog: number | undefined, deliver: Deliver) {
    this.#socket = socket;
    this.watchdog = watchdog;
    this.#deliver = deliver;
  }

  /** Sends the variables, or keeps them for the next call if the manager does not read: sending never blocks. */
  tell(words: Record<string, string>): void {
    for (const [name, value] of Object.entries(words))
      this.#pending.set(name, value.replace(/\s*[\r\n]+\s*/g, ' '));
    if (this.#pending.size === 0) return;
    try {
      this.#deliver(this.#socket, [...this.#pending].map((word) => word.join('=')).join('\n'));
      this.#pending.clear();
    } catch {
      // The manager's queue is full, or the manager is being restarted.
    }
  }
}
