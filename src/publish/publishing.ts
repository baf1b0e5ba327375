/**
 * The networks that this host has joined, as the directory sees them: host leases, records of guests, and what other hosts left
 * behind. Without ownership (a directory in a file) there is none of it.
 */
import { EMPTY, type Observable, Subject, map, merge, mergeMap } from 'rxjs';
import type { Clock } from '../base/clock.ts';
import { type Faults, attempt } from '../base/guarded-lane.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { Ip, Vni } from '../base/vocabulary.ts';
import type { Directory, DirectoryChange } from '../directory/directory.ts';
import type { Network } from '../directory/network.ts';
import type { Ownership } from '../directory/ownership.ts';
import type { JoinedNetwork } from '../join/joined.ts';
import type { NamespaceEvent } from '../links/namespace-event.ts';
import type { ServedDevice } from '../model/device.ts';
import { REFUSED, type Refused } from './guest-rules.ts';
import { JoinedPublisher } from './joined-publisher.ts';
import { NetworkCounters } from './network-counters.ts';
import { type PublishAccount, publishAccount } from './publish-account.ts';
import { type LeaseLoss, PublishCounters } from './publish-counters.ts';
import { Settled } from './settled.ts';

export interface PublishingDeps {
  directory: Pick<Directory, 'read' | 'ownership' | 'prefixes' | 'restoreNetwork' | 'leases'>;
  /** `--host-id`; the VTEP by default. */
  hostId: string | undefined;
  /** The served device of a joined network. */
  deviceOf: (joined: JoinedNetwork) => ServedDevice | undefined;
  /** Another host has the prefix of this host in a network. */
  prefixLost: (network: string) => void;
  log: Logger;
  complaints: FoldedLog;
  faults: Faults;
  now: Clock;
}

/** How it stands with the publishing of a network, for the status. */
export interface PublishState {
  network: string;
  vni: number;
  host: string;
  /** Seconds until the lease ends if it is not renewed; 0 while this host has none. */
  lease: number;
  /** Why this host has none. */
  loss?: LeaseLoss;
  guests: number;
  addresses: number;
  /** Addresses that are not published: another MAC has them, or a record was written by hand. MACs that moved too often. */
  refused: { duplicate: number; manual: number; frozen: number };
  /** Addresses that another MAC has. */
  claims: { ip: Ip; mac: string; owner: string; host: string; refused: boolean }[];
}

export class Publishing {
  readonly counters = new PublishCounters();
  readonly networkCounters = new NetworkCounters();
  readonly #deps: PublishingDeps;
  readonly #ownership: Ownership | undefined;
  readonly #settled: Settled | undefined;
  readonly #networks = new Map<string, JoinedPublisher>();
  readonly #added$ = new Subject<JoinedPublisher>();
  #joined: readonly JoinedNetwork[] = [];

