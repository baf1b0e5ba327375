import { LRUCache } from 'lru-cache';
import type { Ip, Mac } from '../vocabulary.ts';

/** The record an entry was written from; `adopted` entries were found in the kernel and wait for their record to be read. */
export interface Source {
  kind: 'ip' | 'mac' | 'lease' | 'adopted';
  /** The record's address, or the lease's CIDR. */
  name: string;
}

/** A neighbour that missd wrote and answers for. */
export interface HeldNeighbour {
  ip: Ip;
  mac: Mac;
  source: Source;
  /** When its record was last read, monotonic ms. */
  checkedAt: number;
  /** When it was last seen to be wanted: a miss, or another sign of use. Monotonic ms. */
  usedAt: number;
}

/** An FDB entry that missd wrote and answers for. */
export interface HeldFdbEntry {
  mac: Mac;
  vtep: Ip;
  router: boolean;
  source: Source;
  checkedAt: number;
  usedAt: number;
}

/** A MAC may have many addresses (two families, aliases); these are enough to find its record again. */
const REMEMBERED_PER_MAC = 4;
const REMEMBERED_MACS = 65_536;

/** What missd holds on one device: the tables as they should be. Pure memory; `install.ts` keeps the kernel in step. */
export class HeldTables {
  /** In order of `checkedAt`, the longest unread first: `setNeighbour` puts at the end. */
  readonly neighbours: ReadonlyMap<Ip, HeldNeighbour>;
  readonly fdb: ReadonlyMap<Mac, HeldFdbEntry>;
  /** Neighbours rewritten as STALE to see whether they are used, and since when (monotonic ms); see `keep/idle.ts`. */
  readonly probation = new Map<Ip, number>();
  readonly #neighbours = new Map<Ip, HeldNeighbour>();
  readonly #fdb = new Map<Mac, HeldFdbEntry>();
  /** Held neighbours that need an FDB entry. Mostly one, which then costs no Set. */
  readonly #users = new Map<Mac, Ip | Set<Ip>>();
  /** FDB entries written from an `ip:` record, by that address. */
  readonly #bySource = new Map<Ip, Mac>();
  /** Addresses known to use a MAC, newest first; outlives the entries, for the L2 miss that comes after. */
  readonly #addresses = new LRUCache<Mac, Ip[]>({ max: REMEMBERED_MACS });

  constructor() {
    this.neighbours = this.#neighbours;
    this.fdb = this.#fdb;
  }

  /** Holds a neighbour, or holds it anew: it is then the one most lately checked. */
  setNeighbour(neighbour: HeldNeighbour): void {
    const probation = this.probation.get(neighbour.ip);
    this.deleteNeighbour(neighbour.ip);
    if (probation !== undefined) this.probation.set(neighbour.ip, probation);
    this.#neighbours.set(neighbour.ip, neighbour);
    const users = this.#users.get(neighbour.mac);
    if (users === undefined) this.#users.set(neighbour.mac, neighbour.ip);
    else if (typeof users === 'string') this.#users.set(neighbour.mac, new Set([users, neighbour.ip]));
    else users.add(neighbour.ip);
    this.remember(neighbour.mac, neighbour.ip);
  }

  deleteNeighbour(ip: Ip): void {
    const held = this.#neighbours.get(ip);
    if (held === undefined) return;
    this.#neighbours.delete(ip);
    this.probation.delete(ip);
    const users = this.#users.get(held.mac);
    if (typeof users === 'object' && users.size > 1) users.delete(ip);
    else this.#users.delete(held.mac);
  }

  setFdb(entry: HeldFdbEntry): void {
    this.deleteFdb(entry.mac);
    this.#fdb.set(entry.mac, entry);
    if (entry.source.kind === 'ip') this.#bySource.set(entry.source.name, entry.mac);
  }

  deleteFdb(mac: Mac): void {
    const held = this.#fdb.get(mac);
    if (held === undefined) return;
    this.#fdb.delete(mac);
    if (this.#bySource.get(held.source.name) === mac) this.#bySource.delete(held.source.name);
  }

  /** Holds nothing any more: whatever is still under way finds nothing to do. */
  clear(): void {
    this.#neighbours.clear();
    this.#fdb.clear();
    this.#users.clear();
    this.#bySource.clear();
    this.probation.clear();
  }

  /** Addresses of the held neighbours with this MAC. */
  users(mac: Mac): readonly Ip[] {
    const users = this.#users.get(mac);
    if (users === undefined) return [];
    return typeof users === 'string' ? [users] : [...users];
  }

  /** How many they are, for where they are many. */
  userCount(mac: Mac): number {
    const users = this.#users.get(mac);
    if (users === undefined) return 0;
    return typeof users === 'string' ? 1 : users.size;
  }

  /** The FDB entry that was written from an address's record. */
  fdbFrom(ip: Ip): Mac | undefined {
    return this.#bySource.get(ip);
  }

  remember(mac: Mac, ip: Ip): void {
    const known = this.#addresses.get(mac);
    if (known?.[0] === ip) return;
    this.#addresses.set(mac, [ip, ...(known ?? []).filter((one) => one !== ip)].slice(0, REMEMBERED_PER_MAC));
  }

  /** MACs that an address is known to have used. */
  macsOf(ip: Ip): Mac[] {
    const mac = this.neighbours.get(ip)?.mac ?? this.fdbFrom(ip);
    return mac === undefined ? [] : [mac];
  }

  addressesOf(mac: Mac): readonly Ip[] {
    return this.#addresses.get(mac) ?? [];
  }
}
