import { isLinkLocal } from '../base/address.ts';
import { directedBroadcast } from '../base/prefix.ts';
import type { InterfaceAddress, Ip } from '../base/vocabulary.ts';

/** Addresses assigned in a namespace. An address may be on several interfaces, and goes with the last of them. */
export class AssignedAddresses {
  /** ifindexes of the interfaces that have an address. */
  readonly #interfaces = new Map<Ip, Set<number>>();
  /** For a subnet's broadcast address, the assigned addresses of that subnet, as `ifindex ip`. */
  readonly #broadcasts = new Map<Ip, Set<string>>();

  has(ip: Ip): boolean {
    return this.#interfaces.has(ip);
  }

  all(): Iterable<Ip> {
    return this.#interfaces.keys();
  }

  /**
   * Addresses by which other hosts may reach this host. A link-local address counts on underlay interfaces alone.
   * @param underlays ifindexes of the interfaces that VXLAN packets leave by
   */
  *reachable(underlays: ReadonlySet<number>): Generator<Ip> {
    for (const [ip, interfaces] of this.#interfaces)
      if (!isLinkLocal(ip) || [...interfaces].some((ifindex) => underlays.has(ifindex))) yield ip;
  }

  /** Whether an address is the broadcast address of an interface's subnet. */
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
