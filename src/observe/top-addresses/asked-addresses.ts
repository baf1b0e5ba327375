/**
 * Which addresses of a device guests ask for, how often and since when, in bounded memory.
 *
 * A guest can invent addresses, but not the port that its requests arrive on. So each port has a fixed number of places, and
 * a new address replaces the least wanted address of the same port. A scan, which asks for no address twice, replaces only its
 * own addresses; addresses of other ports stay, and so do addresses that the same port asks for repeatedly.
 */

/** Addresses kept for one port. */
export const MOST_PER_PORT = 64;

/** An address that guests ask for. The object is reused when another address replaces this one. */
export interface Asked {
  address: string;
  layer: 'l2' | 'l3';
  /** The port whose place the address takes: the port that asked first. */
  owner: number;
  /** The port that asked last. */
  port: number;
  /** Misses so far; an estimate in a storm. */
  count: number;
  /** Misses, decaying with time; see `cool`. */
  heat: number;
  /** First and last miss, monotonic ms. */
  since: number;
  at: number;
}

export class AskedAddresses {
  readonly #byAddress = new Map<string, Asked>();
  readonly #byPort = new Map<number, Asked[]>();

  get size(): number {
    return this.#byAddress.size;
  }

  has(address: string): boolean {
    return this.#byAddress.has(address);
  }

  all(): Iterable<Readonly<Asked>> {
    return this.#byAddress.values();
  }

  /** Counts further misses for a known address. @returns false for an unknown address, which is not added */
  again(address: string, port: number, times: number, now: number): boolean {
    const asked = this.#byAddress.get(address);
    if (asked === undefined) return false;
    asked.count += times;
    asked.heat += times;
    asked.port = port;
    asked.at = now;
    return true;
  }

  /** Adds an address that is not known yet. */
  add(address: string, layer: 'l2' | 'l3', port: number, times: number, now: number): void {
    let room = this.#byPort.get(port);
    if (room === undefined) this.#byPort.set(port, (room = []));
    let asked = room.length < MOST_PER_PORT ? undefined : coldestOf(room);
    if (asked === undefined)
      room.push((asked = { address, layer, owner: port, port, count: 0, heat: 0, since: now, at: now }));
    else this.#byAddress.delete(asked.address);
    // The object is reused, because a scan would otherwise make garbage with every miss.
    asked.address = address;
    asked.layer = layer;
    asked.port = port;
    asked.count = asked.heat = times;
    asked.since = asked.at = now;
    this.#byAddress.set(address, asked);
  }

  delete(address: string): void {
    const asked = this.#byAddress.get(address);
    if (asked === undefined) return;
    this.#byAddress.delete(address);
    const room = this.#byPort.get(asked.owner) ?? [];
    const last = room.pop();
    if (last !== undefined && last !== asked) room[room.indexOf(asked)] = last;
    if (room.length === 0) this.#byPort.delete(asked.owner);
  }

  /** @param factor multiplies the heat @param before addresses last asked for before this time are removed, monotonic ms */
  cool(factor: number, before: number): void {
    for (const asked of this.#byAddress.values()) {
      asked.heat *= factor;
      if (asked.at < before) this.delete(asked.address);
    }
  }
}

/** The address with the least heat; among equals the oldest, because guests may ask for a newer address again. */
function coldestOf(room: readonly Asked[]): Asked | undefined {
  let coldest = room[0];
  for (const one of room)
    if (
      coldest === undefined ||
      one.heat < coldest.heat ||
      (one.heat === coldest.heat && one.at < coldest.at)
    )
      coldest = one;
  return coldest;
}
