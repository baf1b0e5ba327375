/**
 * A ring of the latest events of one kind, in columns that are allocated once. Adding an event writes one slot of each column
 * and allocates nothing; the strings are shared with the tables.
 */
import type { Vni } from '../../base/vocabulary.ts';

/** The details of an event besides its kind, time and address. */
export interface EventDetails {
  mac?: string | undefined;
  vtep?: string | undefined;
  /** The kind of record behind the answer: `ip`, `mac`, `lease`; or the reason of the event. */
  why?: string | undefined;
  /** From question to answer, milliseconds. */
  took?: number | undefined;
}

export interface RingEvent extends EventDetails {
  /** Monotonic milliseconds. */
  at: number;
  vni: Vni;
  address: string;
}

export class Ring {
  readonly #size: number;
  readonly #at: Float64Array;
  readonly #vni: Uint32Array;
  readonly #took: Float32Array;
  readonly #address: string[];
  readonly #mac: (string | undefined)[];
  readonly #vtep: (string | undefined)[];
  readonly #why: (string | undefined)[];
  #next = 0;
  #count = 0;

  /** @param size events kept */
  constructor(size: number) {
    this.#size = size;
    this.#at = new Float64Array(size);
    this.#vni = new Uint32Array(size);
    this.#took = new Float32Array(size);
    this.#address = Array<string>(size).fill('');
    this.#mac = Array<string | undefined>(size).fill(undefined);
    this.#vtep = Array<string | undefined>(size).fill(undefined);
    this.#why = Array<string | undefined>(size).fill(undefined);
  }

  /** @param took milliseconds, negative if the event has no duration */
  add(at: number, vni: Vni, address: string, mac?: string, vtep?: string, why?: string, took = -1): void {
    const slot = this.#next;
    this.#at[slot] = at;
    this.#vni[slot] = vni;
    this.#took[slot] = took;
    this.#address[slot] = address;
    this.#mac[slot] = mac;
    this.#vtep[slot] = vtep;
    this.#why[slot] = why;
    this.#next = slot + 1 === this.#size ? 0 : slot + 1;
    if (this.#count < this.#size) this.#count++;
  }

  /** No event after this time was dropped, monotonic ms; undefined if no event was dropped. */
  get since(): number | undefined {
    return this.#count < this.#size ? undefined : this.#at[this.#next];
  }

  /** Events of a VNI about one of these addresses or with this MAC, the oldest first. */
  *of(vni: Vni, addresses: ReadonlySet<string>, named?: string): Generator<RingEvent> {
    const first = this.#count < this.#size ? 0 : this.#next;
    for (let n = 0; n < this.#count; n++) {
      const slot = (first + n) % this.#size;
      const address = this.#address[slot] ?? '';
      const mac = this.#mac[slot];
      if (this.#vni[slot] !== vni) continue;
      if (!addresses.has(address) && (mac === undefined || mac !== named)) continue;
      const took = this.#took[slot] ?? -1;
      yield {
        at: this.#at[slot] ?? 0,
        vni,
        address,
        ...(mac !== undefined && { mac }),
        ...(this.#vtep[slot] !== undefined && { vtep: this.#vtep[slot] }),
        ...(this.#why[slot] !== undefined && { why: this.#why[slot] }),
        ...(took >= 0 && { took }),
      };
    }
  }
}
