import type { Logger } from '../log.ts';
import type { Host } from './host.ts';

/** What the operator asked to be served, and what of it cannot be had. */
export class Wishes {
  readonly #names: () => readonly string[];
  readonly #host: Host;
  readonly #log: Logger;
  readonly #fail: (reason: string) => void;
  readonly #refused = new Map<string, string>();

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
    this.#refused.set(name, reason);
    this.#log.error(`${name} is not served: ${reason}`);
  }

  /** Devices asked for by name: some may come later, but if all are there and none can be served, say so and end. */
  check(): void {
    const namespaces = [...this.#host.namespaces.values()];
    if (!namespaces.every((namespace) => namespace.loaded)) return;
    const waiting = this.#names().filter(
      (name) => !namespaces.some(({ links }) => [...links.values()].some((link) => link.name === name)),
    );
    for (const name of waiting) this.#log.warn(`no device ${name} yet; waiting for it`);
    const served = this.#host.devices().length + this.#host.awaited().length;
    if (served === 0 && this.#refused.size > 0 && waiting.length === 0)
      this.#fail(`nothing can be served: ${[...this.#refused].map((one) => one.join(': ')).join('; ')}`);
    else if (served === 0 && this.#names().length === 0)
      this.#log.warn('no VXLAN device with l2miss or l3miss yet; waiting for one');
  }
}
