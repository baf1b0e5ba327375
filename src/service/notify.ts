/**
 * What a service manager is told, as sd_notify(3) and sd_watchdog_enabled(3) have it. systemd says in the environment
 * where it listens and how often it wants to hear that all is well.
 */
import { addon } from '../kernel/addon.ts';

type Environment = Record<string, string | undefined>;
type Deliver = (socket: string, text: string) => void;

/** Between two signs of life, ms, however rarely they are asked for. */
const LONGEST = 60_000;

export class Notifier {
  /** Between signs of life that are asked for, ms: half of what is waited for; undefined where nobody waits. */
  readonly watchdog: number | undefined;
  readonly #socket: string;
  readonly #deliver: Deliver;
  /** Latest undelivered value of each variable. */
  readonly #pending = new Map<string, string>();

  /**
   * Takes what concerns this process out of its environment, so that no child takes it for its own.
   * @returns undefined where no service manager listens
   */
  static take(env: Environment = process.env, deliver: Deliver = addon.notify): Notifier | undefined {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env;
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) Reflect.deleteProperty(env, name);
    // Others than paths and abstract names are for virtual machines (vsock:).
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

  /** Says it now, or with the next word: a manager that does not read at the moment is not waited for. */
  tell(words: Record<string, string>): void {
    for (const [name, value] of Object.entries(words))
      this.#pending.set(name, value.replace(/\s*[\r\n]+\s*/g, ' '));
    if (this.#pending.size === 0) return;
    try {
      this.#deliver(this.#socket, [...this.#pending].map((word) => word.join('=')).join('\n'));
      this.#pending.clear();
    } catch {
      // Its queue is full, or it is being restarted.
    }
  }
}
