/** The port `Directory` in memory: reads can be held back and failed, changes and state are the test's to send. */
import { BehaviorSubject, Subject } from 'rxjs';
import { DirectoryError, noteUser } from '../../../src/directory/directory.ts';
import type {
  Directory,
  DirectoryChange,
  DirectoryHealth,
  DirectoryState,
  Leases,
  NetworkRestored,
  RecordKey,
  StoredRecord,
} from '../../../src/directory/directory.ts';
import type { Network } from '../../../src/directory/network.ts';
import { NoPrefixLeft, type PrefixPublished, type Prefixes } from '../../../src/directory/prefixes.ts';
import type { Ownership } from '../../../src/directory/ownership.ts';
import { LeaseTable } from '../../../src/directory/leases.ts';

export class FakeDirectory implements Directory {
  ownership: Ownership | undefined;
  readonly #state = new BehaviorSubject<DirectoryState>({ up: true });
  readonly #changes = new Subject<DirectoryChange>();
  readonly state$ = this.#state.asObservable();
  readonly changes$ = this.#changes.asObservable();
  readonly records = new Map<string, string>();
  readonly leaseValues = new Map<number, Map<string, string>>();
  /** VTEPs that take part in broadcast. */
  readonly members = new Map<number, Set<string>>();
  /** The keys of every read, in order. */
  readonly reads: RecordKey[][] = [];
  readonly networks = new Map<string, Network>();
  /** Prefixes by host id. */
  readonly assigned = new Map<string, string>();
  readonly prefixes: Prefixes = {
    acquire: (network, { id }) => {
      const cidr = this.assigned.get(id);
      return cidr === undefined ? Promise.reject(new NoPrefixLeft(network)) : Promise.resolve(cidr);
    },
    publish: () => Promise.resolve<PrefixPublished>({ outcome: 'ok', since: 0 }),
    release: () => Promise.resolve([]),
    withdraw: () => Promise.resolve(0),
  };
  followed: ReadonlySet<number> = new Set();
  /** What `follow` waits for. */
  following: Promise<void> = Promise.resolve();
  /** Whether it knows which addresses have a record. */
  complete = false;
  #failure: string | undefined;
  #held: (() => void)[] | undefined;

  /** Writes a record, without word of it: `change` says so. */
  set(vni: number, kind: 'ip' | 'mac', address: string, value: string): void {
    this.records.set(`${vni} ${kind} ${address}`, value);
  }

  delete(vni: number, kind: 'ip' | 'mac', address: string): void {
    this.records.delete(`${vni} ${kind} ${address}`);
  }

  lease(vni: number, cidr: string, value: string | undefined): void {
    const leases = this.leaseValues.get(vni) ?? new Map<string, string>();
    this.leaseValues.set(vni, leases);
    if (value === undefined) leases.delete(cidr);
    else leases.set(cidr, value);
  }

  change(change: DirectoryChange): void {
    this.#changes.next(change);
  }

  /** Reads fail from now on, those held back too. */
  fail(reason: string): void {
    this.#failure = reason;
    this.#state.next({ up: false, reason, since: 0 });
  }

  /** Reads answer again, and the word of it goes out. */
  recover(): void {
    this.#failure = undefined;
    this.#state.next({ up: true });
  }

  /** Reads wait from now on; what they answer is what stands when they were asked. */
  hold(): void {
    this.#held ??= [];
  }

  /** Answers the oldest `count` reads held back, all by default, after which nothing is held any more. */
  release(count?: number): void {
    const held = this.#held ?? [];
    if (count === undefined) this.#held = undefined;
    for (const answer of held.splice(0, count ?? held.length)) answer();
  }

  get waiting(): number {
    return this.#held?.length ?? 0;
  }

  // ---- The port ----

  start(): void {
    // Nothing to connect to.
  }

  async read(keys: RecordKey[]): Promise<(string | null)[]> {
    this.reads.push(keys);
    const values = keys.map(
      ({ vni, kind, address }) => this.records.get(`${vni} ${kind} ${address}`) ?? null,
    );
    if (this.#held !== undefined) await new Promise<void>((answer) => this.#held?.push(answer));
    if (this.#failure !== undefined) throw new DirectoryError(this.#failure);
    return values;
  }

  leases(vni: number): Leases {
    return new LeaseTable(this.leaseValues.get(vni) ?? new Map<string, string>());
  }

  lacksRecord(vni: number, ip: string): boolean {
    return this.complete && !this.records.has(`${vni} ip ${ip}`);
  }

  follow(vnis: ReadonlySet<number>): Promise<void> {
    this.followed = vnis;
    return this.following;
  }

  isEmpty(vni: number): Promise<boolean> {
    if (this.#failure !== undefined) return Promise.reject(new DirectoryError(this.#failure));
    const any = [...this.records.keys()].some((key) => key.startsWith(`${vni} `));
    return Promise.resolve(!any && (this.leaseValues.get(vni)?.size ?? 0) === 0);
  }

  async *everything(vni: number): AsyncGenerator<StoredRecord> {
    const all = [...this.records.entries()];
    await Promise.resolve();
    if (this.#failure !== undefined) throw new DirectoryError(this.#failure);
    for (const [key, value] of all) {
      const [of, kind, address = ''] = key.split(' ');
      if (of === String(vni)) yield [{ vni, kind: kind === 'ip' ? 'ip' : 'mac', address }, value];
    }
  }

  usersOf(vni: number, macs: ReadonlySet<string>): Promise<ReadonlyMap<string, string[]>> {
    if (this.#failure !== undefined) return Promise.reject(new DirectoryError(this.#failure));
    const users = new Map<string, string[]>();
    const prefix = `${vni} ip `;
    for (const [key, value] of this.records)
      if (key.startsWith(prefix)) noteUser(users, macs, key.slice(prefix.length), value);
    return Promise.resolve(users);
  }

  async takePart(vni: number, vteps: readonly string[]): Promise<string[]> {
    await Promise.resolve();
    if (this.#failure !== undefined) throw new DirectoryError(this.#failure);
    const members = this.members.get(vni) ?? new Set<string>();
    this.members.set(vni, members);
    for (const vtep of vteps) members.add(vtep);
    return [...members];
  }

  leave(vni: number, vteps: readonly string[]): Promise<void> {
    for (const vtep of vteps) this.members.get(vni)?.delete(vtep);
    return Promise.resolve();
  }

  network(name: string): Promise<Network | undefined> {
    if (this.#failure !== undefined) return Promise.reject(new DirectoryError(this.#failure));
    return Promise.resolve(this.networks.get(name));
  }

  restoreNetwork(network: Network): Promise<NetworkRestored> {
    if (this.#failure !== undefined) return Promise.reject(new DirectoryError(this.#failure));
    if (this.networks.has(network.name)) return Promise.resolve('there');
    this.networks.set(network.name, network);
    return Promise.resolve('restored');
  }

  health(): DirectoryHealth {
    const { up } = this.#state.value;
    return { up: { lookups: up, feed: up, leases: up }, feedLag: 0, feedMessages: 0, excessLeases: 0 };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
