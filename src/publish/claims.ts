/**
 * Addresses that two MACs claim. The host of the MAC that has the address asks its guest: without an answer the address is
 * given up (a virtual IP that fails over), otherwise it stays, and both hosts say so.
 *
 *   claimant ──claim──▶ owner's host ──probe──▶ guest
 *   claimant ◀─released, refused──┘
 */
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Faults } from '../base/guarded-lane.ts';
import { DirectoryError } from '../directory/directory.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import type { Ownership, OwnerMessage } from '../directory/ownership.ts';
import type { PublishCounters } from './publish-counters.ts';

/** Until a claim is sent again that was not answered, or whose guest announces the address again, ms. */
const AGAIN = 1_000;
/** Until one is that was refused, ms. */
const AGAIN_REFUSED = 10_000;
/** Claims remembered, and claims answered at once; any host, and any client of Redis, can send some. */
const MOST_OPEN = 4_096;
const MOST_ANSWERED = 64;
/** Refused claims of others that are remembered, and for how long, ms. */
const MOST_REFUSED = 256;
const REFUSED_FOR = 180_000;

export interface ClaimsDeps {
  ownership: Pick<Ownership, 'tell'>;
  counters: PublishCounters;
  log: Logger;
  complaints: FoldedLog;
  faults: Faults;
  now: Clock;
}

/** What claims need of the publisher. */
export interface Claimed {
  /** Whether this host has published the address for the MAC, and its guest answers. */
  answers(mac: Mac, ip: Ip): Promise<boolean>;
  /** Withdraws the address. @throws DirectoryError */
  giveUp(mac: Mac, ip: Ip): Promise<void>;
  /** The address may be free now. */
  released(mac: Mac): void;
}

export interface OpenClaim {
  mac: Mac;
  ip: Ip;
  owner: Mac;
  host: string;
  refused: boolean;
  /** When it was sent, monotonic ms. */
  sentAt: number;
}

/** A claim that this host has refused, because its guest answers. */
export interface RefusedClaim {
  ip: Ip;
  /** The MAC that has the address, on this host. */
  owner: Mac;
  /** The MAC that claims it, and its host. */
  mac: Mac;
  host: string;
  /** Monotonic ms. */
  at: number;
}

export class Claims {
  readonly #vni: Vni;
  readonly #id: string;
  readonly #claimed: Claimed;
  readonly #deps: ClaimsDeps;
  readonly #open = new Map<string, OpenClaim>();
  readonly #refused = new Map<string, RefusedClaim>();
  #answering = 0;

  /** @param id of this host */
  constructor(vni: Vni, id: string, claimed: Claimed, deps: ClaimsDeps) {
    this.#vni = vni;
    this.#id = id;
    this.#claimed = claimed;
    this.#deps = deps;
  }

  /** Claims that are not granted, for `explain` and the status. */
  open(): Iterable<OpenClaim> {
    return this.#open.values();
  }

  /** Claims that this host has refused within 180 s, the latest last. */
  refused(): RefusedClaim[] {
    const { now } = this.#deps;
    return [...this.#refused.values()].filter(({ at }) => now() - at < REFUSED_FOR);
  }

  /** Claims an address for a guest of this host. @param heard whether the guest was heard just now. @throws DirectoryError */
  async send(mac: Mac, ip: Ip, owner: Mac, host: string, heard: boolean): Promise<void> {
    const { now, counters, ownership } = this.#deps;
    const key = `${mac} ${ip}`;
    const before = this.#open.get(key);
    const rest = before?.refused === true && !heard ? AGAIN_REFUSED : AGAIN;
    if (before?.owner === owner && now() < before.sentAt + rest) return;
    if (before === undefined && this.#open.size >= MOST_OPEN) this.#dropOldest();
    this.#open.set(key, { mac, ip, owner, host, refused: before?.refused === true, sentAt: now() });
    counters.claims.sent++;
    const claim: OwnerMessage = { type: 'claim', vni: this.#vni, from: this.#id, mac, ip, owner };
    // Two guests of this host.
    if (host === this.#id) void this.#answer(claim);
    else await ownership.tell(host, claim);
  }

  /** The guest has the address, or does not want it any more. */
  close(mac: Mac, ip: Ip): void {
    this.#open.delete(`${mac} ${ip}`);
  }

  onMessage(message: OwnerMessage): void {
    if (message.type !== 'claim') this.#answered(message);
    else if (this.#answering >= MOST_ANSWERED) this.#deps.faults.overflown('publish', 1);
    else void this.#answer(message);
  }

  /** Never rejects. The claimant repeats a claim that is not answered. */
  async #answer(claim: OwnerMessage): Promise<void> {
    this.#answering++;
    try {
      await this.#judge(claim);
    } catch (error) {
      if (error instanceof DirectoryError)
        this.#deps.complaints.warn(`VNI ${this.#vni}: a claim cannot be answered`, reasonOf(error));
      else this.#deps.faults.broken('publish', error);
    } finally {
      this.#answering--;
    }
  }

  async #judge({ mac, ip, owner, from }: OwnerMessage): Promise<void> {
    const { counters, ownership, complaints } = this.#deps;
    counters.claims.received++;
    const keeps = await this.#claimed.answers(owner, ip);
    if (keeps) {
      this.#noteRefused({ ip, owner, mac, host: from, at: this.#deps.now() });
      complaints.warn(
        `VNI ${this.#vni}: an address that a guest here has is claimed by another host`,
        `${ip} of ${owner} is claimed by ${mac} on host ${from}`,
        { apart: `${ip} ${from}` },
      );
    } else await this.#claimed.giveUp(owner, ip);
    const type = keeps ? 'refused' : 'released';
    const answer: OwnerMessage = { type, vni: this.#vni, from: this.#id, mac, ip, owner };
    if (from === this.#id) this.#answered(answer);
    else await ownership.tell(from, answer);
  }

  #answered({ type, mac, ip, owner, from }: OwnerMessage): void {
    const { counters, complaints } = this.#deps;
    const claim = this.#open.get(`${mac} ${ip}`);
    if (claim?.owner !== owner || claim.host !== from) return;
    if (type === 'released') {
      counters.claims.released++;
      this.close(mac, ip);
      this.#claimed.released(mac);
      return;
    }
    counters.claims.refused++;
    claim.refused = true;
    complaints.warn(
      `VNI ${this.#vni}: a guest here has an address that another MAC has, and is not published with it`,
      `${ip} of ${mac} is the address of ${owner} on host ${from}, which answers`,
      { apart: `${ip} ${mac}` },
    );
  }

  #noteRefused(claim: RefusedClaim): void {
    const key = `${claim.mac} ${claim.ip} ${claim.host}`;
    this.#refused.delete(key);
    const [oldest] = this.#refused.keys();
    if (oldest !== undefined && this.#refused.size >= MOST_REFUSED) this.#refused.delete(oldest);
    this.#refused.set(key, claim);
  }

  #dropOldest(): void {
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#open.delete(oldest);
    this.#deps.faults.overflown('publish', 1);
  }
}
