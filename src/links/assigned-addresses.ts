import { isLinkLocal } from '../base/address.ts';
import { directedBroadcast } from '../base/prefix.ts';
import type { InterfaceAddress, Ip } from '../base/vocabulary.ts';

/** Addresses assigned in a namespace, each to one interface or several: it is gone only with the last. */
export class AssignedAddresses {
  /** Which interfaces have an address. */
  readonly #interfaces = new Map<Ip, Set<number>>();
  /** Which assigned addresses have this one as the broadcast address of their subnet, `ifindex ip`. */
  readonly #broadcasts = new Map<Ip, Set<string>>();

  has(ip: Ip): boolean {
    return this.#interfaces.has(ip);
  }

  all(): Iterable<Ip> {
    return this.#interfaces.keys();
  }

  /**
   * Those by which other hosts may reach this one. A link-local address means something on its own link alone, and every
   * interface that comes up gets one.
   * @param underlays interfaces that the packets of VXLAN devices leave by
   */
  *reachable(underlays: ReadonlySet<number>): Generator<Ip> {
    for (const [ip, interfaces] of this.#interfaces)
      if (!isLinkLocal(ip) || [...interfaces].some((ifindex) => underlays.has(ifindex))) yield ip;
  }

  /** Whether it is the broadcast address of an interface's subnet. */
  isBroadcast(ip: Ip): boolean {
    return this.#broadcasts.has(ip);
  }

  broadcasts(): Iterable<Ip> {
    return this.#broadcasts.keys();
  }

  add(address: InterfaceAddress): void {
    join(this.#interfaces, address.ip, address.ifindex);
    const broadcast = directedBroadcast(address);
    if (broadcast !== undefined) join(this.#broadcasts, broadcast, `${address.ifindex} ${address.ip}`);
  }

  delete(address: InterfaceAddress): void {
    leave(this.#interfaces, address.ip, address.ifindex);
    const broadcast = directedBroadcast(address);
    if (broadcast !== undefined) leave(this.#broadcasts, broadcast, `${address.ifindex} ${address.ip}`);
  }

  clear(): void {
    this.#interfaces.clear();
    this.#broadcasts.clear();
  }
}

function join<T>(sets: Map<Ip, Set<T>>, ip: Ip, member: T): void {
  const set = sets.get(ip);
  if (set === undefined) sets.set(ip, new Set([member]));
  else set.add(member);
}

function leave<T>(sets: Map<Ip, Set<T>>, ip: Ip, member: T): void {
  const set = sets.get(ip);
  if (set?.delete(member) === true && set.size === 0) sets.delete(ip);
}
