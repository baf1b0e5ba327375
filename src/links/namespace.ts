/**
 * One served network namespace: its interfaces and addresses followed live, and the VXLAN devices among them that
 * missd serves. All its events leave as one stream.
 */
import { questionsOf } from '../model/device-questions.ts';
import type { MissBatch } from '../model/question.ts';
import {
  type Observable,
  Subject,
  catchError,
  filter,
  from,
  map,
  merge,
  mergeAll,
  startWith,
  timer,
} from 'rxjs';
import { type Faults, attempt, inLane } from '../base/guarded-lane.ts';
import type { KernelEvent, Namespace } from '../kernel/kernel.ts';
import type { InterfaceAddress, Ip, Link, Mac } from '../base/vocabulary.ts';
import { AssignedAddresses } from './assigned-addresses.ts';
import type { ServedDevice, DeviceNamespace } from '../model/device.ts';
import type { OwnVteps } from './own-vteps.ts';
import { askingPorts, guestPorts, isGuestPort } from './ports.ts';
import { DeviceSet, type DeviceSetOptions } from './device-set.ts';
import type { LinkEvent, NamespaceEvent } from './namespace-event.ts';
import { PortStates } from './port-states.ts';
import { isVxlan } from './servable.ts';

/** Delay before a failed read is repeated, ms: the namespace may be closing, or memory may be short. */
const RELOAD_DELAY = 1_000;
/** One read at a time; requests meanwhile cause one more read afterwards. */
const RELOADS = { size: 1_024, underWay: 1, most: 1_024 };

export interface ServeOptions extends DeviceSetOptions {
  /** Called at once with misses: a storm has 100,000 of them, and a guest waits for each. */
  misses: (batch: MissBatch) => void;
  /** Called with every change of a link or of an address. */
  changed?: (change: Omit<LinkEvent, 'namespace'>) => void;
}

export class ServedNamespace implements DeviceNamespace {
  readonly name: string;
  readonly kernel: Namespace;
  readonly devices: ReadonlyMap<number, ServedDevice>;
  readonly links = new Map<number, Link>();
  readonly #assigned = new AssignedAddresses();
  readonly #own: OwnVteps;
  readonly #deviceSet: DeviceSet;
  readonly #options: ServeOptions;
  readonly #faults: Faults;
  readonly #reload$ = new Subject<'reload'[]>();
  readonly #later$ = new Subject<NamespaceEvent[]>();
  /** ifindexes of the links whose serving failed with an error; `refresh` tries them again. */
  readonly #unsettled = new Set<number>();
  #portsDue = false;
  /** Events that came during a read; they are newer than its result. */
  #backlog: KernelEvent[] | undefined = [];
  /** Ports whose questions the asker tap ignores. */
  #mutedTaps: ReadonlySet<number> = new Set();
  /** MACs of the links; undefined after a link changed. A guest can send from a thousand MACs a second. */
  #lladdrs: ReadonlySet<Mac> | undefined;
  readonly #portStates = new PortStates();
  /** Ports whose senders are told, as a text to compare. */
  #senderPorts = '';
  loaded = false;

  constructor(name: string, kernel: Namespace, own: OwnVteps, options: ServeOptions) {
    this.name = name;
    this.kernel = kernel;
    this.#own = own;
    this.#options = options;
    this.#faults = options.faults;
    this.#deviceSet = new DeviceSet(this, own, options);
    this.devices = this.#deviceSet.devices;
  }

  isAssigned(ip: Ip): boolean {
    return this.#assigned.has(ip);
  }

  isBroadcast(ip: Ip): boolean {
    return this.#assigned.isBroadcast(ip);
  }

  assigned(): Iterable<Ip> {
    return this.#assigned.all();
  }

  guestPorts(device: ServedDevice): number[] {
    return guestPorts(this.links.values(), device.bridge);
  }

  muteTap(ports: ReadonlySet<number>): void {
    this.#mutedTaps = ports;
    this.#mapPorts();
  }

  learn(device: ServedDevice, on: boolean): void {
    device.learning = on;
    this.#tryToMapPorts();
  }

  link(ifindex: number): Link | undefined {
    return this.links.get(ifindex);
  }

  isLinkAddress(mac: Mac): boolean {
    this.#lladdrs ??= new Set([...this.links.values()].map(({ lladdr }) => lladdr));
    return this.#lladdrs.has(mac);
  }

  portName(ifindex: number): string {
    return this.links.get(ifindex)?.name ?? String(ifindex);
  }

