import type { Logger } from '../base/log.ts';
import type { Host } from './host.ts';

/** The devices that the operator asked for, and the log of those that cannot be served. */
export class RequestedDevices {
  readonly #names: () => readonly string[];
  readonly #host: Host;
  readonly #log: Logger;
  readonly #fail: (reason: string) => void;
  readonly #mayCome: () => boolean;
  /** The decision at start has been made. */
  #decided = false;

  /**
   * @param names names of `--device`; empty for every device that raises misses
   * @param fail called when nothing is served and nothing can be expected
   * @param mayCome whether missd itself makes devices
   */
  constructor(
    names: () => readonly string[],
    host: Host,
    log: Logger,
    fail: (reason: string) => void,
    mayCome: () => boolean = () => false,
  ) {
    this.#mayCome = mayCome;
    this.#names = names;
    this.#host = host;
    this.#log = log;
    this.#fail = fail;
  }

  refuse(name: string, reason: string): void {
    this.#log.error(`${name} is not served: ${reason}`);
  }

  /**
   * Ends missd at start if all named devices exist and none can be served. Later a refused or removed device never ends
   * missd: others go on, and the device may come again.
   */
  check(): void {
    const namespaces = [...this.#host.namespaces.values()];
    if (!namespaces.every((namespace) => namespace.loaded)) return;
    const waiting = this.#names().filter(
      (name) => !namespaces.some(({ links }) => [...links.values()].some((link) => link.name === name)),
    );
    for (const name of waiting) this.#log.warn(`no device ${name} yet; waiting for it`);
    const served = this.#host.devices().length + this.#host.awaited().length;
    const starting = !this.#decided;
    this.#decided = true;
    const refused = namespaces.flatMap(({ name, refusals }) =>
      [...refusals].map(([device, reason]) => `${device}@${name}: ${reason}`),
    );
    if (this.#mayCome()) return;
    if (starting && served === 0 && refused.length > 0 && waiting.length === 0)
      this.#fail(`nothing can be served: ${refused.join('; ')}`);
    else if (served === 0 && this.#names().length === 0)
      this.#log.warn('no VXLAN device with l2miss or l3miss yet; waiting for one');
  }
}
