/**
 * Which addresses of a device are asked for, how often and since when, in a memory that does not grow with what is asked.
 *
 * Addresses are a guest's to make up, the port that its questions come in on is not: each port has room for so many, and
 * a new one takes the place of what is asked for least among those of its own port. So a scan, which asks for nothing
 * twice, pushes out itself; what others ask for stays, and so does what the same port asks for again and again.
 */

/** Addresses remembered of one port. */
export const MOST_PER_PORT = 64;

/** An address that is asked for. One object stays where an address gives way to another. */
export interface Asked {
  address: string;
  layer: 'l2' | 'l3';
  /** Whose room it takes: the port that asked first. */
  owner: number;
  /** The port that asked last. */
  port: number;
  /** Misses since then; an estimate where they were too many to look at each. */
  count: number;
  /** The same, worth less with time; see `cool`. */
  heat: number;
  /** First and last asked for, monotonic ms. */
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

  /** It is asked for once more. @returns false where it is not remembered, and nothing is done */
  again(address: string, port: number, times: number, now: number): boolean {
    const asked = this.#byAddress.get(address);
    if (asked === undefined) return false;
    asked.count += times;
    asked.heat += times;
    asked.port = port;
    asked.at = now;
    return true;
  }

  /** It is asked for, and not remembered yet. */
  add(address: string, layer: 'l2' | 'l3', port: number, times: number, now: number): void {
    let room = this.#byPort.get(port);
    if (room === undefined) this.#byPort.set(port, (room = []));
    let asked = room.length < MOST_PER_PORT ? undefined : coldestOf(room);
    if (asked === undefined)
      room.push((asked = { address, layer, owner: port, port, count: 0, heat: 0, since: now, at: now }));
    else this.#byAddress.delete(asked.address);
    // In place: a scan would make as much garbage as it asks questions.
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

  /** Time goes by. @param factor what heat is worth now @param before what was last asked for before is forgotten, monotonic ms */
  cool(factor: number, before: number): void {
    for (const asked of this.#byAddress.values()) {
      asked.heat *= factor;
      if (asked.at < before) this.delete(asked.address);
    }
  }
}

/** Of those alike the one that was asked for longest ago: a newer one may yet be asked for again. */
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
