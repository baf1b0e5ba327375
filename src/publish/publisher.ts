/**
 * Publishes the guests of this host in one VNI. Each guest that may differ from its records waits in `#due`; a round compares
 * the guest as it is with what was published, and one script writes the difference.
 *
 *  1 guests' changes$          heard, known to the bridge, gone: due
 *  2 held$ of the lease        taken (again): every guest is due
 *  3 onChange                  a record that this host published was changed by others: read, and due where it differs
 *  4 round                     publish, move or withdraw
 *  5 guest-moves.ts            another host has a MAC: taken from it, or left to it
 *  6 claims.ts                 another MAC has an address
 */
import { type Observable, filter, map, merge } from 'rxjs';
import { type Faults, attempt } from '../base/guarded-lane.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Directory, DirectoryChange } from '../directory/directory.ts';
import type { OwnerMessage, Ownership } from '../directory/ownership.ts';
import { Adopted } from './adopted.ts';
import { Claims, type ClaimsDeps } from './claims.ts';
import { DueGuests } from './due-guests.ts';
import { type Done, GuestMoves } from './guest-moves.ts';
import type { GuestNews, Guests } from './guests.ts';
import type { HostLease } from './host-lease.ts';
import { PublishedGuests, type AddressState } from './published-guests.ts';
import type { Settled } from './settled.ts';
import { RecordCheck } from './record-check.ts';

/** Until a guest that could not be published is tried again, ms. */
const AGAIN = 5_000;
/** What a directory has lost is put back within a second, and not by all hosts in step, ms. */
const SOON = 500;

/**
 * How long a MAC that came from another host keeps its addresses against other MACs, whether it answers or not, ms: as long as
 * moves are counted. A guest that forges another's MAC and claims the address by its own MAC would get the address otherwise.
 */
const CONTESTED = 180_000;

export interface PublisherDeps extends ClaimsDeps {
  ownership: Pick<Ownership, 'publish' | 'move' | 'withdraw' | 'owned' | 'owner' | 'tell'>;
  directory: Pick<Directory, 'read'>;
  settled: Settled;
  faults: Faults;
  /** From 0 to 1. */
  random?: () => number;
  /** How long a guest of an earlier process may be silent, ms. */
  silence?: number;
}

export class Publisher {
  readonly published = new PublishedGuests();
  readonly claims: Claims;
  /** MACs of this host that moved too often, and the host that keeps them. */
  readonly frozen = new Map<Mac, string>();
  readonly #lease: HostLease;
  readonly #guests: Guests;
  readonly #deps: PublisherDeps;
  readonly #adopted: Adopted;
  readonly #check: RecordCheck;
  /** Guests that may differ from their records. */
  readonly #due: DueGuests;
  readonly #moves: GuestMoves;
  /** When MACs that are published here came from another host, monotonic ms. */
  readonly #tookAt = new Map<Mac, number>();
  #adopting = true;

