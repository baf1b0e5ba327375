/** The guests of a publisher that wait for a look, and the rounds in which they get it: some at a time, each guarded. */
import { type Observable, Subject, concatMap, from, switchMap, timer } from 'rxjs';
import { reasonOf } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Faults } from '../base/guarded-lane.ts';
import type { FoldedLog } from '../base/log.ts';
import type { Mac, Vni } from '../base/vocabulary.ts';
import { DirectoryError } from '../directory/directory.ts';

/** Guests in one round: so many scripts wait at the server, a millisecond of its time. */
const ROUND = 32;
/** Guests that wait: many times those of a host. */
const MOST_DUE = 65_536;
/** Until the directory is asked again that did not answer, ms. */
const PAUSE = 500;

export interface DueGuestsDeps {
  complaints: FoldedLog;
  faults: Faults;
  now: Clock;
  /** From 0 to 1. */
  random?: () => number;
}

export interface Round {
  /** Whether guests can be published now. */
  ready(): boolean;
  /** Called before a round. @throws DirectoryError */
  prepare(): Promise<void>;
  /** @param heard whether the guest was heard since its last look. @throws DirectoryError */
  look(mac: Mac, heard: boolean): Promise<void>;
}

export class DueGuests {
  readonly #vni: Vni;
  readonly #round: Round;
  readonly #deps: DueGuestsDeps;
  readonly #random: () => number;
  readonly #due = new Map<Mac, boolean>();
  /** Guests that are looked at now. */
  readonly #looking = new Set<Mac>();
  /** When a guest is looked at again, monotonic ms. */
  readonly #again = new Map<Mac, number>();
  readonly #kick$ = new Subject<number>();

  constructor(vni: Vni, round: Round, deps: DueGuestsDeps) {
    this.#vni = vni;
    this.#round = round;
    this.#deps = deps;
    this.#random = deps.random ?? Math.random;
  }

  /** Never ends with an error. */
  work$(): Observable<unknown> {
    return this.#kick$.pipe(
      switchMap((delay) => timer(delay)),
      concatMap(() => from(this.#rounds())),
    );
  }

  has(mac: Mac): boolean {
    return this.#due.has(mac) || this.#looking.has(mac);
  }

  add(mac: Mac, heard: boolean): void {
    this.#put(mac, heard);
    if (this.#due.size === 1) this.kick();
  }

  /** At a random time within so many ms. */
  addAll(macs: Iterable<Mac>, within: number): void {
    for (const mac of macs) this.#put(mac, false);
    this.kick(within);
  }

  /** Looks at a guest again. @param after ms */
  later(mac: Mac, after: number): void {
    this.#again.set(mac, this.#deps.now() + after);
  }

  forget(mac: Mac): void {
    this.#again.delete(mac);
  }

  /** Begins a round at a random time within so many ms. */
  kick(within = 0): void {
    this.#kick$.next(within * this.#random());
  }

  /** Called every second. */
  tick(): void {
    const now = this.#deps.now();
    for (const [mac, at] of this.#again) {
      if (at > now) continue;
      this.#again.delete(mac);
      this.add(mac, false);
    }
  }

  /** Never rejects. @returns whether the directory did not answer */
  async failed(work: () => Promise<void>): Promise<boolean> {
    const { faults, complaints } = this.#deps;
    try {
      await work();
      return false;
    } catch (error) {
      if (error instanceof DirectoryError) {
        complaints.warn(`VNI ${this.#vni}: guests cannot be published`, reasonOf(error));
        return true;
      }
      faults.broken('publish', error);
      return false;
    }
  }

  #put(mac: Mac, heard: boolean): void {
    if (this.#due.size < MOST_DUE || this.#due.has(mac))
      this.#due.set(mac, heard || this.#due.get(mac) === true);
    else this.#deps.faults.overflown('publish', 1);
  }

  /** Never rejects. */
  async #rounds(): Promise<void> {
    if (this.#round.ready() && (await this.failed(() => this.#round.prepare()))) {
      this.#pause();
      return;
    }
    while (this.#due.size > 0 && this.#round.ready()) {
      const round = [...take(this.#due, ROUND)];
      for (const [mac] of round) this.#due.delete(mac);
      const failed = await Promise.all(round.map(([mac, heard]) => this.#look(mac, heard)));
      if (!failed.includes(true)) continue;
      this.#pause();
      return;
    }
  }

  #pause(): void {
    this.#kick$.next(PAUSE * (0.5 + this.#random() / 2));
  }

  /** Never rejects. @returns whether the directory did not answer */
  async #look(mac: Mac, heard: boolean): Promise<boolean> {
    this.#looking.add(mac);
    const failed = await this.failed(() => this.#round.look(mac, heard));
    this.#looking.delete(mac);
    if (failed) this.#put(mac, heard);
    return failed;
  }
}

function* take<T>(items: Iterable<T>, most: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === most) return;
    yield item;
  }
}
