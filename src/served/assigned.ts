import type { InterfaceAddress, Ip } from '../vocabulary.ts';

/** Addresses assigned in a namespace, each to one interface or several: it is gone only with the last. */
export class AssignedAddresses {
  readonly #interfaces = new Map<Ip, Set<number>>();

  has(ip: Ip): boolean {
    return this.#interfaces.has(ip);
  }

  all(): Iterable<Ip> {
    return this.#interfaces.keys();
  }

  add({ ip, ifindex }: InterfaceAddress): void {
    const interfaces = this.#interfaces.get(ip);
    if (interfaces === undefined) this.#interfaces.set(ip, new Set([ifindex]));
    else interfaces.add(ifindex);
  }

  delete({ ip, ifindex }: InterfaceAddress): void {
    const interfaces = this.#interfaces.get(ip);
    if (interfaces?.delete(ifindex) === true && interfaces.size === 0) this.#interfaces.delete(ip);
  }

  clear(): void {
    this.#interfaces.clear();
  }
}
