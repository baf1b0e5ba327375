/**
 * The directory in Redis. Three parts, each of which may be down by itself, and only together are they up:
 *
 *   reader   connections that answer lookups: one for these alone, one for whatever else is read
 *   feeds    word of every changed key, from one server or from each master of a cluster
 *   leases   of the followed VNIs, read by the reader, kept current by the feeds
 *
 * and beside them, where the directory is small, which addresses have a record at all: recorded.ts.
 */
import { asyncScheduler, BehaviorSubject, type SchedulerLike, Subject } from 'rxjs';
import { type Clock, monotonic } from '../../base/clock.ts';
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import {
  type Directory,
  type DirectoryChange,
  type DirectoryHealth,
  type DirectoryState,
  type Leases,
  type NetworkRestored,
  type RecordKey,
  type StoredRecord,
  type Values,
  noteUser,
} from '../directory.ts';
import type { Network } from '../network.ts';
import type { Prefixes } from '../prefixes.ts';
import type { Ownership } from '../ownership.ts';
import { RedisFeeds } from './feeds.ts';
import { RedisKeys } from './keys.ts';
import { type OnMalformed, RedisLeases } from './leases.ts';
import { RedisOwnership } from './ownership.ts';
import { RedisPrefixes } from './prefixes.ts';
import { RedisReader } from './reader.ts';
import { RedisRecorded } from './recorded.ts';
import { TrackedVnis } from './tracked-vnis.ts';
import type { RedisTarget } from './url.ts';
import { reasonOf } from '../../base/errors.ts';

export interface RedisDirectoryOptions {
  target: RedisTarget;
  keyPrefix?: string;
  /** Told of leases that do not count; values that `read` returns are the caller's to judge. */
  onMalformed?: OnMalformed;
  /** Drives the pings; ioredis keeps its own timers. */
  scheduler?: SchedulerLike;
  /** For `since`. */
  now?: Clock;
}

export class RedisDirectory implements Directory {
  readonly #state: BehaviorSubject<DirectoryState>;
  readonly #changes = new Subject<DirectoryChange>();
  readonly state$;
  readonly changes$ = this.#changes.asObservable();
  readonly prefixes: Prefixes;
  readonly #now: Clock;
  readonly #keys: RedisKeys;
  readonly #reader: RedisReader;
  readonly #feeds: RedisFeeds;
  readonly #leases: RedisLeases;
  readonly #recorded: RedisRecorded;
  readonly #ownership: RedisOwnership;
  readonly ownership: Ownership;
  readonly #tracked: TrackedVnis;
  #readerReason: string | undefined = 'connecting';
  #leasesReason: string | undefined;
  /** To be said as soon as the leases are read anew, so that records and leases are lost together. */
  #pending: 'gap' | 'flushed' | undefined;

