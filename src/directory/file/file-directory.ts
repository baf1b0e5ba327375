/** The directory as a file, for labs, tests and networks that do not change: read whole, and again when it changes. */
import { type BigIntStats, type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { asyncScheduler, BehaviorSubject, type SchedulerLike, Subject, type Subscription } from 'rxjs';
import { type Clock, monotonic } from '../../base/clock.ts';
import { reasonOf, UsageError } from '../../base/errors.ts';
import type { Ip, Mac, Vni } from '../../base/vocabulary.ts';
import {
  type Directory,
  type DirectoryChange,
  DirectoryError,
  type DirectoryHealth,
  type DirectoryState,
  type Leases,
  type NetworkRestored,
  type RecordKey,
  type StoredRecord,
  type Values,
  noteUser,
} from '../directory.ts';
import { readWithoutStopping } from './reader.ts';
import { difference, type FileContents } from './contents.ts';
import { LeaseTable } from '../leases.ts';
import type { Network } from '../network.ts';
import type { Prefixes } from '../prefixes.ts';
import { FilePrefixes, networkNamed } from './networks.ts';

/** A file that is written in place is not read half: it must be left alone this long first. */
const SETTLE = 100;
/** Network file systems and some containers report nothing. */
const POLL_INTERVAL = 1000;

/** Reads the file whole. @throws UsageError why it is not used, always as a rejection */
export type ReadFile = (file: string, stopped: AbortSignal) => Promise<FileContents>;

/** stat(2), as `fs.statSync` has it. @throws NodeJS.ErrnoException */
type Stat = (file: string) => BigIntStats;

export interface FileDirectoryOptions {
  file: string;
  read?: ReadFile;
  /** Receives one line, with file and line number, why the current file is not used. */
  onRejected?: (reason: string) => void;
  /** `fs.watch` of the file's folder. */
  watch?: (folder: string, changed: () => void) => FSWatcher;
  stat?: Stat;
  /** Drives the poll. */
  scheduler?: SchedulerLike;
  /** For `since`. */
  now?: Clock;
}

export class FileDirectory implements Directory {
  /** A file says where guests are; hosts do not write it. */
  readonly ownership = undefined;
  readonly #state: BehaviorSubject<DirectoryState>;
  readonly #changes = new Subject<DirectoryChange>();
  readonly state$;
  readonly changes$ = this.#changes.asObservable();
  readonly #file: string;
  readonly #read: ReadFile;
  readonly #onRejected: (reason: string) => void;
  readonly #scheduler: SchedulerLike;
  readonly #watch: NonNullable<FileDirectoryOptions['watch']>;
  readonly #stat: Stat;
  readonly prefixes: Prefixes;
  #contents: FileContents | undefined;
  /** Read before the start. */
  #first: FileContents | undefined;
  #followed: ReadonlySet<Vni> = new Set();
  #watcher: FSWatcher | undefined;
  #poll: Subscription | undefined;
  #settling: Subscription | undefined;
  /** Identity of the file that was read last, valid or not, or is being read. */
  #seen = '';
  /** Settles, never rejects, when the file has been read; there is one reading at a time. */
  #reading: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  /** Why the file was refused last. */
  #rejected = '';

  constructor({
    file,
    read = readWithoutStopping,
    onRejected = () => undefined,
    watch: watchFolder = watch,
    stat = statExactly,
    scheduler = asyncScheduler,
    now = monotonic,
  }: FileDirectoryOptions) {
    this.#file = file;
    this.prefixes = new FilePrefixes(file, () => this.#contents ?? this.#first);
    this.#read = read;
    this.#onRejected = onRejected;
    this.#scheduler = scheduler;
    this.#watch = watchFolder;
    this.#stat = stat;
    this.#state = new BehaviorSubject<DirectoryState>({
      up: false,
      reason: 'connecting',
      since: now(),
    });
    this.state$ = this.#state.asObservable();
  }

  /** Reads the file before `start` does. @throws UsageError naming file, line and reason */
  async readFirst(): Promise<void> {
    this.#seen = identity(this.#file, this.#stat);
    this.#first = await this.#read(this.#file, this.#stopping.signal);
  }

  /** An invalid file leaves the directory down until the file is valid. */
  start(): void {
    if (this.#first === undefined) this.#begin(identity(this.#file, this.#stat));
    else this.#take(this.#first);
    this.#first = undefined;
    try {
      // Watches the folder, since a rename replaces the file itself.
      this.#watcher = this.#watch(dirname(this.#file), () => {
        this.#look();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // The poll finds changes later.
    }
    this.#schedulePoll();
  }

  read(keys: RecordKey[]): Promise<Values> {
    const contents = this.#contents;
    if (contents === undefined) {
      return Promise.reject(new DirectoryError(this.#reason));
    }
    const valueOf = ({ vni, kind, address }: RecordKey): string | null =>
      contents.get(vni)?.values.get(`${kind}:${address}`) ?? null;
    return Promise.resolve(keys.map(valueOf));
  }

  leases(vni: Vni): Leases {
    return (this.#followed.has(vni) ? this.#contents?.get(vni)?.leases : undefined) ?? LeaseTable.EMPTY;
  }

  lacksRecord(vni: Vni, ip: Ip): boolean {
    return this.#contents !== undefined && this.#contents.get(vni)?.values.has(`ip:${ip}`) !== true;
  }

  follow(vnis: ReadonlySet<Vni>): Promise<void> {
    const added = [...vnis].filter((vni) => !this.#followed.has(vni));
    this.#followed = new Set(vnis);
    for (const vni of added)
      if (this.leases(vni).all().length > 0) this.#changes.next({ type: 'leases', vni });
    return Promise.resolve();
  }

  isEmpty(vni: Vni): Promise<boolean> {
    const found = this.#contents?.get(vni);
    return Promise.resolve(found === undefined || found.values.size + found.leases.all().length === 0);
  }

  everything(vni: Vni): StoredRecord[] {
    return [...(this.#contents?.get(vni)?.values ?? [])].map(([name, value]) => {
      const kind = name.startsWith('ip:') ? 'ip' : 'mac';
      return [{ vni, kind, address: name.slice(kind.length + 1) }, value];
    });
  }

  usersOf(vni: Vni, macs: ReadonlySet<Mac>): Promise<ReadonlyMap<Mac, Ip[]>> {
    const users = new Map<Mac, Ip[]>();
    for (const [name, value] of this.#contents?.get(vni)?.values ?? [])
      if (name.startsWith('ip:')) noteUser(users, macs, name.slice(3), value);
    return Promise.resolve(users);
  }

  /** What the file says; this host takes part if it is in it. */
  takePart(vni: Vni): Promise<Ip[]> {
    return Promise.resolve([...(this.#contents?.get(vni)?.vteps ?? [])]);
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  network(name: string): Promise<Network | undefined> {
    const contents = this.#contents ?? this.#first;
    return contents === undefined
      ? Promise.reject(new DirectoryError(this.#reason))
      : Promise.resolve().then(() => networkNamed(contents, name, this.#file));
  }

  /** A file is not written. */
  restoreNetwork(): Promise<NetworkRestored> {
    return Promise.resolve('there');
  }

  /** All of it is in memory. */
  health(): DirectoryHealth {
    const { up } = this.#state.value;
    return { up: { lookups: up, feed: up, leases: up }, feedLag: 0, feedMessages: 0, excessLeases: 0 };
  }

  close(): Promise<void> {
    this.#stopping.abort();
    this.#watcher?.close();
    this.#poll?.unsubscribe();
    this.#settling?.unsubscribe();
    this.#changes.complete();
    this.#state.complete();
    return Promise.resolve();
  }

  get #reason(): string {
    const state = this.#state.value;
    return state.up ? 'nothing was read yet' : state.reason;
  }

  #schedulePoll(): void {
    this.#poll = this.#scheduler.schedule(() => {
      this.#look();
      this.#schedulePoll();
    }, POLL_INTERVAL);
  }

  /** Any event in the directory is only a hint: what counts is whether the file is another one. */
  #look(): void {
    const now = identity(this.#file, this.#stat);
    // A change during the read is seen at the next check.
    if (now === this.#seen || this.#reading !== undefined) return;
    this.#settling?.unsubscribe();
    this.#settling = this.#scheduler.schedule(() => {
      if (identity(this.#file, this.#stat) === now) this.#begin(now);
      else this.#look();
    }, SETTLE);
  }

  #begin(seen: string): void {
    this.#seen = seen;
    this.#reading ??= this.#reread().finally(() => {
      this.#reading = undefined;
    });
  }

  async #reread(): Promise<void> {
    let contents: FileContents;
    try {
      contents = await this.#read(this.#file, this.#stopping.signal);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#reject(error);
      return;
    }
    if (!this.#stopping.signal.aborted) this.#take(contents);
  }

  #reject(error: unknown): void {
    const reason = reasonOf(error);
    const state = this.#state.value;
    if (!state.up) this.#state.next({ ...state, reason });
    // The file is not at fault (no thread could be started, say): the next check tries again without a report.
    const ours = !(error instanceof UsageError);
    if (ours) this.#seen = '';
    if (!ours || reason !== this.#rejected) this.#onRejected(reason);
    this.#rejected = reason;
  }

  #take(contents: FileContents): void {
    const before = this.#contents;
    this.#contents = contents;
    const { keys, leases, resync } = difference(before ?? new Map(), contents, this.#followed);
    for (const vni of leases) this.#changes.next({ type: 'leases', vni });
    if (before === undefined) this.#state.next({ up: true });
    // A file emptied by mistake is like a Redis that came back empty: the withdrawal guard decides.
    if (before === undefined || resync) this.#changes.next({ type: 'gap' });
    else if (keys.length > 0) this.#changes.next({ type: 'records', keys });
  }
}

const statExactly: Stat = (file) => statSync(file, { bigint: true });

/** Follows symbolic links, which is how files mounted into containers are replaced. */
function identity(file: string, stat: Stat): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = stat(file);
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
