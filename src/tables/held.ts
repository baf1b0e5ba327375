import type { Ip, Mac } from '../vocabulary.ts';
import { MOST_PER_MAC, RememberedAddresses } from './remembered.ts';
import { type Member, Shares, UNKNOWN } from './shares.ts';

/** The record an entry was written from; `adopted` entries were found in the kernel and wait for their record to be read. */
export interface Source {
  kind: 'ip' | 'mac' | 'lease' | 'adopted';
  /** The record's address, or the lease's CIDR. */
  name: string;
}

interface Facts {
  source: Source;
  /** When its record was last read, monotonic ms. */
  checkedAt: number;
  /** When it was last seen to be wanted: a miss, or another sign of use. Monotonic ms. */
  usedAt: number;
}

interface NeighbourFacts extends Facts {
  ip: Ip;
  mac: Mac;
}

interface FdbFacts extends Facts {
  mac: Mac;
  vtep: Ip;
  router: boolean;
}

/** A neighbour that missd wrote and answers for. */
export type HeldNeighbour = NeighbourFacts & Member;

/** An FDB entry that missd wrote and answers for. In a share only while no held neighbour needs it. */
export type HeldFdbEntry = FdbFacts & Member;

/**
 * What missd holds on one device: the tables as they should be. Pure memory; `install.ts` keeps the kernel in step.
 *
 * An entry, as `--max-entries` counts them, is a neighbour with its FDB entry, or an FDB entry that no neighbour needs.
 * There may be hundreds of thousands: what is held stays one object and changes in place, and times are whole
 * milliseconds, which V8 keeps without a box of their own.
 */
export class HeldTables {
  /** In order of `checkedAt`, the longest unread first. */
  readonly neighbours: ReadonlyMap<Ip, HeldNeighbour>;
  readonly fdb: ReadonlyMap<Mac, HeldFdbEntry>;
  /** FDB entries that no held neighbour needs, in order of `checkedAt`. */
  readonly lone: ReadonlyMap<Mac, HeldFdbEntry>;
  readonly shares = new Shares();
  /** Neighbours rewritten as STALE to see whether they are used, and since when (monotonic ms); see `keep/idle.ts`. */
  readonly probation = new Map<Ip, number>();
  readonly #neighbours = new Map<Ip, HeldNeighbour>();
  readonly #fdb = new Map<Mac, HeldFdbEntry>();
  readonly #lone = new Map<Mac, HeldFdbEntry>();
  /** Held neighbours that need an FDB entry. Mostly one, which then costs no Set. */
  readonly #users = new Map<Mac, Ip | Set<Ip>>();
  /** FDB entries written from an `ip:` record, by that address. */
  readonly #bySource = new Map<Ip, Mac>();
  readonly #remembered = new RememberedAddresses();

  constructor() {
    this.neighbours = this.#neighbours;
    this.fdb = this.#fdb;
    this.lone = this.#lone;
  }

  /**
   * Holds a neighbour, or holds it anew: it is then the one most lately checked.
   * @param port whose miss it answers, see shares.ts; without one it remains whose it was
   */
  setNeighbour({ ip, mac, source, checkedAt, usedAt }: NeighbourFacts, port?: number): void {
    const held = this.#neighbours.get(ip);
    if (held === undefined) {
      const links = { share: undefined, older: undefined, newer: undefined };
      const made = {
        ip,
        mac,
        source,
        checkedAt: Math.trunc(checkedAt),
        usedAt: Math.trunc(usedAt),
        ...links,
      };
      this.#neighbours.set(ip, made);
      this.shares.add(made, port ?? UNKNOWN);
      this.#use(mac, ip);
      return;
    }
    if (held.mac !== mac) {
      const before = held.mac;
      held.mac = mac;
      this.#disuse(before, ip, held.share?.port ?? UNKNOWN);
      this.#use(mac, ip);
    }
    held.usedAt = Math.trunc(usedAt);
    this.checkNeighbour(held, source, checkedAt);
    if (port !== undefined) this.shares.renew(held, port);
  }

  /** Its record was read and says the same, be it another record than before. */
  checkNeighbour(held: HeldNeighbour, source: Source, at: number): void {
    held.source = source;
    held.checkedAt = Math.trunc(at);
    this.#neighbours.delete(held.ip);
    this.#neighbours.set(held.ip, held);
  }

