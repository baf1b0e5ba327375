/**
 * The lease of this host in one VNI: taken at the start, renewed at a third of its length, taken again when it has lapsed.
 * A lease that another process has is not taken from it: this host publishes nothing until that lease has ended.
 *
 *   take ──▶ held ──renew──▶ held …
 *              │ gone (lapsed, FLUSHALL): another incarnation, take at once
 *              └ displaced, cloned, refused: wait until it is gone, then take
 */
import { randomBytes } from 'node:crypto';
import {
  type Observable,
  BehaviorSubject,
  Subject,
  concatMap,
  from,
  startWith,
  switchMap,
  timer,
} from 'rxjs';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Ip, Vni } from '../base/vocabulary.ts';
import type { HostIdentity, Ownership } from '../directory/ownership.ts';
import type { LeaseLoss, PublishCounters } from './publish-counters.ts';

/** Attempts while the directory does not answer, ms: it is taken again within a second of the directory's return. */
const RETRY = 500;

export interface HostLeaseDeps {
  ownership: Pick<Ownership, 'renew'>;
  counters: PublishCounters;
  log: Logger;
  complaints: FoldedLog;
  now: Clock;
  /** From 0 to 1. */
  random?: () => number;
  /** Called when the directory did not answer, and when the lease was lost. */
  unsettled?: () => void;
}

export interface HostLeaseOptions {
  vni: Vni;
  id: string;
  vtep: Ip;
  /** Length, ms. */
  length: number;
}

const newIncarnation = (): string => randomBytes(6).toString('hex');

export class HostLease {
  readonly vni: Vni;
  readonly #deps: HostLeaseDeps;
  readonly #random: () => number;
  #length: number;
  #host: HostIdentity;
  #counter = 0;
  #take = true;
  /** An earlier incarnation whose lease this process gives up. */
  #previous = '';
  /** Until when the lease lasts if it is not renewed, monotonic ms. */
  #until = -Infinity;
  #loss: LeaseLoss | undefined;
  readonly #wake$ = new Subject<number>();
  readonly #held$ = new BehaviorSubject<HostIdentity | undefined>(undefined);
  /** Replays the identity that has the lease, undefined while none has; emits another one each time that it was taken. */
  readonly held$ = this.#held$.asObservable();

  constructor({ vni, id, vtep, length }: HostLeaseOptions, deps: HostLeaseDeps) {
    this.vni = vni;
    this.#deps = deps;
    this.#random = deps.random ?? Math.random;
    this.#length = length;
    this.#host = { id, incarnation: newIncarnation(), vtep };
  }

  get id(): string {
    return this.#host.id;
  }

  get length(): number {
    return this.#length;
  }

  /** The identity that has the lease. */
  get held(): HostIdentity | undefined {
    return this.#held$.value;
  }

  /** Why this host has no lease; undefined where it has, or has not tried yet. */
  get loss(): LeaseLoss | undefined {
    return this.#loss;
  }

  /** Milliseconds until the lease ends if it is not renewed. */
  get remaining(): number {
    return Math.max(0, this.#until - this.#deps.now());
  }

  /** Takes and keeps the lease; never ends with an error. */
  work$(): Observable<unknown> {
    return this.#wake$.pipe(
      startWith(0),
      switchMap((delay) => timer(delay)),
      concatMap(() => from(this.#attempt())),
    );
  }

  /** Renews now, or at a random time within so many ms: the directory is back, or may have lost the lease. */
  check(within = 0): void {
    this.#wake$.next(within * this.#random());
  }

  /** From the next renewal on. @param length ms */
  last(length: number): void {
    this.#length = length;
  }

  /** The host has another VTEP. */
  moveTo(vtep: Ip): void {
    if (vtep === this.#host.vtep) return;
    this.#previous = this.#host.incarnation;
    this.#host = { ...this.#host, incarnation: newIncarnation(), vtep };
    this.#take = true;
    this.check();
  }

  async #attempt(): Promise<void> {
    this.#wake$.next(await this.#renew());
  }

  /** Never rejects. @returns delay of the next attempt, ms */
  async #renew(): Promise<number> {
    const { ownership, now, complaints } = this.#deps;
    const host = this.#host;
    const sentAt = now();
    let renewal: Awaited<ReturnType<Ownership['renew']>>;
    try {
      renewal = await ownership.renew(
        this.vni,
        host,
        ++this.#counter,
        this.#length,
        this.#take,
        this.#previous,
      );
    } catch (error) {
      this.#deps.unsettled?.();
      complaints.warn(`VNI ${this.vni}: the lease of host ${host.id} cannot be renewed`, reasonOf(error));
      return RETRY * (0.5 + this.#random() / 2);
    }
    // Its VTEP has changed meanwhile.
    if (host !== this.#host) return 0;
    switch (renewal.outcome) {
      case 'renewed':
      case 'taken':
        this.#until = sentAt + this.#length;
        this.#hold(host, renewal.outcome === 'taken');
        break;
      case 'gone':
        if (this.held !== undefined) this.#lose('lapsed', 'it ended before it was renewed');
        this.#renewIdentity();
        this.#take = true;
        return 0;
      case 'refused':
        this.#lose('refused', `a host with the VTEP ${renewal.vtep} has it`);
        this.#take = false;
        break;
      case 'displaced':
        this.#lose('displaced', 'another process with the same id and VTEP has it');
        this.#take = false;
        break;
      case 'cloned':
        this.#lose('cloned', 'a copy of this process renews it');
        this.#renewIdentity();
        this.#take = false;
    }
    // Not in step with other hosts.
    return (this.#length / 3) * (0.8 + 0.2 * this.#random());
  }

  #hold(host: HostIdentity, taken: boolean): void {
    const { log } = this.#deps;
    this.#take = false;
    this.#previous = '';
    if (this.#loss !== undefined)
      log.info(`VNI ${this.vni}: host ${host.id} has its lease again, and publishes`);
    this.#loss = undefined;
    if (taken || this.held === undefined) this.#held$.next(host);
  }

  #lose(loss: LeaseLoss, why: string): void {
    const { counters, log } = this.#deps;
    // Said once, until the lease is held again.
    if (this.#loss !== loss) {
      counters.leaseLosses[loss]++;
      const level = loss === 'lapsed' ? 'info' : 'warn';
      const then = loss === 'lapsed' ? 'it is taken again' : 'nothing is published until that lease ends';
      log[level](`VNI ${this.vni}: the lease of host ${this.#host.id} is lost, ${why}; ${then}`);
    }
    this.#deps.unsettled?.();
    this.#loss = loss;
    this.#until = -Infinity;
    if (this.held !== undefined) this.#held$.next(undefined);
  }

  #renewIdentity(): void {
    this.#host = { ...this.#host, incarnation: newIncarnation() };
  }
}
