/**
 * Leases of the followed VNIs, kept in memory. A fabric of a thousand hosts renews a hundred leases a second: a
 * renewed lease is read alone, and only a change of the set of leases reads a VNI anew.
 */
import type { MalformedReason } from '../../base/outcomes.ts';
import type { Vni } from '../../base/vocabulary.ts';
import { LeaseTable } from '../leases.ts';
import { judgeLease } from '../record.ts';
import type { RedisKeys } from './keys.ts';
import type { RedisReader } from './reader.ts';
import { isOversized, isWrongType } from './reason.ts';

/** Says that a record counts as absent; the example is its key and value, cut short. */
export type OnMalformed = (vni: Vni, reason: MalformedReason, example: string) => void;

/** What is to be read again: everything, or single leases. */
type Stale = 'all' | Set<string>;

/** VNIs read at the same time. */
const IN_FLIGHT = 16;
/** Leases of one VNI: many times the hosts of any fabric, and 50 ms to put in order. */
const MOST_LEASES = 16_384;
/** Members of the set that are looked at, with a lease or without. */
const MOST_MEMBERS = 65_536;
/** The longest prefix in text; what is longer is none. */
const LONGEST_CIDR = 43;

export class RedisLeases {
  readonly #reader: RedisReader;
  readonly #keys: RedisKeys;
  readonly #changed: (vni: Vni) => void;
  readonly #malformed: OnMalformed;
  readonly #complete: () => void;
  /** Of the followed VNIs; undefined until first read. */
  readonly #tables = new Map<Vni, LeaseTable | undefined>();
  readonly #members = new Map<Vni, Map<string, string>>();
  /** Leases, or members that perhaps have one, beyond the bounds, by VNI. */
  readonly #excess = new Map<Vni, number>();
  /** VNIs nothing can be concluded of: never read, or the feed may have missed something since. */
  readonly #unknown = new Map<Vni, number>();
  /** Counts what makes VNIs unknown. */
  #gaps = 0;
  /** VNIs whose set was too much for one reply, or was asked for when another was. */
  readonly #oversized = new Set<Vni>();
  #stale = new Map<Vni, Stale>();
  #reading: Promise<void> | undefined;

  /** @param complete is told when `current` becomes true */
  constructor(
    reader: RedisReader,
    keys: RedisKeys,
    changed: (vni: Vni) => void,
    malformed: OnMalformed,
    complete: () => void,
  ) {
    this.#complete = complete;
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
      this.#excess.delete(vni);
      this.#unknown.delete(vni);
    }
    for (const vni of vnis) {
      if (this.#tables.has(vni)) continue;
      this.#tables.set(vni, undefined);
      this.#stale.set(vni, 'all');
      this.#unknown.set(vni, this.#gaps);
    }
  }

  /** Without a VNI all of them, without a CIDR all of the VNI's. */
  invalidate(vni?: Vni, cidr?: string): void {
    if (vni === undefined) {
      this.#gaps++;
      for (const one of this.#tables.keys()) {
        this.#stale.set(one, 'all');
        this.#unknown.set(one, this.#gaps);
      }
    } else if (cidr === undefined) this.#stale.set(vni, 'all');
    else {
      const stale = this.#stale.get(vni) ?? new Set();
      if (stale !== 'all') this.#stale.set(vni, stale.add(cidr));
    }
  }

  /** Whether every VNI was read since it was followed, or since all were invalidated; a change of one since then is no obstacle. */
  get current(): boolean {
    return this.#unknown.size === 0;
  }

  /** Whether nothing is to be read. */
  get idle(): boolean {
    return this.#stale.size === 0 && this.#reading === undefined;
  }

