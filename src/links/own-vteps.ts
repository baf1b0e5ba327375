import type { Ip } from '../base/vocabulary.ts';

/**
 * The addresses by which records may name this host. They come from many places (`--local`, the devices, the
 * daemon's namespace, each underlay's), each of which replaces its own part when it changes.
 */
export class OwnVteps {
  readonly #parts = new Map<string, ReadonlySet<Ip>>();
  #all: ReadonlySet<Ip> = new Set();

  has(ip: Ip): boolean {
    return this.#all.has(ip);
  }

  /** Replaces the addresses of one place; an empty part is deleted. @returns whether any address came or went */
  set(part: string, ips: Iterable<Ip>): boolean {
    const before = this.#all;
    const own = new Set(ips);
    if (own.size === 0) this.#parts.delete(part);
    else this.#parts.set(part, own);
    this.#all = new Set([...this.#parts.values()].flatMap((one) => [...one]));
    return before.size !== this.#all.size || [...before].some((ip) => !this.#all.has(ip));
  }
}
