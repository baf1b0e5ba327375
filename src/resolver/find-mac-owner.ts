/**
 * An L2 miss for a MAC that has no `mac:` record, and of which nobody here remembers an address: a guest's ARP entry
 * outlived both our entries and a restart. Only an `ip:` record can say where the MAC is, and its key is not known, so
 * the records of the VNI are searched for it; seldom, since that reads them all.
 */
import { type Observable, Subject, concatMap, from, map } from 'rxjs';
import { DirectoryError } from '../directory/directory.ts';
import { groupBy } from '../base/group-by.ts';
import { ExpiringSet } from '../base/expiring-set.ts';
import type { LookupDeps } from './deps.ts';
import type { Answered } from './lookup.ts';
import type { Question } from '../model/question.ts';

/** MACs searched for at once; a guest may send to as many as it likes. */
const MOST_SOUGHT = 256;
/** Between two searches, ms, and as a multiple of what the last one took: a hundredth of the time at most. */
const LEAST_REST = 1_000;
const REST = 100;
/** How long a MAC that no record names is not searched for again, ms; a record that comes later is heard of. */
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

  /** Takes the questions that a search may answer; `found$` brings them back, to be looked up once more. */
  take(answered: readonly Answered[]): ReadonlySet<Question> {
    if (this.#deps.now() < this.#restUntil) return new Set();
    const sought = answered
      .filter(({ question, result }) => result === 'absent' && this.#isUntraced(question))
      .slice(0, MOST_SOUGHT)
      .map(({ question }) => question);
    if (sought.length === 0) return new Set();
    // Until it is over there is no other.
    this.#restUntil = Infinity;
    this.#sought$.next(sought);
    return new Set(sought);
  }

  found$(): Observable<Question[]> {
    return this.#sought$.pipe(
      concatMap((questions) => from(this.#search(questions)).pipe(map(() => questions))),
    );
  }

  /** Never rejects: what the directory cannot say now is asked again by the guest. */
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
