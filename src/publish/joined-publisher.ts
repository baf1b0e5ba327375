/**
 * What a host does in the directory for one network that it has joined: it keeps its lease, its prefix and the network's record,
 * removes what ended hosts left, and publishes the guests behind the network's device while that device is served.
 */
import {
  BehaviorSubject,
  EMPTY,
  type Observable,
  Subject,
  defer,
  distinctUntilChanged,
  finalize,
  from,
  merge,
  switchMap,
  takeUntil,
} from 'rxjs';
import type { DirectoryChange } from '../directory/directory.ts';
import type { Network } from '../directory/network.ts';
import type { OwnerMessage, Ownership } from '../directory/ownership.ts';
import type { JoinedNetwork } from '../join/joined.ts';
import type { NamespaceEvent } from '../links/namespace-event.ts';
import type { ServedDevice } from '../model/device.ts';
import { HostLease, type HostLeaseDeps } from './host-lease.ts';
import { LocalGuests } from './local-guests.ts';
import { NetworkKeeper, type NetworkKeeperDeps } from './network-keeper.ts';
import { Publisher, type PublisherDeps } from './publisher.ts';
import { Reaper, type ReaperDeps } from './reaper.ts';

export type JoinedPublisherDeps = HostLeaseDeps &
  PublisherDeps &
  ReaperDeps & {
    ownership: Pick<Ownership, 'leave'>;
    keeper: Pick<NetworkKeeperDeps, 'directory' | 'counters' | 'lost'>;
  };

interface Serving {
  device: ServedDevice;
  guests: LocalGuests;
  publisher: Publisher;
}

export class JoinedPublisher {
  #network: Network;
  readonly lease: HostLease;
  readonly #deps: JoinedPublisherDeps;
  readonly keeper: NetworkKeeper;
  readonly #reaper: Reaper;
  readonly #device$ = new BehaviorSubject<ServedDevice | undefined>(undefined);
  readonly #left$ = new Subject<void>();
  #serving: Serving | undefined;

  /** @param id of this host */
  constructor(network: Network, id: string, vtep: string, deps: JoinedPublisherDeps) {
    this.#network = network;
    this.#deps = deps;
    this.lease = new HostLease({ vni: network.vni, id, vtep, length: network.lease * 1000 }, deps);
    this.keeper = new NetworkKeeper(network, this.lease, { ...deps, ...deps.keeper });
    this.#reaper = new Reaper(this.lease, deps);
  }

  get network(): Network {
    return this.#network;
  }

  get guests(): LocalGuests | undefined {
    return this.#serving?.guests;
  }

  /** @param port ifindex */
  portName(port: number): string {
    return this.#serving?.device.namespace.portName(port) ?? String(port);
  }

  get publisher(): Publisher | undefined {
    return this.#serving?.publisher;
  }

  /** All work until the network is left; never ends with an error. */
  work$(): Observable<unknown> {
    const publishing$ = this.#device$.pipe(
      distinctUntilChanged(),
      switchMap((device) => (device === undefined ? EMPTY : this.#publish(device))),
    );
    return merge(this.keeper.work$(), this.lease.work$(), this.#reaper.work$(), publishing$).pipe(
      takeUntil(this.#left$),
    );
  }

  /** The network stands, or stands otherwise: its record, or the VTEP, prefix or MAC of this host has changed. */
  update({ network, vtep, prefix, mac }: JoinedNetwork): void {
    this.lease.moveTo(vtep);
    this.keeper.joined(network, prefix, mac);
    if (JSON.stringify(network) === JSON.stringify(this.#network)) return;
    const before = this.#serving?.publisher;
    this.#network = network;
    this.lease.last(network.lease * 1000);
    // Guests are learned anew by the rules that hold now; what is published stays, unless nothing is to be published.
    this.#device$.next(undefined);
    if (network.publish === 'none') void before?.withdrawAll();
  }

  /** The device of the network is served, or not any more. */
  serve(device: ServedDevice | undefined): void {
    const { publish, mode } = this.#network;
    this.#device$.next(publish === 'learned' && mode === 'bridged' ? device : undefined);
  }

  onEvent(event: NamespaceEvent): void {
    if (this.#serving === undefined) return;
    const { device, guests } = this.#serving;
    switch (event.type) {
      case 'rows':
        // The same ifindex means another bridge in another namespace.
        guests.onRows(
          event.changes.filter(({ row }) => 'master' in row && event.behindBridge(row.master) === device),
        );
        break;
      case 'senders': {
        const senders = event.senders.filter(({ port }) => event.behindPort(port) === device);
        const passedOver = event.passedOver.filter(({ port }) => event.behindPort(port) === device);
        guests.onSenders({ ...event, senders, passedOver });
        break;
      }
      case 'port':
        if (event.device === device) guests.onPort(event.port, event.state);
        break;
      case 'overrun':
        if (event.socket === 'table' || event.socket === 'bridge') guests.missRows();
        break;
      case 'bridged':
        if (event.device === device) void guests.onBridged();
    }
  }

  onChange(change: DirectoryChange): void {
    if (change.type === 'gap' || change.type === 'flushed') this.lease.check(CHECK);
    this.keeper.onChange(change);
    this.publisher?.onChange(change);
  }

  onMessage(message: OwnerMessage): void {
    this.publisher?.onMessage(message);
  }

  /** The directory answers again. */
  resume(): void {
    this.lease.check();
    this.keeper.resume();
    this.publisher?.resume();
  }

  /** Called every second. */
  tick(): void {
    this.#serving?.guests.tick();
    this.publisher?.tick();
  }

  /** Ends all work, withdraws what is published, and gives prefix and lease back. @throws DirectoryError */
  async leave(): Promise<void> {
    const { publisher, keeper, lease } = this;
    const host = lease.held;
    this.#left$.next();
    await publisher?.withdrawAll();
    await keeper.release();
    if (host !== undefined) await this.#deps.ownership.leave(lease.vni, host);
  }

  #publish(device: ServedDevice): Observable<unknown> {
    return defer(() => {
      const { now, complaints, faults } = this.#deps;
      const guests = new LocalGuests(device, this.network, { now, log: complaints, faults });
      const publisher = new Publisher(this.lease, guests, this.#deps);
      const serving = { device, guests, publisher };
      this.#serving = serving;
      return merge(
        publisher.work$(),
        defer(() => from(guests.start())),
      ).pipe(
        finalize(() => {
          guests.stop();
          if (this.#serving === serving) this.#serving = undefined;
        }),
      );
    });
  }
}

/** The lease may be lost: it is looked at within so many ms, not by all hosts in step. */
const CHECK = 300;
