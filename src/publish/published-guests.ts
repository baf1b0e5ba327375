/** What this host has published in a VNI, as far as it knows, by MAC and by address. */
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { AddressResult } from '../directory/ownership.ts';

/** `unknown`: it was not asked yet, or the answer was lost. */
export type AddressState = AddressResult['outcome'] | 'unknown';

export class PublishedGuests {
  readonly #guests = new Map<Mac, Map<Ip, AddressState>>();
  /** Guests of this host that have an address, or want it. */
  readonly #users = new Map<Ip, Set<Mac>>();

  macs(): Iterable<Mac> {
    return this.#guests.keys();
  }

  has(mac: Mac): boolean {
    return this.#guests.has(mac);
  }

  get(mac: Mac): ReadonlyMap<Ip, AddressState> | undefined {
    return this.#guests.get(mac);
  }

  usersOf(ip: Ip): Iterable<Mac> {
    return this.#users.get(ip) ?? [];
  }

  /** Number of addresses in a state; `ok`: published. */
  count(wanted: AddressState): number {
    let sum = 0;
    for (const ips of this.#guests.values()) for (const state of ips.values()) if (state === wanted) sum++;
    return sum;
  }

  set(mac: Mac, ips: ReadonlyMap<Ip, AddressState>): void {
    for (const ip of this.#guests.get(mac)?.keys() ?? []) if (!ips.has(ip)) this.#leave(mac, ip);
    this.#guests.set(mac, new Map(ips));
    for (const ip of ips.keys()) {
      const users = this.#users.get(ip);
      if (users === undefined) this.#users.set(ip, new Set([mac]));
      else users.add(mac);
    }
  }

  delete(mac: Mac, ip?: Ip): void {
    const ips = this.#guests.get(mac);
    for (const one of ip === undefined ? (ips?.keys() ?? []) : [ip]) this.#leave(mac, one);
    if (ip === undefined) this.#guests.delete(mac);
    else ips?.delete(ip);
  }

  #leave(mac: Mac, ip: Ip): void {
    const users = this.#users.get(ip);
    users?.delete(mac);
    if (users?.size === 0) this.#users.delete(ip);
  }
}
