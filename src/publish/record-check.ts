/** Records that this host published and that the feed names: read, and reported where they say something else. */
import { type Observable, Subject, concatMap, exhaustMap, from, timer } from 'rxjs';
import type { Faults } from '../base/guarded-lane.ts';
import type { Mac } from '../base/vocabulary.ts';
import { chunks } from '../base/chunks.ts';
import { type Directory, DirectoryError, type RecordKey } from '../directory/directory.ts';
import type { HostLease } from './host-lease.ts';
import type { PublishedGuests } from './published-guests.ts';

/** Between the word of a change and the read, ms, at random: what many hosts published may go at once. */
const DELAY = 300;

export interface RecordCheckDeps {
  directory: Pick<Directory, 'read'>;
  faults: Faults;
  random?: () => number;
}

export class RecordCheck {
  readonly #lease: HostLease;
  readonly #published: PublishedGuests;
  readonly #deps: RecordCheckDeps;
  readonly #differs: (mac: Mac) => void;
  #keys = new Map<string, RecordKey>();
  /** MACs whose records may have changed, until they are read. */
  #suspects = new Set<Mac>();
  readonly #due$ = new Subject<void>();

  /** @param differs receives the MACs whose records are to be written again */
  constructor(
    lease: HostLease,
    published: PublishedGuests,
    deps: RecordCheckDeps,
    differs: (mac: Mac) => void,
  ) {
    this.#lease = lease;
    this.#published = published;
    this.#deps = deps;
    this.#differs = differs;
  }

  work$(): Observable<unknown> {
    const random = this.#deps.random ?? Math.random;
    return this.#due$.pipe(
      exhaustMap(() => timer(DELAY * random())),
      concatMap(() => from(this.#attempt())),
    );
  }

  /** Whether a record of the MAC may have changed. */
  concerns(mac: Mac): boolean {
    return this.#suspects.has(mac);
  }

  heard(keys: readonly RecordKey[]): void {
    let any = false;
    for (const key of keys) {
      const users = key.vni === this.#lease.vni ? this.#usersOf(key) : [];
      if (users.length === 0) continue;
      for (const mac of users) this.#suspects.add(mac);
      this.#keys.set(`${key.kind} ${key.address}`, key);
      any = true;
    }
    if (any) this.#due$.next();
  }

  #usersOf({ kind, address }: RecordKey): Mac[] {
    if (kind === 'ip') return [...this.#published.usersOf(address)];
    return this.#published.has(address) ? [address] : [];
  }

  /** Never rejects. After an outage a gap is the reason to look at everything. */
  async #attempt(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (!(error instanceof DirectoryError)) this.#deps.faults.broken('publish', error);
    }
  }

  async #read(): Promise<void> {
    const keys = [...this.#keys.values()];
    this.#keys = new Map();
    try {
      await this.#compare(keys);
    } finally {
      this.#suspects = new Set([...this.#keys.values()].flatMap((key) => this.#usersOf(key)));
    }
  }

  async #compare(keys: readonly RecordKey[]): Promise<void> {
    for (const some of chunks(keys)) {
      const values = await this.#deps.directory.read(some);
      const vtep = this.#lease.held?.vtep;
      for (const [index, key] of some.entries())
        for (const mac of this.#usersOf(key)) {
          const value = values[index];
          const state = key.kind === 'ip' ? this.#published.get(mac)?.get(key.address) : 'ok';
          const own = key.kind === 'ip' ? `${mac} ${vtep}` : vtep;
          if (state !== 'ok' || value !== own) this.#differs(mac);
        }
    }
  }
}