  /** Leases that do not count because their VNI has too many. */
  get excess(): number {
    return [...this.#excess.values()].reduce((sum, count) => sum + count, 0);
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
      const gap = this.#gaps;
      const round = [...this.#stale].slice(0, IN_FLIGHT);
      for (const [vni] of round) this.#stale.delete(vni);
      const results = await Promise.allSettled(
        round.map(([vni, stale]) => (stale === 'all' ? this.#readAll(vni) : this.#readSome(vni, stale))),
      );
      const failed = results.find((result) => result.status === 'rejected');
      for (const [index, [vni, stale]] of round.entries()) {
        if (results[index]?.status !== 'rejected') this.#known(vni, gap);
        else if (!this.#tables.has(vni)) continue;
        else if (stale === 'all') this.invalidate(vni);
        else for (const cidr of stale) this.invalidate(vni, cidr);
      }
      if (failed !== undefined) throw failed.reason;
    }
  }

  /** @param gap the last one before it was read */
  #known(vni: Vni, gap: number): void {
    if ((this.#unknown.get(vni) ?? Infinity) > gap) return;
    this.#unknown.delete(vni);
    if (this.current) this.#complete();
  }

  /** A set that cannot be read as one takes the leases of its own VNI away, and nobody else's. */
  async #readAll(vni: Vni): Promise<void> {
    const key = this.#keys.leases(vni);
    const values = new Map<string, string>();
    const bound = new Bound();
    try {
      for await (const page of this.#reader.members(key)) {
        const fresh = page.filter((cidr) => !values.has(cidr) && this.#isShort(vni, cidr));
        await this.#readValues(vni, bound.admit(fresh), values, bound);
        if (bound.excess >= MOST_MEMBERS) break;
      }
    } catch (error) {
      const reason = this.#faultOf(vni, error);
      if (reason === undefined) throw error;
      values.clear();
      this.#malformed(vni, reason, `${key} ${reason === 'type' ? 'is not a set' : 'has members too long'}`);
    }
    this.#oversized.delete(vni);
    if (bound.excess > 0)
      this.#malformed(vni, 'excess', `${key} has ${bound.excess} members too many, or more`);
    this.#excess.set(vni, bound.excess);
    this.#store(vni, values);
  }

  /** What is wrong with a VNI's set, rather than with the server. What others asked for at the same moment fails with it, so the second time counts. */
  #faultOf(vni: Vni, error: unknown): MalformedReason | undefined {
    if (isWrongType(error)) return 'type';
    if (!isOversized(error)) return undefined;
    if (this.#oversized.has(vni)) return 'size';
    this.#oversized.add(vni);
    return undefined;
  }

  #isShort(vni: Vni, cidr: string): boolean {
    if (cidr.length <= LONGEST_CIDR) return true;
    this.#malformed(vni, 'cidr', `${this.#keys.leases(vni)} has ${cidr}`.slice(0, 160));
    return false;
  }

  /** A lease key that is no member yet does not count; its SADD will be heard of. */
  async #readSome(vni: Vni, cidrs: ReadonlySet<string>): Promise<void> {
    const values = new Map(this.#members.get(vni));
    const bound = new Bound([...values.values()].filter((value) => value !== '').length);
    await this.#readValues(
      vni,
      [...cidrs].filter((cidr) => values.has(cidr)),
      values,
      bound,
    );
    this.#store(vni, values);
  }

  /** @param values gets what they say; a member without a valid lease has an empty value */
  async #readValues(vni: Vni, cidrs: string[], values: Map<string, string>, bound: Bound): Promise<void> {
    const read = await this.#reader.values(
      cidrs.map((cidr) => this.#keys.lease(vni, cidr)),
      cidrs.map(() => vni),
    );
    for (const [index, cidr] of cidrs.entries()) {
      const value = read[index] ?? undefined;
      const reason = value === undefined ? undefined : judgeLease(cidr, value);
      if (reason !== undefined)
        this.#malformed(vni, reason, `${this.#keys.lease(vni, cidr)} = ${value}`.slice(0, 160));
      const before = values.get(cidr) ?? '';
      const valid = reason === undefined && value !== undefined && (before !== '' || bound.lease());
      if (before !== '' && !valid) bound.leases--;
      values.set(cidr, valid ? value : '');
    }
  }

  #store(vni: Vni, values: Map<string, string>): void {
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

/** How much of one VNI has been taken in. */
class Bound {
  leases: number;
  members = 0;
  excess = 0;

  constructor(leases = 0) {
    this.leases = leases;
  }

  /** @returns the members that may be looked at */
  admit(members: string[]): string[] {
    const admitted = members.slice(0, MOST_MEMBERS - this.members);
    this.members += admitted.length;
    this.excess += members.length - admitted.length;
    return admitted;
  }

  /** Whether there is room for one more lease. */
  lease(): boolean {
    const room = this.leases < MOST_LEASES;
    if (room) this.leases++;
    else this.excess++;
    return room;
  }
}