  constructor(lease: HostLease, guests: Guests, deps: PublisherDeps) {
    this.#lease = lease;
    this.#guests = guests;
    this.#deps = deps;
    this.#adopted = new Adopted(guests, deps.now, deps.silence);
    this.#check = new RecordCheck(lease, this.published, deps, (mac) => {
      this.#due.add(mac, false);
    });
    const round = {
      ready: () => lease.held !== undefined,
      prepare: () => this.#adopt(),
      look: (mac: Mac, heard: boolean) => this.#sync(mac, heard),
    };
    this.#due = new DueGuests(lease.vni, round, deps);
    this.#moves = new GuestMoves(lease.vni, guests, deps, {
      attempt: (work) => this.#due.failed(work),
      done: (mac, ips, result, heard) => {
        this.#tookAt.set(mac, deps.now());
        return this.#note(mac, ips, result, heard);
      },
      lease: () => {
        this.#withoutLease();
      },
      frozen: (mac, host) => {
        this.#frozen(mac, host);
      },
      again: (mac, heard) => {
        this.#due.add(mac, heard);
      },
      later: (mac) => {
        this.#due.later(mac, 0);
      },
      gone: (mac) => this.#leave(mac),
    });
    const claimed = {
      answers: (mac: Mac, ip: Ip) => this.#answers(mac, ip),
      giveUp: (mac: Mac, ip: Ip) => this.#giveUp(mac, ip),
      released: (mac: Mac) => {
        this.#due.add(mac, true);
      },
    };
    this.claims = new Claims(lease.vni, lease.id, claimed, deps);
  }

  /** All work; never ends with an error. */
  work$(): Observable<unknown> {
    const { faults } = this.#deps;
    const heard$ = this.#guests.changes$.pipe(
      map((news) => {
        attempt('publish', () => this.#onNews(news), faults);
      }),
    );
    const held$ = this.#lease.held$.pipe(
      filter((host) => host !== undefined),
      map(() => attempt('publish', () => this.renewAll(), faults)),
    );
    return merge(this.#due.work$(), heard$, held$, this.#check.work$());
  }

  /** A change of the directory's. */
  onChange(change: DirectoryChange): void {
    if (change.type === 'records') this.#check.heard(change.keys);
    else if (change.type === 'gap' || change.type === 'flushed') this.renewAll(SOON);
  }

  onMessage(message: OwnerMessage): void {
    this.claims.onMessage(message);
  }

  /** The directory answers again. */
  resume(): void {
    this.#due.kick();
  }

  /** Compares every guest with its records, at a random time within so many ms. */
  renewAll(within = 0): void {
    const known = [...this.#guests.known()].map(({ mac }) => mac);
    this.#due.addAll([...known, ...this.published.macs()], within);
  }

  /** Called every second. */
  tick(): void {
    for (const mac of this.#adopted.tick()) this.#due.add(mac, false);
    this.#due.tick();
  }

  /** Withdraws everything: the host leaves the network. Never rejects. @returns whether the directory did not answer */
  withdrawAll(): Promise<boolean> {
    return this.#due.failed(async () => {
      const host = this.#lease.held;
      if (host === undefined) return;
      for (const mac of [...this.published.macs()]) {
        await this.#deps.ownership.withdraw(this.#lease.vni, host, mac);
        this.published.delete(mac);
      }
    });
  }

  #onNews(news: GuestNews): void {
    const { mac } = news;
    if (news.type === 'gone' || !this.#isPublished(mac))
      this.#due.add(mac, news.type === 'seen' && news.announced);
  }

  /** Whether a guest is published with all it has, and nothing says that this has changed. */
  #isPublished(mac: Mac): boolean {
    if (this.#due.has(mac) || this.#check.concerns(mac) || this.#moves.isAsking(mac)) return false;
    const states = this.published.get(mac);
    const guest = this.#guests.get(mac);
    if (states === undefined || guest === undefined) return false;
    for (const ip of guest.ips.keys()) if (states.get(ip) !== 'ok') return false;
    return true;
  }

  /** @throws DirectoryError */
  async #adopt(): Promise<void> {
    const host = this.#lease.held;
    if (!this.#adopting || host === undefined) return;
    const owned = await this.#deps.ownership.owned(this.#lease.vni, host.id);
    this.#adopting = false;
    this.#adopted.adopt(owned);
    for (const { mac, ips } of owned)
      this.published.set(mac, new Map(ips.map((ip) => [ip, 'unknown'] as const)));
    this.renewAll();
  }

  /** The addresses of a guest, heard or adopted; undefined where it is not here. */
  #wanted(mac: Mac): Ip[] | undefined {
    const guest = this.#guests.get(mac);
    const adopted = this.#adopted.of(mac);
    if (guest === undefined && adopted === undefined) return undefined;
    return [...new Set([...(guest?.ips.keys() ?? []), ...(adopted ?? [])])];
  }

  /** @throws DirectoryError */
  async #sync(mac: Mac, heard: boolean): Promise<void> {
    const { ownership, counters, settled } = this.#deps;
    const { vni, length, held: host } = this.#lease;
    if (host === undefined) return;
    const ips = this.#wanted(mac);
    if (ips === undefined) {
      this.frozen.delete(mac);
      if (!this.published.has(mac)) return;
      counters.publications.withdrawn += await ownership.withdraw(vni, host, mac);
      this.#drop(mac);
      return;
    }
    const guest = { mac, ips, kind: 'learned' as const };
    const result = await ownership.publish(vni, host, guest, settled.soFar(length));
    if (result.outcome !== 'frozen') this.frozen.delete(mac);
    if (result.outcome === 'ok') await this.#note(mac, ips, result, heard);
    else if (result.outcome === 'lease') this.#withoutLease();
    else if (result.outcome === 'frozen') this.#frozen(mac, result.host);
    else if (heard) await this.#moves.take(host, mac, ips, result, 'here');
    else this.#moves.defend(host, mac, ips, result);
  }

  /** @throws DirectoryError */
  async #note(mac: Mac, ips: readonly Ip[], result: Done, heard: boolean): Promise<void> {
    const { ownership, counters } = this.#deps;
    const before = new Map(this.published.get(mac));
    const fewer = [...before.keys()].filter((ip) => !ips.includes(ip));
    const host = this.#lease.held;
    // What was published is known until it is withdrawn: where this fails, the next look withdraws it.
    if (fewer.length > 0 && host !== undefined)
      counters.publications.withdrawn += await ownership.withdraw(this.#lease.vni, host, mac, fewer);
    for (const ip of fewer) this.claims.close(mac, ip);
    const states = new Map(result.addresses.map(({ ip, outcome }) => [ip, outcome]));
    this.published.set(mac, new Map<Ip, AddressState>(ips.map((ip) => [ip, states.get(ip) ?? 'unknown'])));
    if (result.changed) {
      const known = before.size > 0 && ips.every((ip) => before.get(ip) === 'ok');
      counters.publications[known ? 'restored' : 'published']++;
    }
    for (const address of result.addresses) {
      const { ip } = address;
      const isNew = before.get(ip) !== address.outcome;
      if (address.outcome === 'duplicate' || address.outcome === 'ended') {
        this.#due.later(mac, AGAIN);
        if (address.outcome === 'ended') continue;
        if (isNew) counters.notPublished.duplicate++;
        await this.claims.send(mac, ip, address.mac, address.host, heard);
      } else if (address.outcome === 'ok') this.claims.close(mac, ip);
      else if (isNew) this.#leaveManual(mac, ip);
    }
  }

  #leaveManual(mac: Mac, ip: Ip): void {
    const { counters, complaints } = this.#deps;
    counters.notPublished.manual++;
    complaints.warn(
      `VNI ${this.#lease.vni}: a record was written by hand and is left as it is`,
      `${ip}, which the guest ${mac} has here`,
    );
  }

  #withoutLease(): void {
    this.#deps.counters.notPublished.lease++;
    // Every guest is due again when it is taken.
    this.#lease.check();
  }

  #frozen(mac: Mac, host: string): void {
    const { counters, complaints } = this.#deps;
    counters.notPublished.frozen++;
    this.frozen.set(mac, host);
    this.#due.later(mac, AGAIN);
    complaints.warn(
      `VNI ${this.#lease.vni}: a MAC that is here moved more than five times in 180 s and stays with its first host`,
      `${mac} on host ${host}`,
      { apart: mac },
    );
  }

  /** The guest is another host's. @returns whether it was published here */
  #leave(mac: Mac): boolean {
    const wasHere = this.published.has(mac);
    this.#guests.forget(mac);
    this.#drop(mac);
    return wasHere;
  }

  #drop(mac: Mac): void {
    this.#tookAt.delete(mac);
    for (const ip of this.published.get(mac)?.keys() ?? []) this.claims.close(mac, ip);
    this.#adopted.forget(mac);
    this.published.delete(mac);
    this.#due.forget(mac);
  }

  #answers(mac: Mac, ip: Ip): Promise<boolean> {
    if (this.published.get(mac)?.has(ip) !== true) return Promise.resolve(false);
    if (this.#deps.now() - (this.#tookAt.get(mac) ?? -Infinity) < CONTESTED) return Promise.resolve(true);
    return this.#guests.probe(mac, ip);
  }

  /** @throws DirectoryError */
  async #giveUp(mac: Mac, ip: Ip): Promise<void> {
    const { ownership, counters } = this.#deps;
    const host = this.#lease.held;
    if (host === undefined) return;
    // Before the withdrawal, so that a round under way does not publish it again.
    this.#guests.forget(mac, [ip]);
    this.#adopted.forget(mac, [ip]);
    counters.publications.withdrawn += await ownership.withdraw(this.#lease.vni, host, mac, [ip]);
    this.published.delete(mac, ip);
  }
}
