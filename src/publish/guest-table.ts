/** The guests of a device by port and MAC, with the addresses that each was last heard with. Bounded per port. */
import type { Ip, Mac } from '../base/vocabulary.ts';

/**
 * What a MAC or an address was last learned from: a frame of the guest (ARP, neighbour discovery, RARP), the bridge's FDB or the
 * bridge's neighbour table.
 */
export type LearnedFrom = 'ARP' | 'ND' | 'RARP' | 'FDB' | 'neighbour table';

export interface LocalGuest {
  readonly mac: Mac;
  /** ifindex of the bridge port that the guest is behind. */
  port: number;
  /** When each address was last heard, monotonic ms. */
  readonly ips: Map<Ip, number>;
  seenAt: number;
  /** Of each address, and (undefined) of the MAC by itself. */
  readonly learnedFrom: Map<Ip | undefined, LearnedFrom>;
}

/** What left to make room: one address, or a MAC with all it had. */
export interface Evicted {
  mac: Mac;
  ip: Ip | undefined;
}

export type Seen =
  { outcome: 'full' } | { outcome: 'ok'; guest: LocalGuest; news: boolean; evicted: Evicted | undefined };

/** A full port gives up one address for a new one so often, ms: addresses made up by a guest do not reach the directory by the thousand. */
const REPLACEMENT = 1_000;

export class GuestTable {
  readonly #guests = new Map<Mac, LocalGuest>();
  readonly #macsOf = new Map<number, Set<Mac>>();
  /** When a full port last gave an address up, monotonic ms. */
  readonly #replacedAt = new Map<number, number>();
  readonly #limit: number;

  /** @param limit addresses per port; a MAC without one counts as one */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(mac: Mac): LocalGuest | undefined {
    return this.#guests.get(mac);
  }

  all(): Iterable<LocalGuest> {
    return this.#guests.values();
  }

  behind(port: number): LocalGuest[] {
    return [...(this.#macsOf.get(port) ?? [])].flatMap((mac) => this.#guests.get(mac) ?? []);
  }

  ports(): number[] {
    return [...this.#macsOf.keys()];
  }

  /** Notes a guest, with an address where it was heard with one. A guest that was behind another port moves. */
  see(mac: Mac, port: number, ip: Ip | undefined, now: number, learnedFrom?: LearnedFrom): Seen {
    const known = this.#guests.get(mac);
    const added = this.#isAdded(known, port, ip);
    const full = added && this.#count(port) >= this.#limit;
    if (full && now - (this.#replacedAt.get(port) ?? -Infinity) < REPLACEMENT) return { outcome: 'full' };
    const evicted = full ? this.#evict(port, mac) : undefined;
    if (full) this.#replacedAt.set(port, now);
    const guest: LocalGuest = this.#guests.get(mac) ?? {
      ...{ mac, port, ips: new Map(), learnedFrom: new Map(), seenAt: now },
    };
    const news = known === undefined || known.port !== port || (ip !== undefined && !known.ips.has(ip));
    if (guest.port !== port) this.#leave(guest);
    guest.port = port;
    guest.seenAt = now;
    if (ip !== undefined) guest.ips.set(ip, now);
    if (learnedFrom !== undefined) guest.learnedFrom.set(ip, learnedFrom);
    this.#guests.set(mac, guest);
    const macs = this.#macsOf.get(port);
    if (macs === undefined) this.#macsOf.set(port, new Set([mac]));
    else macs.add(mac);
    return { outcome: 'ok', guest, news, evicted };
  }

  /** Forgets an address, or the whole MAC. */
  forget(mac: Mac, ip?: Ip): void {
    const guest = this.#guests.get(mac);
    if (guest === undefined) return;
    if (ip !== undefined) {
      guest.ips.delete(ip);
      guest.learnedFrom.delete(ip);
      return;
    }
    this.#guests.delete(mac);
    this.#leave(guest);
  }

  /** Whether the port would have one more than it has. */
  #isAdded(known: LocalGuest | undefined, port: number, ip: Ip | undefined): boolean {
    if (known?.port !== port) return true;
    return ip !== undefined && known.ips.size > 0 && !known.ips.has(ip);
  }

  #count(port: number): number {
    return this.behind(port).reduce((sum, { ips }) => sum + Math.max(1, ips.size), 0);
  }

  /** The least recently used of the port. @param but a MAC that has to stay, because it gets the place */
  #evict(port: number, but: Mac): Evicted | undefined {
    let oldest: (Evicted & { at: number }) | undefined;
    for (const { mac, ips, seenAt } of this.behind(port)) {
      if (ips.size === 0 && mac !== but && (oldest === undefined || seenAt < oldest.at))
        oldest = { mac, ip: undefined, at: seenAt };
      for (const [ip, at] of ips) if (oldest === undefined || at < oldest.at) oldest = { mac, ip, at };
    }
    if (oldest === undefined) return undefined;
    const { mac, ip } = oldest;
    const whole = mac !== but && (this.#guests.get(mac)?.ips.size ?? 0) <= 1;
    this.forget(mac, whole ? undefined : ip);
    return { mac, ip: whole ? undefined : ip };
  }

  #leave({ mac, port }: LocalGuest): void {
    const macs = this.#macsOf.get(port);
    macs?.delete(mac);
    if (macs?.size !== 0) return;
    this.#macsOf.delete(port);
    this.#replacedAt.delete(port);
  }
}
