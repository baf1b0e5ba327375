/**
 * Leases of the followed VNIs, kept in memory. A fabric of a thousand hosts renews a hundred leases a second: a
 * renewed lease is read alone, and only a change of the set of leases reads a VNI anew.
 */
import type { Vni } from '../vocabulary.ts';
import { LeaseTable } from './leases.ts';
import { judgeLease, type MalformedReason } from './record.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisReader } from './redis-reader.ts';

/** Says that a record counts as absent; the example is its key and value, cut short. */
export type OnMalformed = (vni: Vni, reason: MalformedReason, example: string) => void;

/** What is to be read again: everything, or single leases. */
type Stale = 'all' | Set<string>;

/** VNIs read at the same time. */
const IN_FLIGHT = 16;

export class RedisLeases {
  readonly #reader: RedisReader;
  readonly #keys: RedisKeys;
  readonly #changed: (vni: Vni) => void;
  readonly #malformed: OnMalformed;
  /** Of the followed VNIs; undefined until first read. */
  readonly #tables = new Map<Vni, LeaseTable | undefined>();
  readonly #members = new Map<Vni, Map<string, string>>();
  #stale = new Map<Vni, Stale>();
  #reading: Promise<void> | undefined;

  constructor(reader: RedisReader, keys: RedisKeys, changed: (vni: Vni) => void, malformed: OnMalformed) {
    this.#reader = reader;
    this.#keys = keys;
    this.#changed = changed;
    this.#malformed = malformed;
  }

  of(vni: Vni): LeaseTable {
    return this.#tables.get(vni) ?? LeaseTable.EMPTY;
  }

  /** Marks the leases of VNIs that were not followed before as to be read. */
  follow(vnis: ReadonlySet<Vni>): void {
    for (const vni of [...this.#tables.keys()]) {
      if (vnis.has(vni)) continue;
      this.#tables.delete(vni);
      this.#members.delete(vni);
      this.#stale.delete(vni);
    }
    for (const vni of vnis) {
      if (this.#tables.has(vni)) continue;
      this.#tables.set(vni, undefined);
      this.#stale.set(vni, 'all');
    }
  }

  /** Without a VNI all of them, without a CIDR all of the VNI's. */
  invalidate(vni?: Vni, cidr?: string): void {
    if (vni === undefined) for (const one of this.#tables.keys()) this.#stale.set(one, 'all');
    else if (cidr === undefined) this.#stale.set(vni, 'all');
    else {
      const stale = this.#stale.get(vni) ?? new Set();
      if (stale !== 'all') this.#stale.set(vni, stale.add(cidr));
    }
  }

  get current(): boolean {
    return this.#stale.size === 0 && this.#reading === undefined;
  }

  /**
   * Reads whatever is stale, also what becomes so meanwhile; calls share one run.
   * @throws DirectoryError; what was not read stays stale
   */
  refresh(): Promise<void> {
    this.#reading ??= this.#run().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #run(): Promise<void> {
    while (this.#stale.size > 0) {
      const round = [...this.#stale].slice(0, IN_FLIGHT);
      for (const [vni] of round) this.#stale.delete(vni);
      const results = await Promise.allSettled(
        round.map(([vni, stale]) => (stale === 'all' ? this.#readAll(vni) : this.#readSome(vni, stale))),
      );
      const failed = results.find((result) => result.status === 'rejected');
      for (const [index, [vni, stale]] of round.entries()) {
        if (results[index]?.status !== 'rejected' || !this.#tables.has(vni)) continue;
        if (stale === 'all') this.invalidate(vni);
        else for (const cidr of stale) this.invalidate(vni, cidr);
      }
      if (failed !== undefined) throw failed.reason;
    }
  }

  async #readAll(vni: Vni): Promise<void> {
    const members = await this.#reader.members(this.#keys.leases(vni));
    await this.#read(vni, members, new Map());
  }

  /** A lease key that is no member yet does not count; its SADD will be heard of. */
  async #readSome(vni: Vni, cidrs: ReadonlySet<string>): Promise<void> {
    const known = this.#members.get(vni) ?? new Map<string, string>();
    await this.#read(
      vni,
      [...cidrs].filter((cidr) => known.has(cidr)),
      new Map(known),
    );
  }

  /** @param values what is known of the other members; a member without a valid lease has an empty value */
  async #read(vni: Vni, cidrs: string[], values: Map<string, string>): Promise<void> {
    const read = await this.#reader.values(
      cidrs.map((cidr) => this.#keys.lease(vni, cidr)),
      cidrs.map(() => vni),
    );
    for (const [index, cidr] of cidrs.entries()) {
      const value = read[index] ?? undefined;
      const reason = value === undefined ? undefined : judgeLease(cidr, value);
      if (reason !== undefined)
        this.#malformed(vni, reason, `${this.#keys.lease(vni, cidr)} = ${value}`.slice(0, 160));
      values.set(cidr, reason === undefined ? (value ?? '') : '');
    }
    // Not followed any more.
    if (!this.#tables.has(vni)) return;
    this.#members.set(vni, values);
    const valid = new Map([...values].filter(([, value]) => value !== ''));
    if (this.#tables.get(vni)?.says(valid) === true) return;
    const first = this.#tables.get(vni) === undefined;
    this.#tables.set(vni, new LeaseTable(valid));
    if (!first || valid.size > 0) this.#changed(vni);
  }
}
