/**
 * Keeps what the directory has of a network that this host has joined: the network's record, and in a routed network this
 * host's prefix.
 *
 *  1 acquire    the prefix, once the host lease is held
 *  2 round      restores the record, publishes the prefix: when the lease is taken, when the directory reports a change or a
 *               gap, and with every renewal of the lease
 *  3 yield      another host had the prefix earlier: this host acquires another one
 */
import {
  EMPTY,
  type Observable,
  Subject,
  concatMap,
  filter,
  firstValueFrom,
  from,
  map,
  merge,
  switchMap,
  timeout,
  timer,
} from 'rxjs';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Mac } from '../base/vocabulary.ts';
import { type Directory, type DirectoryChange, DirectoryError } from '../directory/directory.ts';
import type { Network } from '../directory/network.ts';
import type { HostIdentity } from '../directory/ownership.ts';
import { NoPrefixLeft, type PrefixPublished } from '../directory/prefixes.ts';
import type { NetworkCounters } from './network-counters.ts';

/** The host lease, as far as it matters here. */
export interface HeldLease {
  readonly id: string;
  /** ms. */
  readonly length: number;
  readonly held: HostIdentity | undefined;
  /** Replays; emits each time that the lease is taken. */
  readonly held$: Observable<HostIdentity | undefined>;
  /** ms until it ends unless it is renewed. */
  readonly remaining: number;
  /** Renews now. */
  check(): void;
}

/** What is published: the prefix, and the MAC of the VXLAN device. */
interface Published {
  cidr: string;
  mac: Mac;
  /** See `HeldPrefix`. */
  since?: number;
}

export interface NetworkKeeperDeps {
  directory: Pick<Directory, 'prefixes' | 'restoreNetwork' | 'leases'>;
  /** The prefix of a network is another host's: device and bridge give it up. */
  lost: (name: string) => void;
  counters: NetworkCounters;
  log: Logger;
  complaints: FoldedLog;
  faults: Faults;
  now: Clock;
  /** From 0 to 1. */
  random?: () => number;
}

/** How long an acquisition waits for the host lease, ms. */
const LEASE_PATIENCE = 2_000;
/** Until the directory is asked again that did not answer, ms. */
const PAUSE = 500;
/** What was lost is put back within a second, and not by all hosts in step, ms. */
const SOON = 500;

export class NetworkKeeper {
  #network: Network;
  readonly #lease: HeldLease;
  readonly #deps: NetworkKeeperDeps;
  readonly #random: () => number;
  readonly #kick$ = new Subject<number>();
  #published: Published | undefined;
  /** Until when no other host can have taken over what this host has, monotonic ms. */
  #unbrokenUntil = -Infinity;
  #manual = false;

  constructor(network: Network, lease: HeldLease, deps: NetworkKeeperDeps) {
    this.#network = network;
    this.#lease = lease;
    this.#deps = deps;
    this.#random = deps.random ?? Math.random;
  }

  /** All work; never ends with an error. */
  work$(): Observable<unknown> {
    const rounds$ = this.#kick$.pipe(
      switchMap((delay) => timer(delay)),
      concatMap(() => from(this.#round())),
      map((next) => {
        this.#kick$.next(next);
      }),
    );
    const held$ = this.#lease.held$.pipe(
      filter((host) => host !== undefined),
      map(() => {
        this.#kick$.next(0);
      }),
    );
    return merge(rounds$, held$);
  }

