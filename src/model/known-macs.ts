import type { Ip, Mac } from '../base/vocabulary.ts';

/** What guests may have in their own tables about an address. */
export interface Known {
  mac: Mac;
  /** ifindex of the bridge port whose guest asked with the address as its own. */
  port: number | undefined;
}

/** Addresses that one port may claim; a guest that forges its own cannot make the device forget those of others. */
const MOST_PER_PORT = 1_024;

/**
 * Which MAC the guests of a device may know for an address that is not held: one that was answered before, one that a
 * local guest asks with, or this host's own. A guest keeps what it knows for as long as it gets answers, and longer
 * (net/core/neighbour.c: base_reachable_time, then five probes), whatever became of the entry here. The least recently
 * used is forgotten first.
 */
export class KnownMacs {
  /** How many are remembered, see `--max-entries`; lowered, it takes effect with the next one. */
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

  /** Guests were told, or may have been. */
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

  /** A neighbour is held from now on and says what guests know. The port that claims the address is still to be known. */
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
