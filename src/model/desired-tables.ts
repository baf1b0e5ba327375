import type { Asker, Ip, Mac } from '../base/vocabulary.ts';
import {
  type FdbFacts,
  type HeldFdbEntry,
  type HeldNeighbour,
  type NeighbourFacts,
  type Source,
  type Users,
  isFrom,
  usersIn,
  withUser,
} from './held-entry.ts';
import { KnownMacs } from './known-macs.ts';
import { MOST_PER_MAC, MacHistory } from './mac-history.ts';
import { PortQuotas, UNKNOWN } from './port-quotas.ts';

export type { HeldFdbEntry, HeldNeighbour, Source } from './held-entry.ts';

/**
 * Why an adopted FDB entry is unproven: `upgrade` where the device had no journal, so that a previous release of missd may
 * have written the entry; `found` where there was a journal and it does not list the entry.
 */
export type Doubt = 'upgrade' | 'found';

/**
 * The desired tables of one device: neighbours and FDB entries as missd wants them. Pure memory; entries/install.ts writes
 * the kernel's tables.
 *
 * An entry, as `--max-entries` counts them, is a neighbour with its FDB entry, or an FDB entry that no neighbour needs.
 * There may be hundreds of thousands of entries. Each stays one object and changes in place, and times are whole
 * milliseconds, which V8 stores without a heap object. In a storm each Map of that size costs a miss two cache misses and
 * its share of growing, so there are only two: by address and by MAC.
 */
export class DesiredTables {
  /** In order of `checkedAt`, oldest first. */
  readonly neighbours: ReadonlyMap<Ip, HeldNeighbour>;
  readonly fdb: ReadonlyMap<Mac, HeldFdbEntry>;
  /** FDB entries that no held neighbour needs, in order of `checkedAt`. */
  readonly lone: ReadonlyMap<Mac, HeldFdbEntry>;
  readonly quotas = new PortQuotas();
  /** Neighbours rewritten as STALE to see whether they are used, and since when (monotonic ms); see `reconcile/aging.ts`. */
  readonly staleProbes = new Map<Ip, number>();
  /** Adopted FDB entries that only their record can prove to be missd's, see entries/evidence.ts. Never removed. */
  readonly unproven = new Map<Mac, Doubt>();
  /** Called with each unproven entry that its record proves. */
  onProven: (entry: HeldFdbEntry) => void = () => undefined;
  /** MACs that guests may know for addresses without an entry. */
  readonly known = new KnownMacs();
  readonly #neighbours = new Map<Ip, HeldNeighbour>();
  readonly #fdb = new Map<Mac, HeldFdbEntry>();
  readonly #lone = new Map<Mac, HeldFdbEntry>();
  /** Users of MACs without an FDB entry here: the entry is foreign, or is added a moment later. */
  readonly #unplaced = new Map<Mac, Ip | Set<Ip>>();
  /** FDB entries written from the `ip:` record of an address that has no neighbour here, or another MAC by now. */
  readonly #bySource = new Map<Ip, Mac>();
  readonly #remembered = new MacHistory();

  constructor() {
    this.neighbours = this.#neighbours;
    this.fdb = this.#fdb;
    this.lone = this.#lone;
  }

  /**
   * Holds a neighbour, or holds it anew: it is then the one most lately checked.
   * @param port whose miss it answers, see port-quotas.ts; without one it remains whose it was
   */
  setNeighbour({ ip, mac, source, checkedAt, usedAt }: NeighbourFacts, port?: number): void {
    const held = this.#neighbours.get(ip);
    if (held === undefined) {
      // One literal: V8 stores properties added by a spread apart from the object, for 40 bytes more.
      const made = {
        ip,
        mac,
        source,
        checkedAt: Math.trunc(checkedAt),
        usedAt: Math.trunc(usedAt),
        quota: undefined,
        older: undefined,
        newer: undefined,
      };
      this.#neighbours.set(ip, made);
      if (this.known.size > 0) this.known.hold(ip, mac);
      this.quotas.add(made, port ?? UNKNOWN);
      this.#use(mac, ip);
      return;
    }
    if (held.mac !== mac) {
      const before = held.mac;
      held.mac = mac;
      this.#disuse(before, ip, held.quota?.port ?? UNKNOWN);
      this.#use(mac, ip);
    }
    held.usedAt = Math.trunc(usedAt);
    this.checkNeighbour(held, source, checkedAt);
    if (port !== undefined) this.quotas.renew(held, port);
  }

  /** Notes that a record, perhaps another one than before, was read and confirms the neighbour. */
  checkNeighbour(held: HeldNeighbour, source: Source, at: number): void {
    held.source = source;
    held.checkedAt = Math.trunc(at);
    this.#neighbours.delete(held.ip);
    this.#neighbours.set(held.ip, held);
  }

  deleteNeighbour(ip: Ip): void {
    const held = this.#neighbours.get(ip);
    if (held === undefined) return;
    const port = held.quota?.port ?? UNKNOWN;
    this.#neighbours.delete(ip);
    this.quotas.delete(held);
    this.staleProbes.delete(ip);
    this.known.note(ip, held.mac);
    this.#disuse(held.mac, ip, port);
  }