  /**
   * The prefix of this host in a routed network.
   * @throws NoPrefixLeft, DirectoryError; the caller tries again
   */
  async acquire(): Promise<string> {
    const { directory, counters } = this.#deps;
    const host = await this.#holder();
    try {
      const cidr = await directory.prefixes.acquire(this.#network, host);
      counters.prefixes.acquired++;
      return cidr;
    } catch (error) {
      if (error instanceof NoPrefixLeft) counters.prefixes.exhausted++;
      throw error;
    }
  }

  /** Device and bridge stand, or stand otherwise. @param mac of the VXLAN device */
  joined(network: Network, prefix: string | undefined, mac: Mac): void {
    this.#network = network;
    const before = this.#published;
    if (before?.cidr === prefix && before?.mac === mac) return;
    if (prefix === undefined) this.#published = undefined;
    else this.#published = { ...(before?.cidr === prefix ? before : {}), cidr: prefix, mac };
    this.#kick$.next(0);
  }

  /** A change of the directory's. */
  onChange(change: DirectoryChange): void {
    if (change.type === 'records') return;
    if ('vni' in change && change.vni !== this.#network.vni) return;
    // Changes of other hosts' leases are many.
    if (change.type === 'leases' && this.#stands()) return;
    this.#kick$.next(SOON * this.#random());
  }

  /** The directory answers again. */
  resume(): void {
    this.#kick$.next(0);
  }

  /** Gives the prefix back: the host leaves the network. @throws DirectoryError */
  async release(): Promise<void> {
    this.#published = undefined;
    await this.#deps.directory.prefixes.release(this.#network, this.#lease.id);
  }

  /** Whether the lease of the prefix is as it was published. */
  #stands(): boolean {
    const published = this.#published;
    if (published === undefined) return true;
    const { cidr, mac } = published;
    const [first = ''] = cidr.split('/');
    const lease = this.#deps.directory.leases(this.#network.vni).covering(first, (one) => one.cidr === cidr);
    return lease?.value === `${mac} ${this.#lease.held?.vtep ?? ''}`;
  }

  /** @throws DirectoryError */
  async #holder(): Promise<HostIdentity> {
    const soon$ = this.#lease.held$.pipe(
      filter((host) => host !== undefined),
      timeout({ first: LEASE_PATIENCE, with: () => EMPTY }),
    );
    const host = await firstValueFrom(soon$, { defaultValue: undefined });
    if (host === undefined)
      throw new DirectoryError(`host ${this.#lease.id} has no lease in VNI ${this.#network.vni}`);
    return host;
  }

  /** Never rejects. @returns delay of the next round, ms */
  async #round(): Promise<number> {
    const { faults, complaints, now } = this.#deps;
    const next = (this.#lease.length / 3) * (0.8 + 0.2 * this.#random());
    const host = this.#lease.held;
    // It is kicked when the lease is held.
    if (host === undefined) return next;
    const unbroken = now() < this.#unbrokenUntil;
    const until = now() + this.#lease.remaining;
    try {
      if (unbroken) await this.#restore();
      if (this.#published !== undefined && !(await this.#publish(host, this.#published, unbroken)))
        return next;
      this.#unbrokenUntil = until;
      return next;
    } catch (error) {
      if (!(error instanceof DirectoryError)) {
        faults.broken('publish', error);
        return next;
      }
      complaints.warn(`network ${this.#network.name}: its prefix and record cannot be kept`, reasonOf(error));
      return PAUSE * (0.5 + this.#random() / 2);
    }
  }

  /** Not after a break: an operator can remove a network that no host is joined to. @throws DirectoryError */
  async #restore(): Promise<void> {
    const { directory, counters, log } = this.#deps;
    if ((await directory.restoreNetwork(this.#network)) !== 'restored') return;
    counters.restored++;
    log.warn(`network ${this.#network.name}: the directory had lost its record, which is written again`);
  }

  /** @returns whether this host has the lease. @throws DirectoryError */
  async #publish(host: HostIdentity, published: Published, unbroken: boolean): Promise<boolean> {
    const { since, ...prefix } = published;
    const asserted = unbroken && since !== undefined ? { ...prefix, since } : prefix;
    const result = await this.#deps.directory.prefixes.publish(this.#network, host, asserted);
    // Device and bridge have changed meanwhile.
    if (this.#published !== published) return true;
    switch (result.outcome) {
      case 'lease':
        this.#lease.check();
        return false;
      case 'taken':
        this.#yield(published.cidr, result.by);
        return true;
      default:
        this.#note(published, result);
        return true;
    }
  }

  #note(published: Published, { outcome, since }: Extract<PrefixPublished, { since: number }>): void {
    const { counters, complaints } = this.#deps;
    published.since = since;
    const manual = outcome === 'manual';
    if (manual && !this.#manual) {
      counters.prefixes.manual++;
      complaints.warn(
        `network ${this.#network.name}: a record was written by hand and is left as it is`,
        `the lease of ${published.cidr}, the prefix of this host`,
      );
    }
    this.#manual = manual;
  }

  #yield(cidr: string, by: string): void {
    const { counters, log, lost } = this.#deps;
    const { name } = this.#network;
    counters.prefixes.yielded++;
    log.warn(
      `network ${name}: prefix ${cidr} is that of ${by.startsWith('reserved') ? `nobody (${by})` : `host ${by}`}; this host gives it up and acquires another`,
    );
    this.#published = undefined;
    lost(name);
  }
}