  constructor({
    target,
    keyPrefix = 'missd',
    onMalformed = () => undefined,
    scheduler = asyncScheduler,
    now = monotonic,
  }: RedisDirectoryOptions) {
    this.#now = now;
    this.#state = new BehaviorSubject<DirectoryState>({
      up: false,
      reason: 'connecting',
      since: now(),
    });
    this.state$ = this.#state.asObservable();
    this.#keys = new RedisKeys(keyPrefix);
    this.#reader = new RedisReader(
      target,
      (reason) => {
        this.#answering(reason);
      },
      scheduler,
    );
    this.#leases = new RedisLeases(
      this.#reader,
      this.#keys,
      (vni) => {
        if (this.#pending === undefined) this.#changes.next({ type: 'leases', vni });
      },
      onMalformed,
      () => {
        this.#leasesReason = undefined;
        this.#publish();
      },
    );
    this.#recorded = new RedisRecorded(this.#reader, this.#keys);
    this.prefixes = new RedisPrefixes((commands) => this.#reader.ask(commands), this.#keys);
    const events = {
      armed: () => {
        this.#readAnew('gap');
      },
      changed: () => {
        this.#publish();
      },
      keys: (keys: Buffer[]) => {
        this.#heard(keys);
      },
      flushed: () => {
        this.#readAnew(this.#pending ?? 'flushed');
      },
      message: (text: string) => {
        this.#ownership.heard(text);
      },
    };
    this.#feeds = new RedisFeeds(target, this.#reader.cluster, this.#keys.tracked(0), events, scheduler);
    this.#tracked = new TrackedVnis(this.#feeds, this.#keys);
    this.ownership = this.#ownership = new RedisOwnership(this.#reader, this.#keys, this.#feeds);
  }

  start(): void {
    this.#feeds.start();
    this.#reader.start();
  }

  read(keys: RecordKey[]): Promise<Values> {
    const tags = keys.map(({ vni }) => vni);
    const read = (): Promise<Values> =>
      this.#reader.values(
        keys.map((key) => this.#keys.record(key)),
        tags,
      );
    return this.#tracked.ready(tags)?.then(read) ?? read();
  }

  leases(vni: Vni): Leases {
    return this.#leases.of(vni);
  }

  lacksRecord(vni: Vni, ip: Ip): boolean {
    return this.#recorded.lacks(vni, ip);
  }

  async follow(vnis: ReadonlySet<Vni>): Promise<void> {
    if ([...vnis].some((vni) => !this.#tracked.has(vni))) this.#recorded.forget();
    this.#leases.follow(vnis);
    await this.#tracked.follow(vnis);
    await this.#refreshLeases();
  }

  async isEmpty(vni: Vni): Promise<boolean> {
    await this.#tracked.ready([vni]);
    return this.#reader.none(this.#keys.pattern(vni), (raw) => {
      const key = this.#keys.decode(raw);
      return key?.what === 'record' || key?.what === 'lease';
    });
  }

  async *everything(vni: Vni): AsyncGenerator<StoredRecord> {
    const only = new Set([vni]);
    await this.#tracked.ready([vni]);
    for await (const [name, value] of this.#reader.everything(this.#keys.all(vni), vni)) {
      const changed = this.#keys.decode(Buffer.from(name), only);
      if (changed?.what === 'record' && value !== null) yield [changed.key, value];
    }
  }

  async usersOf(vni: Vni, macs: ReadonlySet<Mac>): Promise<ReadonlyMap<Mac, Ip[]>> {
    const users = new Map<Mac, Ip[]>();
    await this.#tracked.ready([vni]);
    const prefix = this.#keys.record({ vni, kind: 'ip', address: '' });
    for await (const [key, value] of this.#reader.everything(prefix, vni))
      noteUser(users, macs, key.slice(prefix.length), value);
    return users;
  }

  takePart(vni: Vni, vteps: readonly Ip[], milliseconds: number): Promise<Ip[]> {
    return this.#reader.takePart(this.#keys.vteps(vni), vteps, milliseconds);
  }

  leave(vni: Vni, vteps: readonly Ip[]): Promise<void> {
    return this.#reader.leave(this.#keys.vteps(vni), vteps);
  }

  network(name: string): Promise<Network | undefined> {
    return this.#reader.ask(async (client) => {
      // Loaded on demand: the parser takes memory.
      const { RedisNetworks } = await import('./networks.ts');
      return new RedisNetworks(client, this.#keys).named(name);
    });
  }

  restoreNetwork(network: Network): Promise<NetworkRestored> {
    return this.#reader.ask(async (client) => {
      const { RedisNetworks } = await import('./networks.ts');
      return new RedisNetworks(client, this.#keys).restore(network);
    });
  }

  health(): DirectoryHealth {
    const up = {
      lookups: this.#readerReason === undefined,
      feed: this.#feeds.reason === undefined,
      leases: this.#leasesReason === undefined && this.#leases.current,
    };
    const { lag, messages } = this.#feeds;
    return { up, feedLag: lag, feedMessages: messages, excessLeases: this.#leases.excess };
  }

  close(): Promise<void> {
    this.#feeds.close();
    this.#reader.close();
    this.#ownership.close();
    this.#changes.complete();
    this.#state.complete();
    return Promise.resolve();
  }

  #answering(reason: string | undefined): void {
    this.#readerReason = reason;
    if (reason === undefined && !this.#leases.idle) void this.#refreshLeases();
    else this.#publish();
  }

  #heard(raw: Buffer[]): void {
    const records: RecordKey[] = [];
    const networks = new Set<Vni>();
    let leases = false;
    for (const bytes of raw) {
      const changed = this.#keys.decode(bytes, this.#tracked.followed);
      if (changed === undefined) continue;
      this.#reader.heard(bytes.toString());
      if (changed.what === 'record') {
        records.push(changed.key);
        if (changed.key.kind === 'ip') this.#recorded.heard(changed.key.vni, changed.key.address);
      } else if (changed.what === 'network') {
        networks.add(changed.vni);
      } else if (changed.what !== 'vteps') {
        this.#leases.invalidate(changed.vni, changed.what === 'lease' ? changed.cidr : undefined);
        leases = true;
      }
    }
    if (records.length > 0) this.#changes.next({ type: 'records', keys: records });
    for (const vni of networks) this.#changes.next({ type: 'network', vni });
    if (leases) void this.#refreshLeases();
  }

  #readAnew(because: 'gap' | 'flushed'): void {
    this.#pending = because;
    this.#reader.heardOfAll();
    this.#recorded.forget();
    this.#leases.invalidate();
    void this.#refreshLeases();
  }

  /** Never rejects. What could not be read is tried again when the reader answers. */
  async #refreshLeases(): Promise<void> {
    try {
      do await this.#leases.refresh();
      while (!this.#leases.idle);
      this.#leasesReason = undefined;
    } catch (error) {
      this.#leasesReason = `leases cannot be read: ${reasonOf(error)}`;
    }
    this.#publish();
  }

  #publish(): void {
    if (this.#feeds.reason !== undefined) this.#recorded.forget();
    const reason = this.#readerReason ?? this.#feeds.reason ?? this.#leasesReason;
    const before = this.#state.value;
    if (reason !== undefined) {
      if (before.up) this.#state.next({ up: false, reason, since: this.#now() });
      else if (before.reason !== reason) this.#state.next({ ...before, reason });
      return;
    }
    // The gap is still being read; the directory is not up before.
    if (this.#pending !== undefined && !this.#leases.current) return;
    if (!before.up) this.#state.next({ up: true });
    // Only leases need to know which addresses have no record.
    const leasing = [...this.#tracked.followed].some((vni) => !this.#leases.of(vni).isEmpty);
    if (leasing) void this.#recorded.learn(this.#tracked.followed);
    if (this.#pending === undefined) return;
    const type = this.#pending;
    this.#pending = undefined;
    this.#changes.next({ type });
  }
}
