/**
 * Publishes the guests of this host in one VNI. Each guest that may differ from its records waits in `#due`; a round compares
 * the guest as it is with what was published, and one script writes the difference.
 *
 *  1 guests' changes$          heard, known to the bridge, gone: due
 *  2 held$ of the lease        taken (again): every guest is due
 *  3 onChange                  a record that this host published was changed by others: read, and due where it differs
 *  4 round                     publish, move or withdraw
 *  5 defend                    another host has taken a MAC: taken back if the guest still answers here
 *  6 claims.ts                 another MAC has an address
 */
import { type Observable, Subject, concatMap, filter, from, map, merge, switchMap, timer } from 'rxjs';
import { type Faults, attempt } from '../base/guarded-lane.ts';
import { reasonOf } from '../base/errors.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import { type Directory, type DirectoryChange, DirectoryError } from '../directory/directory.ts';
import type { HostIdentity, Moved, OwnerMessage, Ownership, Published } from '../directory/ownership.ts';
import { Adopted } from './adopted.ts';
import { Claims, type ClaimsDeps } from './claims.ts';
import type { Guests } from './guests.ts';
import type { HostLease } from './host-lease.ts';
import { PublishedGuests, type AddressState } from './published-guests.ts';
import type { Settled } from './settled.ts';
import { RecordCheck } from './record-check.ts';

/** Guests in one round: so many scripts wait at the server, a millisecond of its time. */
const ROUND = 32;
/** Guests that wait: many times those of a host. */
const MOST_DUE = 65_536;
/** Until the directory is asked again that did not answer, ms. */
const PAUSE = 500;
/** Until a guest that could not be published is tried again, ms. */
const AGAIN = 5_000;
/** What a directory has lost is put back within a second, and not by all hosts in step, ms. */
const SOON = 500;
/** MACs defended at once; each may take three probes of four addresses. */
const MOST_DEFENDED = 64;
const MOST_PROBED = 4;

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

type Done = Extract<Published, { outcome: 'ok' }>;

export class Publisher {
  readonly published = new PublishedGuests();
  readonly claims: Claims;
  readonly #lease: HostLease;
  readonly #guests: Guests;
  readonly #deps: PublisherDeps;
  readonly #adopted: Adopted;
  readonly #check: RecordCheck;
  /** Guests that may differ from their records; whether they were heard here since. */
  readonly #due = new Map<Mac, boolean>();
  readonly #kick$ = new Subject<number>();
  readonly #again = new Map<Mac, number>();
  readonly #defending = new Set<Mac>();
  #adopting = true;