  deleteNeighbour(ip: Ip): void {
    const held = this.#neighbours.get(ip);
    if (held === undefined) return;
    const port = held.share?.port ?? UNKNOWN;
    this.#neighbours.delete(ip);
    this.shares.delete(held);
    this.probation.delete(ip);
    this.#disuse(held.mac, ip, port);
  }

  /** The same as for neighbours. */
  setFdb({ mac, vtep, router, source, checkedAt, usedAt }: FdbFacts, port?: number): void {
    const held = this.#fdb.get(mac);
    if (held === undefined) {
      const links = { share: undefined, older: undefined, newer: undefined };
      const times = { checkedAt: Math.trunc(checkedAt), usedAt: Math.trunc(usedAt) };
      const made = { mac, vtep, router, source, ...times, ...links };
      this.#fdb.set(mac, made);
      if (!this.#users.has(mac)) this.#leave(made, port ?? UNKNOWN);
      if (source.kind === 'ip') this.#bySource.set(source.name, mac);
      return;
    }
    held.vtep = vtep;
    held.router = router;
    held.usedAt = Math.trunc(usedAt);
    this.checkFdb(held, source, checkedAt);
    if (port !== undefined && held.share !== undefined) this.shares.renew(held, port);
  }

  checkFdb(held: HeldFdbEntry, source: Source, at: number): void {
    this.#follow(held, source);
    held.checkedAt = Math.trunc(at);
    if (!this.#lone.delete(held.mac)) return;
    this.#lone.set(held.mac, held);
  }

  deleteFdb(mac: Mac): void {
    const held = this.#fdb.get(mac);
    if (held === undefined) return;
    this.#fdb.delete(mac);
    this.#lone.delete(mac);
    this.shares.delete(held);
    if (this.#bySource.get(held.source.name) === mac) this.#bySource.delete(held.source.name);
  }

  /** Holds nothing any more: whatever is still under way finds nothing to do. */
  clear(): void {
    this.#neighbours.clear();
    this.#fdb.clear();
    this.#lone.clear();
    this.#users.clear();
    this.#bySource.clear();
    this.shares.clear();
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
    this.#remembered.add(mac, ip);
  }

  /** MACs that an address is known to have used. */
  macsOf(ip: Ip): Mac[] {
    const mac = this.neighbours.get(ip)?.mac ?? this.fdbFrom(ip);
    return mac === undefined ? [] : [mac];
  }

  /** Some of the addresses known to use a MAC: of held neighbours, and of those held before. */
  addressesOf(mac: Mac): readonly Ip[] {
    const users = this.#users.get(mac);
    const past = this.#remembered.of(mac);
    if (users === undefined) return past;
    const known = new Set<Ip>();
    for (const ip of typeof users === 'string' ? [users] : users) {
      if (known.size >= MOST_PER_MAC) break;
      known.add(ip);
    }
    for (const ip of past) known.add(ip);
    return [...known].slice(0, MOST_PER_MAC);
  }

  #follow(held: HeldFdbEntry, source: Source): void {
    const { source: before, mac } = held;
    held.source = source;
    if (before.kind === source.kind && before.name === source.name) return;
    if (this.#bySource.get(before.name) === mac) this.#bySource.delete(before.name);
    if (source.kind === 'ip') this.#bySource.set(source.name, mac);
  }

  /** No neighbour needs it: it is an entry of its own, of whoever had the last one. */
  #leave(held: HeldFdbEntry, port: number): void {
    this.#lone.set(held.mac, held);
    this.shares.add(held, port);
  }

  #use(mac: Mac, ip: Ip): void {
    const users = this.#users.get(mac);
    if (typeof users === 'object') users.add(ip);
    else if (users !== undefined) this.#users.set(mac, new Set([users, ip]));
    else {
      this.#users.set(mac, ip);
      const fdb = this.#lone.get(mac);
      if (fdb === undefined) return;
      this.#lone.delete(mac);
      this.shares.delete(fdb);
    }
  }

  #disuse(mac: Mac, ip: Ip, port: number): void {
    this.remember(mac, ip);
    const users = this.#users.get(mac);
    if (typeof users === 'object' && users.size > 1) {
      users.delete(ip);
      return;
    }
    this.#users.delete(mac);
    const fdb = this.#fdb.get(mac);
    if (fdb !== undefined) this.#leave(fdb, port);
  }
}
