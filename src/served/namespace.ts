/**
 * One served network namespace: its interfaces and addresses followed live, and the VXLAN devices among them that
 * missd serves. Everything the namespace has to say leaves as one stream of signals.
 */
import {
  type Observable,
  Subject,
  defer,
  filter,
  from,
  map,
  merge,
  mergeAll,
  retry,
  startWith,
  switchMap,
} from 'rxjs';
import type { Clock } from '../clock.ts';
import type { KernelEvent, Namespace } from '../kernel/kernel.ts';
import type { Strategy } from '../ahead/strategy.ts';
import type { MissBatch } from '../resolve/pipeline.ts';
import type { Ip, Link, Vni } from '../vocabulary.ts';
import { AssignedAddresses } from './assigned.ts';
import { ServedDevice, type Surroundings, type VxlanLink } from './device.ts';
import type { OwnVteps } from './own-vteps.ts';
import { askingPorts, guestPorts } from './ports.ts';
import type { Signal } from './signal.ts';
import { followUnderlay, forgetUnderlay } from './underlay.ts';
import { isVxlan, refusal } from './servable.ts';

/** Before the tables are read again when that failed, ms: a namespace on its way out, or a moment's lack of memory. */
const RELOAD_DELAY = 1_000;

export interface ServeOptions {
  /** Whether a device is to be served, if it can be. */
  isWanted: (link: Link) => boolean;
  /** How the entries of a VNI come about. */
  strategyOf: (vni: Vni) => Strategy;
  /** Told of misses at once: they come by the hundred thousand, and a guest waits for each. */
  misses: (batch: MissBatch) => void;
  /** Whether to ask again for a device that another missd serves. */
  wait: boolean;
  /** Milliseconds. */
  negativeLifetime: number;
  now: Clock;
}

export class ServedNamespace implements Surroundings {
  readonly name: string;
  readonly kernel: Namespace;
  readonly devices = new Map<number, ServedDevice>();
  readonly links = new Map<number, Link>();
  readonly #assigned = new AssignedAddresses();
  readonly #own: OwnVteps;
  readonly #options: ServeOptions;
  readonly #reload$ = new Subject<void>();
  /** Refusals said already, by name, so that each is said once. */
  readonly #refused = new Map<string, string>();
  /** Devices that another missd serves, by ifindex. */
  readonly #taken = new Map<number, string>();
  /** What comes to light outside of an event. */
  readonly #later$ = new Subject<Signal[]>();
  /** Events that came while the tables were being read; they are newer than what is read. */
  #backlog: KernelEvent[] | undefined = [];
  /** Ports whose questions the asker tap passes over. */
  #unheard: ReadonlySet<number> = new Set();
  loaded = false;

  constructor(name: string, kernel: Namespace, own: OwnVteps, options: ServeOptions) {
    this.name = name;
    this.kernel = kernel;
    this.#own = own;
    this.#options = options;
  }

  isAssigned(ip: Ip): boolean {
    return this.#assigned.has(ip);
  }

  assigned(): Iterable<Ip> {
    return this.#assigned.all();
  }

  guestPorts(device: ServedDevice): number[] {
    return guestPorts(this.links.values(), device.bridge);
  }

  unhear(ports: ReadonlySet<number>): void {
    this.#unheard = ports;
    this.#mapPorts();
  }

  portName(ifindex: number): string {
    return this.links.get(ifindex)?.name ?? String(ifindex);
  }