  constructor(lease: HostLease, guests: Guests, deps: PublisherDeps) {
    this.#lease = lease;
    this.#guests = guests;
    this.#deps = deps;
    this.#adopted = new Adopted(guests, deps.now, deps.silence);
    this.#check = new RecordCheck(lease, this.published, deps, (mac) => {
      this.#enqueue(mac, false);
    });
    const claimed = {
      answers: (mac: Mac, ip: Ip) => this.#answers(mac, ip),
      giveUp: (mac: Mac, ip: Ip) => this.#giveUp(mac, ip),
      released: (mac: Mac) => {
        this.#enqueue(mac, true);
      },
    };
    this.claims = new Claims(lease.vni, lease.id, claimed, deps);
  }

  /** All work; never ends with an error. */
  work$(): Observable<unknown> {
    const { faults } = this.#deps;
    const rounds$ = this.#kick$.pipe(
      switchMap((delay) => timer(delay)),
      concatMap(() => from(this.#rounds())),
    );
    const heard$ = this.#guests.changes$.pipe(
      map((news) =>
        attempt('publish', () => this.#enqueue(news.mac, news.type === 'seen' && news.announced), faults),
      ),
    );
    const held$ = this.#lease.held$.pipe(
      filter((host) => host !== undefined),
      map(() => attempt('publish', () => this.renewAll(), faults)),
    );
    return merge(rounds$, heard$, held$, this.#check.work$());
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
    this.#kick$.next(0);
  }

  /** Compares every guest with its records, at a random time within so many ms. */
  renewAll(within = 0): void {
    for (const { mac } of this.#guests.known()) this.#enqueue(mac, false, false);
    for (const mac of this.published.macs()) this.#enqueue(mac, false, false);
    this.#kick$.next(within * (this.#deps.random ?? Math.random)());
  }

  /** Called every second. */
  tick(): void {
    for (const mac of this.#adopted.tick()) this.#enqueue(mac, false);
    const now = this.#deps.now();
    for (const [mac, at] of this.#again) {
      if (at > now) continue;
      this.#again.delete(mac);
      this.#enqueue(mac, false);
    }
  }

  /** Withdraws everything: the host leaves the network. Never rejects. @returns whether the directory did not answer */
  withdrawAll(): Promise<boolean> {
    return this.#failed(async () => {
      const host = this.#lease.held;
      if (host === undefined) return;
      for (const mac of [...this.published.macs()]) {
        await this.#deps.ownership.withdraw(this.#lease.vni, host, mac);
        this.published.delete(mac);
      }
    });
  }

  #enqueue(mac: Mac, heard: boolean, kick = true): void {
    if (this.#due.size >= MOST_DUE && !this.#due.has(mac)) {
      this.#deps.faults.overflown('publish', 1);
      return;
    }
    this.#due.set(mac, heard || this.#due.get(mac) === true);
    if (kick && this.#due.size === 1) this.#kick$.next(0);
  }

  /** @throws DirectoryError */
  async #adopt({ id }: HostIdentity): Promise<void> {
    const owned = await this.#deps.ownership.owned(this.#lease.vni, id);
    this.#adopting = false;
    this.#adopted.adopt(owned);
    for (const { mac, ips } of owned)
      this.published.set(mac, new Map(ips.map((ip) => [ip, 'unknown'] as const)));
    this.renewAll();
  }

  /** Never rejects. */
  async #rounds(): Promise<void> {
    const host = this.#lease.held;
    if (this.#adopting && host !== undefined && (await this.#failed(() => this.#adopt(host)))) {
      this.#pause();
      return;
    }
    while (this.#due.size > 0 && this.#lease.held !== undefined) {
      const round = [...take(this.#due, ROUND)];
      for (const [mac] of round) this.#due.delete(mac);
      const failed = await Promise.all(round.map(([mac, heard]) => this.#attempt(mac, heard)));
      if (!failed.includes(true)) continue;
      this.#pause();
      return;
    }
  }

  #pause(): void {
    this.#kick$.next(PAUSE * (0.5 + (this.#deps.random ?? Math.random)() / 2));
  }

  /** Never rejects. @returns whether the directory did not answer */
  async #attempt(mac: Mac, heard: boolean): Promise<boolean> {
    const failed = await this.#failed(() => this.#sync(mac, heard));
    if (failed) this.#due.set(mac, heard || this.#due.get(mac) === true);
    return failed;
  }

  /** Never rejects. @returns whether the directory did not answer */
  async #failed(work: () => Promise<void>): Promise<boolean> {
    const { faults, complaints } = this.#deps;
    try {
      await work();
      return false;
    } catch (error) {
      if (error instanceof DirectoryError) {
        complaints.warn(`VNI ${this.#lease.vni}: guests cannot be published`, reasonOf(error));
        return true;
      }
      faults.broken('publish', error);
      return false;
    }
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
      if (!this.published.has(mac)) return;
      counters.publications.withdrawn += await ownership.withdraw(vni, host, mac);
      this.#drop(mac);
      return;
    }
    const guest = { mac, ips, kind: 'learned' as const };
    const result = await ownership.publish(vni, host, guest, settled.soFar(length));
    if (result.outcome === 'ok') await this.#note(mac, ips, result, heard);
    else if (result.outcome === 'lease') this.#withoutLease();
    else if (result.outcome === 'frozen') this.#frozen(mac, result.host);
    else if (heard) await this.#take(host, mac, ips, result, 'here');
    else this.#defend(host, mac, ips, result);
  }

  /** @throws DirectoryError */
  async #note(mac: Mac, ips: readonly Ip[], result: Done, heard: boolean): Promise<void> {
    const { ownership, counters } = this.#deps;
    const before = this.published.get(mac);
    const states = new Map(result.addresses.map(({ ip, outcome }) => [ip, outcome]));
    this.published.set(mac, new Map<Ip, AddressState>(ips.map((ip) => [ip, states.get(ip) ?? 'unknown'])));
    if (result.changed) {
      const known = before !== undefined && ips.every((ip) => before.get(ip) === 'ok');
      counters.publications[known ? 'restored' : 'published']++;
    }
    const fewer = [...(before?.keys() ?? [])].filter((ip) => !ips.includes(ip));
    for (const ip of fewer) this.claims.close(mac, ip);
    const host = this.#lease.held;
    if (fewer.length > 0 && host !== undefined)
      counters.publications.withdrawn += await ownership.withdraw(this.#lease.vni, host, mac, fewer);
    for (const address of result.addresses) {
      const { ip } = address;
      const isNew = before?.get(ip) !== address.outcome;
      if (address.outcome === 'duplicate' || address.outcome === 'ended') {
        this.#again.set(mac, this.#deps.now() + AGAIN);
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
    const { counters, complaints, now } = this.#deps;
    counters.notPublished.frozen++;
    this.#again.set(mac, now() + AGAIN);
    complaints.warn(
      `VNI ${this.#lease.vni}: a MAC that is here moved more than five times in 180 s and stays with its first host`,
      `${mac} on host ${host}`,
      { apart: mac },
    );
  }

  /** @throws DirectoryError */
  async #take(
    host: HostIdentity,
    mac: Mac,
    ips: readonly Ip[],
    from: { host: string; epoch: number },
    how: 'here' | 'back',
  ): Promise<void> {
    const { ownership, counters, log } = this.#deps;
    const { vni } = this.#lease;
    const result: Moved = await ownership.move(vni, host, { mac, ips, kind: 'learned' }, from.epoch);
    if (result.outcome === 'ok') {
      counters.moves[how]++;
      const why = how === 'back' ? ' back: it answers here' : '';
      log.info(
        `VNI ${vni}: guest ${mac} has moved here from host ${from.host}${why} (epoch ${result.epoch})`,
      );
      await this.#note(mac, ips, result, how === 'here');
    } else if (result.outcome === 'lease') this.#withoutLease();
    else if (result.outcome === 'frozen') this.#frozen(mac, result.host);
    else this.#enqueue(mac, how === 'here');
  }

  /** Another host has a MAC that was here. The guest is asked apart, because that takes its time. */
  #defend(host: HostIdentity, mac: Mac, ips: readonly Ip[], by: { host: string; epoch: number }): void {
    const { faults } = this.#deps;
    if (this.#defending.has(mac)) return;
    if (this.#defending.size >= MOST_DEFENDED) {
      faults.overflown('publish', 1);
      this.#again.set(mac, this.#deps.now());
      return;
    }
    this.#defending.add(mac);
    void this.#failed(() => this.#askAndTake(host, mac, ips, by)).then((failed) => {
      this.#defending.delete(mac);
      if (failed) this.#again.set(mac, this.#deps.now());
    });
  }

  async #askAndTake(
    host: HostIdentity,
    mac: Mac,
    ips: readonly Ip[],
    by: { host: string; epoch: number },
  ): Promise<void> {
    const { ownership, counters, log } = this.#deps;
    const { vni } = this.#lease;
    const theirs = (await ownership.owner(vni, mac))?.ips ?? [];
    const asked = [...new Set([...ips, ...theirs])].slice(0, MOST_PROBED);
    const answers = await Promise.all(asked.map((ip) => this.#guests.probe(mac, ip)));
    if (answers.includes(true)) {
      await this.#take(host, mac, ips, by, 'back');
      return;
    }
    const wasHere = this.published.has(mac);
    this.#guests.forget(mac);
    this.#drop(mac);
    if (!wasHere) return;
    counters.moves.away++;
    log.info(`VNI ${vni}: guest ${mac} has moved to host ${by.host}`);
  }

  #drop(mac: Mac): void {
    for (const ip of this.published.get(mac)?.keys() ?? []) this.claims.close(mac, ip);
    this.#adopted.forget(mac);
    this.published.delete(mac);
    this.#again.delete(mac);
  }

  #answers(mac: Mac, ip: Ip): Promise<boolean> {
    return this.published.get(mac)?.has(ip) === true ? this.#guests.probe(mac, ip) : Promise.resolve(false);
  }

  /** @throws DirectoryError */
  async #giveUp(mac: Mac, ip: Ip): Promise<void> {
    const { ownership, counters } = this.#deps;
    const host = this.#lease.held;
    if (host === undefined) return;
    // Before the withdrawal, so that a round under way does not publish it again.
    this.#guests.forget(mac, [ip]);
    this.#adopted.forget(mac, [ip]);
    this.published.delete(mac, ip);
    counters.publications.withdrawn += await ownership.withdraw(this.#lease.vni, host, mac, [ip]);
  }
}

function* take<T>(items: Iterable<T>, most: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === most) return;
    yield item;
  }
}