  constructor(deps: PublishingDeps) {
    this.#deps = deps;
    this.#ownership = deps.directory.ownership;
    if (this.#ownership !== undefined) this.#settled = new Settled(this.#ownership, deps.now);
  }

  /** All work; never ends with an error. */
  work$(joined$: Observable<readonly JoinedNetwork[]>): Observable<unknown> {
    if (this.#ownership === undefined) return EMPTY;
    const { faults } = this.#deps;
    return merge(
      this.#added$.pipe(mergeMap((network) => network.work$())),
      joined$.pipe(map((joined) => attempt('publish', () => this.#follow(joined), faults))),
      this.#ownership.messages$.pipe(
        map((message) => {
          for (const network of this.#networks.values())
            if (network.network.vni === message.vni)
              attempt('publish', () => network.onMessage(message), faults);
        }),
      ),
    );
  }

  /**
   * Acquires the prefix of this host in a routed network. From now on it keeps its lease there. A directory without host leases
   * has the prefix that is reserved for the host.
   * @throws NoPrefixLeft, DirectoryError; the caller tries again
   */
  prefixOf(network: Network, vtep: Ip): Promise<string> {
    const opened = this.#open(network, vtep);
    if (opened !== undefined) return opened.keeper.acquire();
    const host = { id: this.#deps.hostId ?? vtep, incarnation: '', vtep };
    return this.#deps.directory.prefixes.acquire(network, host);
  }

  onEvent(event: NamespaceEvent): void {
    for (const network of this.#networks.values()) network.onEvent(event);
    if (event.type === 'served' || event.type === 'gone') this.#serve();
  }

  onChange(change: DirectoryChange): void {
    if (change.type === 'gap' || change.type === 'flushed') this.#settled?.gap();
    for (const network of this.#networks.values()) network.onChange(change);
  }

  /** Whether the directory answers. */
  onState(up: boolean): void {
    this.#settled?.state(up);
    if (up) for (const network of this.#networks.values()) network.resume();
  }

  /** Called every second. */
  tick(): void {
    for (const network of this.#networks.values()) network.tick();
  }

  /** This host leaves a network: withdraws what it published. @throws DirectoryError */
  async release({ network }: JoinedNetwork): Promise<void> {
    const leaving = this.#networks.get(network.name);
    this.#networks.delete(network.name);
    this.#listen();
    await leaving?.leave();
  }

  states(): PublishState[] {
    return [...this.#networks.values()].map(({ network, lease, publisher }) => ({
      ...{ network: network.name, vni: network.vni, host: lease.id, lease: lease.remaining / 1000 },
      ...(lease.loss !== undefined && { loss: lease.loss }),
      guests: [...(publisher?.published.macs() ?? [])].length,
      addresses: publisher?.published.count('ok') ?? 0,
      refused: {
        duplicate: publisher?.published.count('duplicate') ?? 0,
        manual: publisher?.published.count('manual') ?? 0,
        frozen: publisher?.frozen.size ?? 0,
      },
      claims: [...(publisher?.claims.open() ?? [])].map(({ ip, mac, owner, host, refused }) => ({
        ...{ ip, mac, owner, host, refused },
      })),
    }));
  }

  /** What this host knows of the guests with an address, IP or MAC; undefined where it has not joined a network of the VNI. */
  account(vni: Vni, address: string): PublishAccount | undefined {
    const network = [...this.#networks.values()].find((one) => one.network.vni === vni);
    return network === undefined ? undefined : publishAccount(network, address, this.#deps.now());
  }

  /** Addresses of guests that do not count, of the devices that are served now. */
  refusedAddresses(): Record<Refused, number> {
    const sum = Object.fromEntries(REFUSED.map((reason) => [reason, 0])) as Record<Refused, number>;
    for (const { guests } of this.#networks.values())
      for (const reason of REFUSED) sum[reason] += guests?.refused[reason] ?? 0;
    return sum;
  }

  #follow(joined: readonly JoinedNetwork[]): void {
    this.#joined = joined;
    for (const one of joined) this.#open(one.network, one.vtep)?.update(one);
    this.#serve();
  }

  #open(network: Network, vtep: Ip): JoinedPublisher | undefined {
    const settled = this.#settled;
    if (this.#ownership === undefined || settled === undefined) return undefined;
    const before = this.#networks.get(network.name);
    if (before !== undefined) return before;
    // The id stays when the VTEP changes: the records stay this host's, and follow.
    const opened = new JoinedPublisher(network, this.#deps.hostId ?? vtep, vtep, {
      ...this.#deps,
      ...{ ownership: this.#ownership, settled, counters: this.counters },
      prefixes: this.#deps.directory.prefixes,
      keeper: {
        directory: this.#deps.directory,
        counters: this.networkCounters,
        lost: this.#deps.prefixLost,
      },
      unsettled: () => {
        settled.gap();
      },
    });
    this.#networks.set(network.name, opened);
    this.#listen();
    this.#added$.next(opened);
    return opened;
  }

  #listen(): void {
    this.#ownership?.listen(
      [...this.#networks.values()].map(({ network: { vni }, lease }) => ({ vni, id: lease.id })),
    );
  }

  #serve(): void {
    for (const joined of this.#joined)
      this.#networks.get(joined.network.name)?.serve(this.#deps.deviceOf(joined));
  }
}