  /** The same as for neighbours. */
  setFdb({ mac, vtep, router, source, checkedAt, usedAt }: FdbFacts, port?: number): void {
    const held = this.#fdb.get(mac);
    if (held === undefined) {
      const users = this.#unplaced.get(mac);
      const made = {
        mac,
        vtep,
        router,
        source,
        checkedAt: Math.trunc(checkedAt),
        usedAt: Math.trunc(usedAt),
        users,
        quota: undefined,
        older: undefined,
        newer: undefined,
      };
      this.#fdb.set(mac, made);
      if (users === undefined) this.#leave(made, port ?? UNKNOWN);
      else this.#unplaced.delete(mac);
      this.#noteSource(made);
      return;
    }
    held.vtep = vtep;
    held.router = router;
    held.usedAt = Math.trunc(usedAt);
    this.checkFdb(held, source, checkedAt);
    if (port !== undefined && held.quota !== undefined) this.quotas.renew(held, port);
  }

  checkFdb(held: HeldFdbEntry, source: Source, at: number): void {
    this.#follow(held, source);
    held.checkedAt = Math.trunc(at);
    if (source.kind !== 'adopted' && this.unproven.size > 0 && this.unproven.delete(held.mac))
      this.onProven(held);
    if (!this.#lone.delete(held.mac)) return;
    this.#lone.set(held.mac, held);
  }

  deleteFdb(mac: Mac): void {
    const held = this.#fdb.get(mac);
    if (held === undefined) return;
    this.#fdb.delete(mac);
    this.#lone.delete(mac);
    this.unproven.delete(mac);
    this.quotas.delete(held);
    if (held.users !== undefined) this.#unplaced.set(mac, held.users);
    if (this.#bySource.get(held.source.name) === mac) this.#bySource.delete(held.source.name);
  }

  /** Empties the tables; work under way then finds nothing to do. */
  clear(): void {
    this.#neighbours.clear();
    this.#fdb.clear();
    this.#lone.clear();
    this.unproven.clear();
    this.#unplaced.clear();
    this.#bySource.clear();
    this.quotas.clear();
    this.staleProbes.clear();
    this.known.clear();
  }

  /** A guest asks with an address as its own. The MAC of a neighbour here counts more, since other guests know that one. */
  heardAsker({ ip, lladdr, port }: Asker): void {
    this.known.heard(ip, this.#neighbours.get(ip)?.mac ?? lladdr, port);
  }

  /** The MAC that guests may know for an address. */
  knownMac(ip: Ip): Mac | undefined {
    return this.#neighbours.get(ip)?.mac ?? this.known.of(ip)?.mac;
  }

  /** Addresses of the held neighbours with this MAC. */
  users(mac: Mac): readonly Ip[] {
    return [...usersIn(this.#usersOf(mac))];
  }

  /** The number of `users`, without a copy of them. */
  userCount(mac: Mac): number {
    const users = this.#usersOf(mac);
    return typeof users === 'object' ? users.size : users === undefined ? 0 : 1;
  }

  /** The FDB entry that was written from an address's record. */
  fdbFrom(ip: Ip): Mac | undefined {
    const past = this.#bySource.get(ip);
    if (past !== undefined) return past;
    const own = this.#fdb.get(this.#neighbours.get(ip)?.mac ?? '');
    return own !== undefined && isFrom(own, ip) ? own.mac : undefined;
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
    const users = this.#usersOf(mac);
    const past = this.#remembered.of(mac);
    if (users === undefined) return past;
    const known = new Set<Ip>();
    for (const ip of usersIn(users)) {
      if (known.size >= MOST_PER_MAC) break;
      known.add(ip);
    }
    for (const ip of past) known.add(ip);
    return [...known].slice(0, MOST_PER_MAC);
  }

  #usersOf(mac: Mac): Users {
    const held = this.#fdb.get(mac);
    return held === undefined ? this.#unplaced.get(mac) : held.users;
  }

  #follow(held: HeldFdbEntry, source: Source): void {
    const { source: before, mac } = held;
    held.source = source;
    if (before.kind === source.kind && before.name === source.name) return;
    if (this.#bySource.get(before.name) === mac) this.#bySource.delete(before.name);
    this.#noteSource(held);
  }

  /** A neighbour leads to the entry of its own MAC; other entries from the same record are noted here. */
  #noteSource({ mac, source }: HeldFdbEntry): void {
    if (source.kind === 'ip' && this.#neighbours.get(source.name)?.mac !== mac)
      this.#bySource.set(source.name, mac);
  }

  /** Counts the FDB entry as an entry of its own once no neighbour needs it, in the quota of the last neighbour's port. */
  #leave(held: HeldFdbEntry, port: number): void {
    this.#lone.set(held.mac, held);
    this.quotas.add(held, port);
  }

  #use(mac: Mac, ip: Ip): void {
    const fdb = this.#fdb.get(mac);
    if (fdb === undefined) {
      this.#unplaced.set(mac, withUser(this.#unplaced.get(mac), ip));
      return;
    }
    fdb.users = withUser(fdb.users, ip);
    if (this.#lone.delete(mac)) this.quotas.delete(fdb);
  }

  #disuse(mac: Mac, ip: Ip, port: number): void {
    this.remember(mac, ip);
    const fdb = this.#fdb.get(mac);
    if (fdb !== undefined && isFrom(fdb, ip)) this.#bySource.set(ip, mac);
    const users = this.#usersOf(mac);
    if (typeof users === 'object' && users.size > 1) users.delete(ip);
    else if (fdb === undefined) this.#unplaced.delete(mac);
    else {
      fdb.users = undefined;
      this.#leave(fdb, port);
    }
  }
}
