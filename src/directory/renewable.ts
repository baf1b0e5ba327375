/**
 * A directory whose connection can be replaced by one with another password or certificate. The old one answers until
 * the new one does, and is closed then; what changed in between is in the gap that a new connection reports.
 */
import { BehaviorSubject, Subscription, filter, switchMap, take } from 'rxjs';
import { reasonOf } from '../base/errors.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import type { Network } from './network.ts';
import type { Prefixes } from './prefixes.ts';
import type { Ownership } from './ownership.ts';
import { RenewableOwnership } from './renewable-ownership.ts';
import type {
  Directory,
  DirectoryHealth,
  Leases,
  NetworkRestored,
  RecordKey,
  StoredRecord,
  Values,
} from './directory.ts';

/** What was asked of the old connection is answered by then, ms: more than the time any answer may take. */
const LAST_ANSWERS = 1_000;

export class RenewableDirectory implements Directory {
  readonly #current: BehaviorSubject<Directory>;
  readonly state$;
  readonly changes$;
  readonly #ownership: RenewableOwnership | undefined;
  readonly #onRefused: (reason: string) => void;
  readonly #closing = new Set<Directory>();
  #up = false;
  #followed: ReadonlySet<Vni> = new Set();
  #next: { directory: Directory; watch: Subscription } | undefined;
  readonly #watch: Subscription;

  /** @param onRefused receives why a new connection failed; the attempts go on */
  constructor(first: Directory, onRefused: (reason: string) => void) {
    this.#current = new BehaviorSubject(first);
    this.state$ = this.#current.pipe(switchMap(({ state$ }) => state$));
    this.changes$ = this.#current.pipe(switchMap(({ changes$ }) => changes$));
    if (first.ownership !== undefined) this.#ownership = this.#renewable(first.ownership);
    this.#onRefused = onRefused;
    this.#watch = this.state$.subscribe({ next: ({ up }) => (this.#up = up), error: this.#refused });
  }

  /** @param directory not started; the same address with other credentials */
  renew(directory: Directory): void {
    this.#giveUp();
    const watch = new Subscription();
    this.#next = { directory, watch };
    void directory.follow(this.#followed);
    if (directory.ownership !== undefined) this.#ownership?.prepare(directory.ownership);
    // The old connection does not answer either, so nothing is lost.
    if (!this.#up) this.#replace(directory);
    else {
      let said = 'connecting';
      watch.add(
        directory.state$.subscribe({
          next: (state) => {
            if (state.up || state.reason === said) return;
            said = state.reason;
            this.#onRefused(said);
          },
          error: this.#refused,
        }),
      );
      const up$ = directory.state$.pipe(
        filter(({ up }) => up),
        take(1),
      );
      watch.add(
        up$.subscribe({
          next: () => {
            this.#replace(directory);
          },
          error: this.#refused,
        }),
      );
    }
    directory.start();
  }

  get ownership(): Ownership | undefined {
    return this.#ownership;
  }

  start(): void {
    this.#current.value.start();
  }

  read(keys: RecordKey[]): Promise<Values> {
    return this.#current.value.read(keys);
  }

  leases(vni: Vni): Leases {
    return this.#current.value.leases(vni);
  }

  lacksRecord(vni: Vni, ip: Ip): boolean {
    return this.#current.value.lacksRecord(vni, ip);
  }

  follow(vnis: ReadonlySet<Vni>): Promise<void> {
    this.#followed = new Set(vnis);
    void this.#next?.directory.follow(vnis);
    return this.#current.value.follow(vnis);
  }

  isEmpty(vni: Vni): Promise<boolean> {
    return this.#current.value.isEmpty(vni);
  }

  everything(vni: Vni): Iterable<StoredRecord> | AsyncIterable<StoredRecord> {
    return this.#current.value.everything(vni);
  }

  usersOf(vni: Vni, macs: ReadonlySet<Mac>): Promise<ReadonlyMap<Mac, Ip[]>> {
    return this.#current.value.usersOf(vni, macs);
  }

  takePart(vni: Vni, vteps: readonly Ip[], milliseconds: number): Promise<Ip[]> {
    return this.#current.value.takePart(vni, vteps, milliseconds);
  }

  leave(vni: Vni, vteps: readonly Ip[]): Promise<void> {
    return this.#current.value.leave(vni, vteps);
  }

  network(name: string): Promise<Network | undefined> {
    return this.#current.value.network(name);
  }

  restoreNetwork(network: Network): Promise<NetworkRestored> {
    return this.#current.value.restoreNetwork(network);
  }

  get prefixes(): Prefixes {
    return this.#current.value.prefixes;
  }

  health(): DirectoryHealth {
    return this.#current.value.health();
  }

  async close(): Promise<void> {
    this.#giveUp();
    this.#watch.unsubscribe();
    await Promise.all([this.#current.value, ...this.#closing].map((one) => one.close()));
    this.#current.complete();
  }

  /** @param first stands in for a connection that has none, which does not happen: only the credentials differ */
  #renewable(first: Ownership): RenewableOwnership {
    const messages$ = this.#current.pipe(switchMap(({ ownership }) => (ownership ?? first).messages$));
    return new RenewableOwnership(() => this.#current.value.ownership ?? first, messages$);
  }

  #replace(directory: Directory): void {
    this.#next?.watch.unsubscribe();
    this.#next = undefined;
    const old = this.#current.value;
    this.#closing.add(old);
    this.#current.next(directory);
    setTimeout(() => {
      if (this.#closing.delete(old)) void old.close();
    }, LAST_ANSWERS).unref();
  }

  readonly #refused = (error: unknown): void => {
    this.#onRefused(reasonOf(error));
  };

  #giveUp(): void {
    this.#next?.watch.unsubscribe();
    void this.#next?.directory.close();
    this.#next = undefined;
  }
}
