/**
 * Stage 6 of a miss, for few of them. Takes L2 questions for a MAC that has no `mac:` record and no known address: a guest's
 * ARP entry outlived both our entries and a restart. Gives the questions back once all `ip:` records of the VNI were searched
 * for that MAC. The search is rare, because it reads every record.
 */
import { type Observable, Subject, concatMap, from, map } from 'rxjs';
import { DirectoryError } from '../directory/directory.ts';
import { groupBy } from '../base/group-by.ts';
import { ExpiringSet } from '../base/expiring-set.ts';
import type { Answered, LookupDeps } from './lookup.ts';
import type { Question } from '../model/question.ts';

/** MACs searched for at once. */
const MOST_SOUGHT = 256;
/** Between two searches, ms, and as a multiple of the last one's duration, so that searching takes 1 % of the time at most. */
const LEAST_REST = 1_000;
const REST = 100;
/** How long a MAC that no record names is not searched for again, ms; the feed reports a later record. */
const FRUITLESS = 600_000;
const MOST_FRUITLESS = 65_536;

export class MacOwnerSearch {
  readonly #deps: LookupDeps;
  readonly #sought$ = new Subject<Question[]>();
  /** By VNI and MAC. */
  readonly #fruitless: ExpiringSet;
  #restUntil = 0;

  constructor(deps: LookupDeps) {
    this.#deps = deps;
    this.#fruitless = new ExpiringSet(FRUITLESS, MOST_FRUITLESS, deps.now);
  }

  /** Takes the questions that a search may answer; `found$` gives them back, to be looked up once more. */
  take(answered: readonly Answered[]): ReadonlySet<Question> {
    if (this.#deps.now() < this.#restUntil) return new Set();
    const sought = answered
      .filter(({ question, result }) => result === 'absent' && this.#isUntraced(question))
      .slice(0, MOST_SOUGHT)
      .map(({ question }) => question);
    if (sought.length === 0) return new Set();
    // One search at a time.
    this.#restUntil = Infinity;
    this.#sought$.next(sought);
    return new Set(sought);
  }

  found$(): Observable<Question[]> {
    return this.#sought$.pipe(
      concatMap((questions) => from(this.#search(questions)).pipe(map(() => questions))),
    );
  }

  /** Never rejects: where the directory fails the guest asks again. */
  async #search(questions: Question[]): Promise<void> {
    const { directory, now, report } = this.#deps;
    const started = now();
    const vnis = groupBy(questions, ({ device }) => device.vni);
    await Promise.all(
      [...vnis].map(async ([vni, together]) => {
        try {
          const users = await directory.usersOf(vni, new Set(together.map(({ address }) => address)));
          for (const { device, address } of together) {
            const ips = users.get(address) ?? [];
            if (ips.length === 0) this.#fruitless.add(`${vni} ${address}`);
            for (const ip of ips) device.tables.remember(address, ip);
          }
        } catch (error) {
          if (!(error instanceof DirectoryError)) report.broken('lookups', error);
        }
      }),
    );
    for (const question of questions) question.searched = true;
    this.#restUntil = now() + Math.max(LEAST_REST, REST * (now() - started));
  }

  #isUntraced({ device, layer, address, searched }: Question): boolean {
    return (
      layer === 'l2' &&
      searched !== true &&
      device.tables.addressesOf(address).length === 0 &&
      !this.#fruitless.has(`${device.vni} ${address}`)
    );
  }
}
