/** Remembers the ports of a bridge, so that they can be plugged in again after somebody has deleted the bridge. */
import type { Link } from '../base/vocabulary.ts';
import type { Clock } from '../base/clock.ts';

/** The kernel reports the ports as without a bridge just before it reports the bridge as gone, ms. */
const TOGETHER = 1_000;

export class BridgePorts {
  readonly #bridge: string;
  readonly #now: Clock;
  #ifindex = 0;
  /** Names by ifindex, and since when they are without the bridge. */
  readonly #ports = new Map<number, { name: string; since: number | undefined }>();
  /** Of a bridge that was deleted; names and ifindexes. */
  readonly lost = new Map<string, number>();

  constructor(bridge: string, now: Clock) {
    this.#bridge = bridge;
    this.#now = now;
  }

  /** All links of the namespace, where they are known. */
  learn(links: Iterable<Link>): void {
    const all = [...links];
    this.#ifindex = all.find(({ name }) => name === this.#bridge)?.ifindex ?? this.#ifindex;
    for (const link of all) this.heard(link, false);
  }

  heard(link: Link, removed: boolean): void {
    const { ifindex, name, master } = link;
    if (name === this.#bridge || ifindex === this.#ifindex) {
      if (removed && ifindex === this.#ifindex) this.#lose();
      else if (!removed) this.#ifindex = ifindex;
      return;
    }
    const known = this.#ports.get(ifindex);
    if (removed) {
      this.#ports.delete(ifindex);
      this.lost.delete(name);
    } else if (master !== 0 && master === this.#ifindex) {
      this.#ports.set(ifindex, { name, since: undefined });
      this.lost.delete(name);
    } else if (known !== undefined && known.since === undefined) {
      known.since = this.#now();
    }
  }

  #lose(): void {
    const now = this.#now();
    for (const [ifindex, { name, since }] of this.#ports)
      if (since === undefined || now - since < TOGETHER) this.lost.set(name, ifindex);
    this.#ports.clear();
    this.#ifindex = 0;
  }
}
