import { LRUCache } from 'lru-cache';
import type { Ip, Mac } from '../vocabulary.ts';

/** The record an entry was written from. */
export interface Source {
  kind: 'ip' | 'mac' | 'lease';
  /** The record's address, or the lease's CIDR. */
  name: string;
}

/** A neighbour that missd wrote and answers for. */
export interface HeldNeighbour {
  ip: Ip;
  mac: Mac;
  source: Source;
}

/** An FDB entry that missd wrote and answers for. */
export interface HeldFdbEntry {
  mac: Mac;
  vtep: Ip;
  router: boolean;
  source: Source;
}

/** A MAC may have many addresses (two families, aliases); these are enough to find its record again. */
const REMEMBERED_PER_MAC = 4;
const REMEMBERED_MACS = 65_536;

/** What missd holds on one device: the tables as they should be. Pure memory; `install.ts` keeps the kernel in step. */
export class HeldTables {
  readonly neighbours = new Map<Ip, HeldNeighbour>();
  readonly fdb = new Map<Mac, HeldFdbEntry>();
  /** How many held neighbours need an FDB entry; a MAC that none needs is not in it. */
  readonly #users = new Map<Mac, number>();
  /** Addresses known to use a MAC, newest first; outlives the entries, for the L2 miss that comes after. */
  readonly #addresses = new LRUCache<Mac, Ip[]>({ max: REMEMBERED_MACS });

  setNeighbour(neighbour: HeldNeighbour): void {
    this.deleteNeighbour(neighbour.ip);
    this.neighbours.set(neighbour.ip, neighbour);
    this.#users.set(neighbour.mac, this.users(neighbour.mac) + 1);
    this.remember(neighbour.mac, neighbour.ip);
  }

  deleteNeighbour(ip: Ip): void {
    const held = this.neighbours.get(ip);
    if (held === undefined) return;
    this.neighbours.delete(ip);
    const users = this.users(held.mac) - 1;
    if (users > 0) this.#users.set(held.mac, users);
    else this.#users.delete(held.mac);
  }

  users(mac: Mac): number {
    return this.#users.get(mac) ?? 0;
  }

  remember(mac: Mac, ip: Ip): void {
    const known = this.#addresses.get(mac);
    if (known?.[0] === ip) return;
    this.#addresses.set(mac, [ip, ...(known ?? []).filter((one) => one !== ip)].slice(0, REMEMBERED_PER_MAC));
  }

  addressesOf(mac: Mac): readonly Ip[] {
    return this.#addresses.get(mac) ?? [];
  }

  clear(): void {
    this.neighbours.clear();
    this.fdb.clear();
    this.#users.clear();
  }
}
