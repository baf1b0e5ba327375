/** Removes what hosts whose lease has ended have left behind: found by a poll, removed in pieces. */
import { type Observable, Subject, concatMap, from, startWith, switchMap, timer } from 'rxjs';
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Ownership } from '../directory/ownership.ts';
import type { Prefixes } from '../directory/prefixes.ts';
import type { HostLease } from './host-lease.ts';
import type { PublishCounters } from './publish-counters.ts';
import type { Settled } from './settled.ts';

/** MACs removed by one script: a millisecond of the server's time. */
const PIECE = 64;
/** An answer that took longer than this may be from before a gap, ms. */
const LATE = 200;

export interface ReaperDeps {
  ownership: Pick<Ownership, 'hosts' | 'reap'>;
  prefixes: Pick<Prefixes, 'withdraw'>;
  settled: Settled;
  counters: PublishCounters;
  log: Logger;
  complaints: FoldedLog;
  now: Clock;
  /** From 0 to 1. */
  random?: () => number;
}

export class Reaper {
  readonly #lease: HostLease;
  readonly #deps: ReaperDeps;
  readonly #next$ = new Subject<void>();

  constructor(lease: HostLease, deps: ReaperDeps) {
    this.#lease = lease;
    this.#deps = deps;
  }

  /** Never ends with an error. */
  work$(): Observable<unknown> {
    return this.#next$.pipe(
      startWith(undefined),
      // Of a lease half to all: survivors do not poll in step, and a dead host is found within a lease of its end.
      switchMap(() => timer(this.#lease.length * (0.5 + (this.#deps.random ?? Math.random)() / 2))),
      concatMap(() => from(this.#poll())),
    );
  }

  /** Never rejects. */
  async #poll(): Promise<void> {
    const { complaints } = this.#deps;
    try {
      await this.reap();
    } catch (error) {
      complaints.warn(`VNI ${this.#lease.vni}: hosts without a lease cannot be looked for`, reasonOf(error));
    }
    this.#next$.next();
  }

  /** @throws DirectoryError */
  async reap(): Promise<void> {
    const { ownership, settled, now } = this.#deps;
    const { vni, id, length } = this.#lease;
    // A host that cannot renew its own lease cannot judge others.
    if (this.#lease.held === undefined || !(await settled.for(length))) return;
    const askedAt = now();
    const hosts = await ownership.hosts(vni);
    if (now() - askedAt > LATE) return;
    for (const host of hosts)
      if (host.lease === undefined && host.id !== id) await this.#remove(host.id, host.incarnation);
  }

  async #remove(id: string, incarnation: string): Promise<void> {
    const { ownership, prefixes, settled, counters, log } = this.#deps;
    const { vni, length } = this.#lease;
    // Before the last piece, with which the incarnation is forgotten.
    const leases = await prefixes.withdraw(vni, id, incarnation);
    if (leases > 0) log.info(`VNI ${vni}: the lease of host ${id} has ended; its prefix is withdrawn`);
    let removed = 0;
    for (let left = 1; left > 0 && this.#lease.held !== undefined && settled.soFar(length);) {
      const piece = await ownership.reap(vni, id, incarnation, PIECE);
      removed += piece.reaped;
      left = piece.left;
    }
    counters.publications.reaped += removed;
    if (removed > 0)
      log.info(`VNI ${vni}: the lease of host ${id} has ended; the records of ${removed} guests are removed`);
  }
}
