/** Guests that move between hosts: taken from another host when they are heard here, given up when they do not answer any more. */
import type { Faults } from '../base/guarded-lane.ts';
import type { Logger } from '../base/log.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import type { HostIdentity, Ownership, Published } from '../directory/ownership.ts';
import type { Guests } from './guests.ts';
import type { PublishCounters } from './publish-counters.ts';

/** MACs asked about at once, each by some of its addresses; an unanswered probe takes 300 ms. */
const MOST_ASKED = 64;
const MOST_PROBED = 4;

export type Done = Extract<Published, { outcome: 'ok' }>;

/** The host that has a MAC, and the epoch since. */
export interface Holder {
  host: string;
  epoch: number;
}

export interface GuestMovesDeps {
  ownership: Pick<Ownership, 'move' | 'owner'>;
  counters: PublishCounters;
  log: Logger;
  faults: Faults;
}

/** What follows from a move, in the publisher. */
export interface MoveOutcomes {
  /** Never rejects. @returns whether the directory did not answer */
  attempt(work: () => Promise<void>): Promise<boolean>;
  done(mac: Mac, ips: readonly Ip[], result: Done, heard: boolean): Promise<void>;
  /** This host has no lease. */
  lease(): void;
  frozen(mac: Mac, host: string): void;
  /** The MAC has another holder by now. */
  again(mac: Mac, heard: boolean): void;
  later(mac: Mac): void;
  /** The MAC is another host's. @returns whether it was published here */
  gone(mac: Mac): boolean;
}

export class GuestMoves {
  readonly #vni: Vni;
  readonly #guests: Guests;
  readonly #deps: GuestMovesDeps;
  readonly #outcomes: MoveOutcomes;
  /** Guests that are asked whether they are still here, each with a mark of its own. */
  readonly #asked = new Map<Mac, symbol>();

  constructor(vni: Vni, guests: Guests, deps: GuestMovesDeps, outcomes: MoveOutcomes) {
    this.#vni = vni;
    this.#guests = guests;
    this.#deps = deps;
    this.#outcomes = outcomes;
  }

  isAsking(mac: Mac): boolean {
    return this.#asked.has(mac);
  }

  /** @param how `here`: the guest was heard here. `back`: it was published here, and still answers. @throws DirectoryError */
  async take(
    host: HostIdentity,
    mac: Mac,
    ips: readonly Ip[],
    from: Holder,
    how: 'here' | 'back',
  ): Promise<void> {
    const { ownership, counters, log } = this.#deps;
    // What it answers does not matter any more.
    this.#asked.delete(mac);
    const result = await ownership.move(this.#vni, host, { mac, ips, kind: 'learned' }, from.epoch);
    if (result.outcome === 'ok') {
      counters.moves[how]++;
      const why = how === 'back' ? ' back: it answers here' : '';
      log.info(
        `VNI ${this.#vni}: guest ${mac} has moved here from host ${from.host}${why} (epoch ${result.epoch})`,
      );
      await this.#outcomes.done(mac, ips, result, how === 'here');
    } else if (result.outcome === 'lease') this.#outcomes.lease();
    else if (result.outcome === 'frozen') this.#outcomes.frozen(mac, result.host);
    else this.#outcomes.again(mac, how === 'here');
  }

  /** Another host has a MAC that this host knows. The guest is asked beside all other work, because that takes its time. */
  defend(host: HostIdentity, mac: Mac, ips: readonly Ip[], by: Holder): void {
    if (this.#asked.has(mac)) return;
    if (this.#asked.size >= MOST_ASKED) {
      this.#outcomes.later(mac);
      return;
    }
    const mark = Symbol(mac);
    this.#asked.set(mac, mark);
    void this.#outcomes
      .attempt(() => this.#askAndTake(host, mac, ips, by))
      .then((failed) => {
        if (this.#asked.get(mac) === mark) this.#asked.delete(mac);
        if (failed) this.#outcomes.later(mac);
      });
  }

  /** @throws DirectoryError */
  async #askAndTake(host: HostIdentity, mac: Mac, ips: readonly Ip[], by: Holder): Promise<void> {
    const { ownership, counters, log } = this.#deps;
    const mark = this.#asked.get(mac);
    const before = this.#guests.get(mac)?.seenAt;
    const theirs = (await ownership.owner(this.#vni, mac))?.ips ?? [];
    const asked = [...new Set([...ips, ...theirs])].slice(0, MOST_PROBED);
    const answers = await Promise.all(asked.map((ip) => this.#guests.probe(mac, ip)));
    // It was heard meanwhile.
    if (this.#asked.get(mac) !== mark) return;
    if (answers.includes(true)) await this.take(host, mac, ips, by, 'back');
    // It was heard, and its round has not come yet: a RARP comes once, and must not be forgotten.
    else if (this.#guests.get(mac)?.seenAt !== before) this.#outcomes.later(mac);
    else if (this.#outcomes.gone(mac)) {
      counters.moves.away++;
      log.info(`VNI ${this.#vni}: guest ${mac} has moved to host ${by.host}`);
    }
  }
}
