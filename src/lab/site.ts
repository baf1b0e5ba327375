/** Builds a blueprint: hosts, guests, the directory if the blueprint has one, and a missd per host. */
import type { Blueprint } from './blueprint.ts';
import { Daemon } from './daemon.ts';
import type { Guest, GuestOptions } from './guest.ts';
import type { Host } from './host.ts';
import { Lab } from './lab.ts';
import { FileStore, type RecordStore, RedisStore } from './record-store.ts';

/** Two guests on different hosts; `from` pings `to`. */
export interface Pair {
  readonly from: Guest;
  readonly to: Guest;
}

export interface SiteOptions {
  /** Guests on every host; the blueprint's number by default. */
  guests?: number;
  /** Guests without an IPv6 address. */
  ip4Only?: boolean;
  /** See `LabOptions`. */
  keepAs?: string | undefined;
}

export class Site {
  readonly blueprint: Blueprint;
  readonly lab: Lab;
  readonly store: RecordStore | undefined;
  readonly daemons: Daemon[] = [];
  readonly guests: Guest[] = [];
  readonly #without: Pick<GuestOptions, 'ip6'>;

  /** Resolves when all records are published and all daemons are ready. No guest has sent a packet to another yet. */
  static async build(blueprint: Blueprint, options: SiteOptions = {}): Promise<Site> {
    const { guests = blueprint.guests, ip4Only = false, keepAs } = options;
    const lab = await Lab.open(keepAs === undefined ? {} : { keepAs });
    try {
      const site = new Site(blueprint, lab, await storeFor(blueprint, lab), ip4Only ? { ip6: null } : {});
      for (let n = 1; n <= blueprint.hosts; n += 1) await lab.addHost(blueprint.segment(n));
      for (const host of site.hosts) {
        for (let k = 1; k <= guests; k += 1) {
          const n = (host.n - 1) * guests + k;
          site.guests.push(await host.addGuest({ n, dad: false, ...site.#without }));
        }
      }
      await site.store?.publish(...site.guests);
      await site.#serve();
      return site;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(
    blueprint: Blueprint,
    lab: Lab,
    store: RecordStore | undefined,
    without: Pick<GuestOptions, 'ip6'>,
  ) {
    this.#without = without;
    this.blueprint = blueprint;
    this.lab = lab;
    this.store = store;
  }

  get hosts(): readonly Host[] {
    return this.lab.hosts;
  }

  guestsOf(host: Host): Guest[] {
    return this.guests.filter(({ segment }) => segment.host === host);
  }

  /** Pairs the first guests of every host with the guests of the next host; with two hosts in one direction only. */
  pairs(each: number): Pair[] {
    const asking = this.hosts.length === 2 ? this.hosts.slice(0, 1) : this.hosts;
    return asking.flatMap((host) => {
      const next = this.hosts[host.n % this.hosts.length] ?? host;
      const others = this.guestsOf(next);
      return this.guestsOf(host)
        .slice(0, each)
        .flatMap((from, at) => (others[at] === undefined ? [] : [{ from, to: others[at] }]));
    });
  }

  /**
   * Moves a guest in the order of a container scheduler: removed on the old host, started on the new host, then the record.
   * @returns ms since the epoch: `gone` after the removal, `at` when the guest was up and its record written
   */
  async move(guest: Guest, host: Host): Promise<{ gone: number; at: number }> {
    await guest.remove();
    const gone = Date.now();
    const moved = await host.addGuest({ n: guest.n, dad: false, announce: true, ...this.#without });
    this.guests.splice(this.guests.indexOf(guest), 1, moved);
    const up = Date.now();
    return { gone, at: (await this.store?.publish(moved)) ?? up };
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  async #serve(): Promise<void> {
    const { filling } = this.blueprint;
    for (const host of this.store === undefined ? [] : this.hosts) {
      const flags = filling === 'miss' ? [] : ['--strategy', `${host.segment.vni}=${filling}`];
      const options = { netns: host.served, ...this.store?.source, flags };
      this.daemons.push(await Daemon.start(this.lab, options));
    }
    await Promise.all(this.daemons.map((daemon) => daemon.ready()));
  }
}

async function storeFor({ directory }: Blueprint, lab: Lab): Promise<RecordStore | undefined> {
  if (directory === undefined) return undefined;
  return directory === 'redis' ? RedisStore.start(lab) : new FileStore(lab);
}
