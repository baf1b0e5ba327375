import type { Logger } from '../base/log.ts';
import type { Host } from './host.ts';

/** What the operator asked to be served, and what of it cannot be had. */
export class RequestedDevices {
  readonly #names: () => readonly string[];
  readonly #host: Host;
  readonly #log: Logger;
  readonly #fail: (reason: string) => void;
  /** Something was served, or it was decided that nothing could be. */
  #decided = false;

  /**
   * @param names devices asked for, empty for every one that raises misses
   * @param fail called when nothing is served and nothing can be expected
   */
  constructor(names: () => readonly string[], host: Host, log: Logger, fail: (reason: string) => void) {
    this.#names = names;
    this.#host = host;
    this.#log = log;
    this.#fail = fail;
  }

  refuse(name: string, reason: string): void {
    this.#log.error(`${name} is not served: ${reason}`);
  }

  /**
   * Devices asked for by name: some may come later, but if all are there at start and none can be served, say so and end.
   * Later a device may be refused, or be gone, without end: others go on, and it may come again.
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
    if (starting && served === 0 && refused.length > 0 && waiting.length === 0)
      this.#fail(`nothing can be served: ${refused.join('; ')}`);
    else if (served === 0 && this.#names().length === 0)
      this.#log.warn('no VXLAN device with l2miss or l3miss yet; waiting for one');
  }
}
