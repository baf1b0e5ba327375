import type { Ip, Mac } from '../base/vocabulary.ts';

/** The MAC that guests may have for an address in their own neighbour tables. */
export interface Known {
  mac: Mac;
  /** ifindex of the bridge port whose guest asked with the address as its own. */
  port: number | undefined;
}

/** Addresses that one port may claim, so that a guest with forged addresses cannot displace those of others. */
const MOST_PER_PORT = 1_024;

/**
 * The MACs that guests of a device may know for addresses without an entry here: from an earlier answer, from a local guest
 * that asks with the address, or this host's own. A guest keeps a MAC as long as it gets answers, and longer
 * (net/core/neighbour.c: base_reachable_time, then five probes), even when the entry here is gone. The least recently used
 * address is forgotten first.
 */
export class KnownMacs {
  /** Addresses remembered at most, see `--max-entries`; a lower value takes effect with the next address. */
  most: number;
  /** The least recently used first. */
  readonly #known = new Map<Ip, Known>();
  readonly #perPort = new Map<number, number>();

  constructor(most = 200_000) {
    this.most = most;
  }

  get size(): number {
    return this.#known.size;
  }

  of(ip: Ip): Known | undefined {
    return this.#known.get(ip);
  }

  all(): Iterable<Ip> {
    return this.#known.keys();
  }

  /** Guests were told this MAC, or may have been. */
  note(ip: Ip, mac: Mac): void {
    this.#put(ip, { mac, port: this.#known.get(ip)?.port });
  }

  /** A guest asks with this address as its own. */
  heard(ip: Ip, mac: Mac, port: number): void {
    const known = this.#known.get(ip);
    if (known?.port !== port) {
      if ((this.#perPort.get(port) ?? 0) >= MOST_PER_PORT) return;
      this.#count(known?.port, -1);
      this.#count(port, 1);
    }
    this.#put(ip, { mac, port });
  }

  /** Notes that the desired tables now have the address. Its claim by a port stays. */
  hold(ip: Ip, mac: Mac): void {
    const known = this.#known.get(ip);
    if (known === undefined) return;
    if (known.port === undefined) this.#known.delete(ip);
    else known.mac = mac;
  }

  clear(): void {
    this.#known.clear();
    this.#perPort.clear();
  }

  #put(ip: Ip, known: Known): void {
    this.#known.delete(ip);
    this.#known.set(ip, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.most) return;
      this.#count(this.#known.get(oldest)?.port, -1);
      this.#known.delete(oldest);
    }
  }

  #count(port: number | undefined, by: 1 | -1): void {
    if (port === undefined) return;
    const count = (this.#perPort.get(port) ?? 0) + by;
    if (count > 0) this.#perPort.set(port, count);
    else this.#perPort.delete(port);
  }
}