  /** Subscribing opens the sockets, unsubscribing closes them. */
  signals$(): Observable<Signal> {
    const told$ = this.kernel.events$.pipe(
      map((event) => this.#hear(event)),
      filter((signals) => signals.length > 0),
    );
    const read$ = this.#reload$.pipe(
      startWith(undefined),
      switchMap(() => defer(() => from(this.#load())).pipe(retry({ delay: RELOAD_DELAY }))),
    );
    return merge(told$, read$, this.#later$).pipe(mergeAll());
  }

  /** After the sockets were closed, and with them the locks: nothing here is this host's any more. */
  close(): Signal[] {
    const signals = [...this.devices.values()].map((device) => this.#forget(device));
    this.#own.set(`namespace ${this.name}`, []);
    return signals;
  }

  readonly #deviceOf = (ifindex: number): ServedDevice | undefined => this.devices.get(ifindex);

  #hear(event: KernelEvent): Signal[] {
    switch (event.type) {
      case 'misses':
        this.#options.misses({ misses: event.misses, deviceOf: this.#deviceOf });
        return [];
      case 'rows':
        return [{ ...event, deviceOf: this.#deviceOf }];
      case 'malformed':
        return [event];
      case 'overrun':
        // What was missed of the links cannot be known: read them all again.
        if (event.socket === 'link') this.#reload$.next();
        return [event];
      default:
        if (this.#backlog === undefined) return this.#apply(event);
        this.#backlog.push(event);
        return [];
    }
  }

  async #load(): Promise<Signal[]> {
    this.#backlog = [];
    const [links, addresses] = await Promise.all([this.kernel.links(), this.kernel.addresses()]);
    const signals: Signal[] = [];
    const present = new Set(links.map((link) => link.ifindex));
    for (const link of [...this.links.values()])
      if (!present.has(link.ifindex)) signals.push(...this.#apply({ type: 'link', removed: true, link }));
    // Bridges before their ports, since whether a device can be served depends on its bridge.
    for (const link of links) this.links.set(link.ifindex, link);
    for (const link of links) signals.push(...this.#apply({ type: 'link', removed: false, link }));
    this.#assigned.clear();
    for (const address of addresses) this.#assigned.add(address);
    signals.push(...this.#shareAddresses());
    const newer = this.#backlog;
    this.#backlog = undefined;
    for (const event of newer) signals.push(...this.#apply(event));
    this.loaded = true;
    return [...signals, { type: 'loaded' }];
  }

  #apply(event: KernelEvent): Signal[] {
    if (event.type === 'address') {
      if (event.removed) this.#assigned.delete(event.address);
      else this.#assigned.add(event.address);
      return this.#shareAddresses();
    }
    if (event.type !== 'link') return [];
    const { link, removed } = event;
    const before = this.links.get(link.ifindex);
    if (removed) {
      this.links.delete(link.ifindex);
      this.#taken.delete(link.ifindex);
    } else this.links.set(link.ifindex, link);
    const signals = this.#serve(link, removed);
    // Another link's change may free a device that was refused: its bridge, or its rival on the bridge.
    if (link.kind === 'bridge' || isVxlan(link) || before?.master !== link.master)
      for (const other of this.links.values())
        if (isVxlan(other) && other.ifindex !== link.ifindex) signals.push(...this.#serve(other, false));
    this.#mapPorts();
    return signals;
  }

  /** Begins, goes on or ends serving one link. */
  #serve(link: Link, removed: boolean): Signal[] {
    const device = this.devices.get(link.ifindex);
    const wanted = !removed && this.#options.isWanted(link);
    const reason = wanted ? refusal(link, this.links, this.#options.strategyOf) : undefined;
    if (!wanted || reason !== undefined || !isVxlan(link)) {
      const signals: Signal[] = device === undefined ? [] : [this.#leave(device)];
      if (reason === undefined) this.#refused.delete(link.name);
      else if (this.#refused.get(link.name) !== reason) {
        this.#refused.set(link.name, reason);
        signals.push({ type: 'refused', name: `${link.name}@${this.name}`, reason });
      }
      return signals;
    }
    this.#refused.delete(link.name);
    return device === undefined ? this.#begin(link) : this.#renew(device, link);
  }

  #begin(link: VxlanLink): Signal[] {
    const taken = this.#taken.has(link.ifindex);
    if (taken && !this.#options.wait) return [];
    if (!this.kernel.lock(lockName(link))) {
      this.#taken.set(link.ifindex, link.name);
      return taken ? [] : [{ type: 'taken', name: `${link.name}@${this.name}` }];
    }
    this.#taken.delete(link.ifindex);
    const { negativeLifetime, now, strategyOf } = this.#options;
    const device = new ServedDevice(link, this, negativeLifetime, now, strategyOf(link.vxlan.vni));
    this.devices.set(link.ifindex, device);
    return [...this.#followUnderlay(device), { type: 'served', device }];
  }

  #renew(device: ServedDevice, link: VxlanLink): Signal[] {
    const { link: before, bridge } = device;
    device.link = link;
    const signals: Signal[] = before.vxlan.local === link.vxlan.local ? [] : this.#followUnderlay(device);
    if (device.bridge !== bridge) signals.push({ type: 'bridged', device });
    // Down empties both tables, a new MAC the neighbours (drivers/net/vxlan vxlan_stop; net/core neigh_changeaddr).
    if ((before.up && !link.up) || before.lladdr !== link.lladdr) signals.push({ type: 'emptied', device });
    else if (!before.up && link.up) signals.push({ type: 'up', device });
    return signals;
  }

  #leave(device: ServedDevice): Signal {
    this.kernel.unlock(lockName(device.link));
    return this.#forget(device);
  }

  #forget(device: ServedDevice): Signal {
    this.devices.delete(device.ifindex);
    forgetUnderlay(device, this.#own);
    return { type: 'gone', device };
  }

  #followUnderlay(device: ServedDevice): Signal[] {
    const isServed = (): boolean => this.devices.get(device.ifindex) === device;
    const changed = followUnderlay(device, this.#own, isServed, () => {
      this.#later$.next([{ type: 'addresses' }]);
    });
    return changed ? [{ type: 'addresses' }] : [];
  }

  /** What no event tells, every few seconds: addresses of underlay namespaces. */
  refresh(): void {
    for (const device of this.devices.values()) this.#followUnderlay(device);
  }

  /** Names of the devices that another missd serves. */
  get taken(): string[] {
    return [...this.#taken.values()].map((name) => `${name}@${this.name}`);
  }

  /** Asks again for what another missd served a moment ago. */
  claim(): Signal[] {
    const signals = [...this.#taken.keys()].flatMap((ifindex) => {
      const link = this.links.get(ifindex);
      return link === undefined ? [] : this.#serve(link, false);
    });
    if (signals.length > 0) this.#mapPorts();
    return signals;
  }

  /** Without a namespace of its own for the underlay, a device's packets leave from here. */
  #shareAddresses(): Signal[] {
    return this.#own.set(`namespace ${this.name}`, this.#assigned.all()) ? [{ type: 'addresses' }] : [];
  }

  #mapPorts(): void {
    const ports = askingPorts(this.links.values(), this.devices.values());
    this.kernel.setPorts(ports.filter(({ port }) => !this.#unheard.has(port)));
    const present = new Set(ports.map(({ port }) => port));
    for (const { lanes } of this.devices.values())
      for (const port of lanes.keys()) if (port > 0 && !present.has(port)) lanes.delete(port);
  }
}

/** An ifindex is unique in its namespace, and the lock lives in that namespace. */
const lockName = (link: Link): string => `missd/device/${link.ifindex}`;