  /** Subscribing opens the sockets, unsubscribing closes them. */
  events$(): Observable<NamespaceEvent> {
    const told$ = this.kernel.events$.pipe(
      map((event) => attempt('links', () => this.#hear(event), this.#faults) ?? []),
      filter((events) => events.length > 0),
    );
    const read$ = this.#reload$.pipe(
      startWith(['reload'] as 'reload'[]),
      inLane(
        'links',
        { work: () => this.#loadOrRetry(), conclude: (events) => events },
        RELOADS,
        this.#faults,
      ),
    );
    return merge(told$, read$, this.#later$, this.#deviceSet.later$).pipe(mergeAll());
  }

  /** Called after the sockets were closed, which released the locks. */
  close(): NamespaceEvent[] {
    const events = this.#deviceSet.close();
    this.#own.set(`namespace ${this.name}`, []);
    return events;
  }

  readonly #deviceOf = (ifindex: number): ServedDevice | undefined => this.devices.get(ifindex);

  readonly #behindBridge = (bridge: number): ServedDevice | undefined => {
    for (const device of this.devices.values()) if (device.bridge === bridge) return device;
    return undefined;
  };

  readonly #behindPort = (port: number): ServedDevice | undefined =>
    this.#behindBridge(this.links.get(port)?.master ?? 0);

  #hear(event: KernelEvent): NamespaceEvent[] {
    switch (event.type) {
      case 'misses':
        this.#options.misses({ misses: event.misses, deviceOf: this.#deviceOf });
        return [];
      case 'rows':
        return [{ ...event, deviceOf: this.#deviceOf, behindBridge: this.#behindBridge }];
      case 'senders':
        return [{ ...event, behindPort: this.#behindPort }];
      case 'malformed':
      case 'failed':
        return [event];
      case 'overrun':
        // The lost link events are unknown, so all links are read again.
        if (event.socket === 'link') this.#reload$.next(['reload']);
        return [event];
      default:
        if (this.#backlog === undefined) return this.#apply(event);
        this.#backlog.push(event);
        return [];
    }
  }

  /** Events of a read; none where it failed, and then the read is repeated after `RELOAD_DELAY`. */
  #loadOrRetry(): Observable<NamespaceEvent[]> {
    return from(this.#load()).pipe(
      catchError((error: unknown) => {
        this.#faults.broken('links', error);
        return timer(RELOAD_DELAY).pipe(
          map(() => {
            this.#reload$.next(['reload']);
            return [];
          }),
        );
      }),
    );
  }

  async #load(): Promise<NamespaceEvent[]> {
    this.#backlog = [];
    const [links, addresses] = await Promise.all([this.kernel.links(), this.kernel.addresses()]);
    const events: NamespaceEvent[] = [];
    const present = new Set(links.map((link) => link.ifindex));
    for (const link of [...this.links.values()])
      if (!present.has(link.ifindex)) events.push(...this.#apply({ type: 'link', removed: true, link }));
    // Bridges before their ports, since whether a device can be served depends on its bridge.
    for (const link of links) this.links.set(link.ifindex, link);
    for (const link of links) events.push(...this.#apply({ type: 'link', removed: false, link }));
    this.#assigned.clear();
    for (const address of addresses) this.#assigned.add(address);
    events.push(...this.#shareAddresses());
    const newer = this.#backlog;
    this.#backlog = undefined;
    for (const event of newer) events.push(...this.#apply(event));
    this.loaded = true;
    return [...events, { type: 'loaded' }];
  }

  #apply(event: KernelEvent): NamespaceEvent[] {
    if (event.type === 'address') {
      this.#tell(event.address.ifindex, event.removed);
      if (event.removed) this.#assigned.delete(event.address);
      else this.#assigned.add(event.address);
      const shared = this.#shareAddresses();
      const events: NamespaceEvent[] =
        shared.length === 0 && this.#concerns(event.address.ip) ? [{ type: 'addresses' }] : shared;
      return event.removed ? [...events, ...this.#unassigned(event.address)] : events;
    }
    if (event.type !== 'link') return [];
    const { link, removed } = event;
    const before = this.links.get(link.ifindex);
    this.#lladdrs = undefined;
    if (removed) this.links.delete(link.ifindex);
    else this.links.set(link.ifindex, link);
    this.#options.changed?.({ name: link.name, removed, link });
    const events = this.#serve(link, removed, before);
    // The devices decide which link-local addresses count as VTEPs of this host.
    if (isVxlan(link)) events.push(...this.#shareAddresses());
    this.#tryToMapPorts();
    events.push(...this.#portStates.follow(link, removed, this.#behindBridge));
    return events;
  }

  #tell(ifindex: number, removed: boolean): void {
    const link = this.links.get(ifindex);
    if (link !== undefined) this.#options.changed?.({ name: link.name, removed });
  }

  /** Guests behind a bridge may have the interface's MAC for its former address. */
  #unassigned({ ip, ifindex }: InterfaceAddress): NamespaceEvent[] {
    const link = this.links.get(ifindex);
    if (link === undefined || this.#assigned.has(ip)) return [];
    const events: NamespaceEvent[] = [];
    for (const device of this.devices.values()) {
      if (device.bridge === 0 || (ifindex !== device.bridge && link.master !== device.bridge)) continue;
      device.tables.known.note(ip, link.lladdr);
      events.push({ type: 'unassigned', device, ip });
    }
    return events;
  }

  /** A change of a bridge or of another VXLAN device on it may lift the refusal of a device. */
  #serve(link: Link, removed: boolean, before: Link | undefined): NamespaceEvent[] {
    const { links } = this;
    const events = this.#serveOne(link, removed);
    if (link.kind === 'bridge' || isVxlan(link) || before?.master !== link.master)
      for (const other of links.values())
        if (isVxlan(other) && other.ifindex !== link.ifindex) events.push(...this.#serveOne(other, false));
    return events;
  }

  /** Checks every link again, because other devices may be wanted now. */
  review(): NamespaceEvent[] {
    const events = [...this.links.values()].flatMap((link) => this.#serveOne(link, false));
    this.#tryToMapPorts();
    return events;
  }

  /** An error of one link does not affect the others. */
  #serveOne(link: Link, removed: boolean): NamespaceEvent[] {
    const events = attempt('devices', () => this.#deviceSet.serve(link, removed, this.links), this.#faults);
    if (events === undefined && !removed) this.#unsettled.add(link.ifindex);
    else this.#unsettled.delete(link.ifindex);
    return events ?? [];
  }

  /** Called every few seconds: repeats failed work, and reads what no event reports. */
  refresh(): void {
    this.#deviceSet.refresh();
    const links = [...this.#unsettled].flatMap((ifindex) => this.links.get(ifindex) ?? []);
    this.#unsettled.clear();
    const events = links.flatMap((link) => this.#serveOne(link, false));
    if (events.length > 0 || this.#portsDue) this.#tryToMapPorts();
    if (events.length > 0) this.#later$.next(events);
  }

  /** Names of the devices that another missd serves. */
  get taken(): string[] {
    return this.#deviceSet.taken;
  }

  /** Why wanted devices are not served, by name. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#deviceSet.refusals;
  }

  /** Tries again to lock the devices that another missd serves. */
  claim(): NamespaceEvent[] {
    const events = this.#deviceSet.claim(this.links);
    if (events.length > 0) this.#tryToMapPorts();
    return events;
  }

  /** Makes the namespace's addresses VTEPs of this host: packets of its devices leave from here. */
  #shareAddresses(): NamespaceEvent[] {
    const underlays = new Set([...this.devices.values()].map(({ underlay }) => underlay ?? 0));
    const reachable = this.#assigned.reachable(underlays);
    return this.#own.set(`namespace ${this.name}`, reachable) ? [{ type: 'addresses' }] : [];
  }

  /** Whether guests asked for an address that came or went: a local address must have no entry. */
  #concerns(ip: Ip): boolean {
    return [...this.devices.values()].some(
      (device) => device.tables.neighbours.has(ip) || device.local.has(ip),
    );
  }

  #tryToMapPorts(): void {
    const mapped = (): boolean => {
      this.#mapPorts();
      return true;
    };
    this.#portsDue = attempt('ports', mapped, this.#faults) !== true;
  }

  #mapPorts(): void {
    const ports = askingPorts(this.links.values(), this.devices.values());
    this.kernel.setPorts(ports.filter(({ port }) => !this.#mutedTaps.has(port)));
    this.#watchSenders();
    const present = new Set(ports.map(({ port }) => port));
    for (const device of this.devices.values()) {
      const { lanes } = questionsOf(device);
      for (const port of lanes.keys()) if (port > 0 && !present.has(port)) lanes.delete(port);
    }
  }

  /** An unchanged list is not told again: the addon would count what floods anew. */
  #watchSenders(): void {
    const learning = [...this.devices.values()].filter((device) => device.learning);
    const bridges = new Set(learning.map(({ bridge }) => bridge));
    const ports = [...this.links.values()]
      .filter((link) => isGuestPort(link) && bridges.has(link.master))
      .map(({ ifindex }) => ifindex);
    const text = ports.join();
    if (text === this.#senderPorts) return;
    this.kernel.watchSenders(ports);
    this.#senderPorts = text;
  }
}
