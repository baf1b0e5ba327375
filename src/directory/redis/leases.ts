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

/** Reports a record that counts as absent; the example is its key and value, cut short. */
export type OnMalformed = (vni: Vni, reason: MalformedReason, example: string) => void;

/** Which leases of a VNI must be read again. */
type Stale = 'all' | Set<string>;

/** VNIs read at the same time. */
const IN_FLIGHT = 16;
/** Leases of one VNI: many times the hosts of any fabric; sorting them takes 50 ms. */
const MOST_LEASES = 16_384;
/** Members of the set that are read, with a lease or without. */
const MOST_MEMBERS = 65_536;
/** Characters of the longest prefix; a longer member is malformed. */
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
  /** Leases, and members that may have one, beyond the bounds, by VNI. */
  readonly #excess = new Map<Vni, number>();
  /** VNIs never read, or not read since the feed may have missed changes; with the value of `#gaps` at that time. */
  readonly #unknown = new Map<Vni, number>();
  /** Counts what makes VNIs unknown. */
  #gaps = 0;
  /** VNIs whose set failed to read once because a reply was too large. */
  readonly #oversized = new Set<Vni>();
  #stale = new Map<Vni, Stale>();
  #reading: Promise<void> | undefined;

  /** @param complete called when `current` becomes true */
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

  /** Follows these VNIs and no others; newly followed VNIs become stale. */
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

  /** Marks as stale every VNI, every lease of one VNI, or one lease. */
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

  /** Whether every VNI was read since it was followed and since all were invalidated; later changes of single VNIs do not matter. */
  get current(): boolean {
    return this.#unknown.size === 0;
  }

  /** Whether no lease is stale and no read is under way. */
  get idle(): boolean {
    return this.#stale.size === 0 && this.#reading === undefined;
  }

  /** Leases that do not count because their VNI has too many. */
  get excess(): number {
    return [...this.#excess.values()].reduce((sum, count) => sum + count, 0);
  }

  /**
   * Reads all stale leases, including those that become stale meanwhile; calls share one run.
   * @throws DirectoryError; leases that were not read stay stale
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

  /** @param gap value of `#gaps` before the read */
  #known(vni: Vni, gap: number): void {
    if ((this.#unknown.get(vni) ?? Infinity) > gap) return;
    this.#unknown.delete(vni);
    if (this.current) this.#complete();
  }

  /** A set that cannot be read leaves its own VNI without leases; other VNIs keep theirs. */
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

  /** The fault of a VNI's set, undefined when the server failed. An oversized reply also fails reads of other VNIs in flight, so only the second failure counts. */
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

  /** A lease that is not in the set yet does not count; the feed will report its SADD. */
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

  /** @param values filled in: value by CIDR, empty for a member without a valid lease */
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
    // The VNI is not followed any more.
    if (!this.#tables.has(vni)) return;
    this.#members.set(vni, values);
    const valid = new Map([...values].filter(([, value]) => value !== ''));
    if (this.#tables.get(vni)?.says(valid) === true) return;
    const first = this.#tables.get(vni) === undefined;
    this.#tables.set(vni, new LeaseTable(valid));
    if (!first || valid.size > 0) this.#changed(vni);
  }
}

/** Counts the leases and members of one VNI against the bounds. */
class Bound {
  leases: number;
  members = 0;
  excess = 0;

  constructor(leases = 0) {
    this.leases = leases;
  }

  /** @returns the members that may be read */
  admit(members: string[]): string[] {
    const admitted = members.slice(0, MOST_MEMBERS - this.members);
    this.members += admitted.length;
    this.excess += members.length - admitted.length;
    return admitted;
  }

  /** Counts one more lease. @returns false when the bound is reached */
  lease(): boolean {
    const room = this.leases < MOST_LEASES;
    if (room) this.leases++;
    else this.excess++;
    return room;
  }
}
