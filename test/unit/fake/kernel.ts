/**
 * The port `Kernel` in memory, with the manners of the real one that the code relies on: EXCL, what REPLACE changes and
 * what it does not, tables emptied by a device that goes down. Tests reach into it as an operator would with `ip`.
 */
import { constants } from 'node:os';
import { Observable, Subject } from 'rxjs';
import type { Throttled } from '../../../src/kernel/nft/nft.ts';
import type { BroadcastLimit } from '../../../src/kernel/nft/broadcast-rules.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import type {
  Announcement,
  EntryWrite,
  Kernel,
  KernelEvent,
  NameKind,
  NamedSocket,
  Namespace,
  NeighbourTable,
  Probe,
  Refusal,
  RouteWrite,
} from '../../../src/kernel/kernel.ts';
import type { FdbEntry, InterfaceAddress, Link, Neighbour, Route } from '../../../src/base/vocabulary.ts';
import { FakeNames } from './names.ts';
import { type Errno, FakeTables } from './tables.ts';

export const kernelError = (operation: string, code: Errno): KernelError =>
  new KernelError(operation, constants.errno[code], code);

export class FakeKernel implements Kernel {
  readonly namespaces = new Map<string | null, FakeNamespace>();

  open(path: string | null): FakeNamespace {
    const namespace = this.namespaces.get(path);
    if (namespace === undefined) throw kernelError('open', 'ENOENT');
    return namespace;
  }
}

export class FakeNamespace extends FakeTables implements Namespace {
  readonly events$: Observable<KernelEvent>;
  readonly receiveBuffer = { bytes: 1 << 20, forced: true };
  readonly canAnnounce = true;
  inode = 4_026_531_840;
  addressTable: InterfaceAddress[] = [];
  readonly announced: Announcement[] = [];
  readonly probes: Probe[] = [];
  /** Called with every probe that is sent; a guest that answers is told of as a sender. */
  onProbe: (probe: Probe) => void = () => undefined;
  /** Ports whose senders are told. */
  senderPorts: readonly number[] = [];
  /** Every write asked for, refused or not. */
  readonly written: EntryWrite[] = [];
  readonly names = new FakeNames();
  readonly multicastRouters = new Map<number, number>();
  /** By ifindex and family. */
  readonly appSolicit = new Map<string, number>();
  /** By family. */
  readonly neighbourTables = new Map<number, NeighbourTable>();
  ports: { port: number; vxlan: number }[] = [];
  /** Refuses the writes it names an errno for. */
  refuse: (write: EntryWrite) => Errno | undefined = () => undefined;
  /** What dumps fail with. */
  dumpFailure: Errno | undefined;
  /** Called before a dump is taken and before it is handed out, for what happens at the wrong moment. */
  onDump: (when: 'before' | 'after') => void = () => undefined;
  /** What is throttled, and why it cannot be. */
  throttled: readonly Throttled[] = [];
  onThrottle: () => void = () => undefined;
  throttles = 0;
  throttleFailure: string | Error | undefined;
  /** What broadcasts are held to, how often that was said, what was dropped since, and why it cannot be. */
  broadcastLimit: BroadcastLimit | undefined;
  broadcastLimits = 0;
  readonly broadcastDrops = new Map<number, number>();
  broadcastLimitFailure: string | undefined;
  /** Devices that duplicate address detection is kept from, how often that was said, and why it cannot be. */
  dadSilenced: readonly number[] = [];
  dadTables = 0;
  dadFailure: Error | undefined;
  /** Whether senders of L2 misses are looked for. */
  following = false;
  watched: number[] = [];
  /** Misses wait and nobody reads them. */
  deaf = false;
  unsendable = 0;
  closed = false;
  readonly #heard = new Subject<KernelEvent>();
  readonly #asked = new Map<string, number>();

  constructor(now: () => number) {
    super(now);
    this.events$ = new Observable((subscriber) => {
      subscriber.add(this.#heard.subscribe(subscriber));
      return () => {
        this.closed = true;
        this.names.clear();
      };
    });
  }

  // ---- What the world does to the kernel ----

  tell(event: KernelEvent): void {
    this.#heard.next(event);
  }

  /** `ip link add` or `set`: the row, and word of it. Down empties both tables of the device. */
  setLink(link: Link): void {
    this.linkTable.set(link.ifindex, link);
    if (!link.up) this.empty(link.ifindex);
    this.tell({ type: 'link', removed: false, link });
  }

  removeLink(ifindex: number): void {
    const link = this.linkTable.get(ifindex);
    if (link === undefined) return;
    this.linkTable.delete(ifindex);
    this.empty(ifindex);
    this.tell({ type: 'link', removed: true, link });
  }

  ask(vxlan: number, ip: string): void {
    this.#asked.set(`${vxlan} ${ip}`, this.now());
  }

  // ---- The port ----

  neglected(): boolean {
    return this.deaf;
  }
  links(): Promise<Link[]> {
    return this.#dump(() => [...this.linkTable.values()]);
  }
  addresses(netnsid?: number): Promise<InterfaceAddress[]> {
    return this.#dump(() => (netnsid === undefined ? [...this.addressTable] : []));
  }
  neighbours(ifindex: number, keep: (row: Neighbour) => boolean = () => true): Promise<Neighbour[]> {
    return this.#dump(() => this.neighboursOf(ifindex).filter(keep));
  }
  fdb(ifindex: number, keep: (row: FdbEntry) => boolean = () => true): Promise<FdbEntry[]> {
    return this.#dump(() => this.fdbOf(ifindex).filter(keep));
  }
  bridgeFdb(bridge: number, keep: (row: FdbEntry) => boolean = () => true): Promise<FdbEntry[]> {
    // What a guest's port has learned is little beside a device's tables, and no such dump is counted.
    if (this.dumpFailure !== undefined) return Promise.reject(kernelError('dump', this.dumpFailure));
    return Promise.resolve(this.bridgeFdbOf(bridge).filter(keep));
  }

  routes(ifindex: number, protocol: number): Promise<Route[]> {
    return this.#dump(() =>
      this.routeTable.filter((row) => row.ifindex === ifindex && row.protocol === protocol),
    );
  }

  getNeighbours(keys: { ifindex: number; ip: string }[]): (Neighbour | undefined)[] {
    this.#mustBeOpen();
    return keys.map(({ ifindex, ip }) => this.neighbour(ifindex, ip));
  }
  getFdb(keys: { ifindex: number; lladdr: string }[]): (FdbEntry | undefined)[] {
    this.#mustBeOpen();
    return keys.map(({ ifindex, lladdr }) => this.fdbEntry(ifindex, lladdr));
  }
  getBridgeFdb(bridge: number, lladdrs: readonly string[]): (FdbEntry | undefined)[] {
    this.#mustBeOpen();
    return lladdrs.map((lladdr) => this.bridgeFdbEntry(bridge, lladdr));
  }

  write(writes: EntryWrite[]): Refusal[] {
    this.#mustBeOpen();
    return writes.flatMap((one, index) => {
      this.written.push(one);
      const code = this.refuse(one) ?? this.apply(one);
      return code === undefined ? [] : [{ index, error: kernelError(`${one.op} ${one.table}`, code) }];
    });
  }

  writeRoutes(writes: RouteWrite[]): Refusal[] {
    this.#mustBeOpen();
    return writes.flatMap((one, index) => {
      const code = this.applyRoute(one);
      return code === undefined ? [] : [{ index, error: kernelError(`${one.op} route`, code) }];
    });
  }

  announce(announcements: Announcement[]): number {
    this.#mustBeOpen();
    this.announced.push(...announcements);
    return Math.min(this.unsendable, announcements.length);
  }
  probe(probes: Probe[]): number {
    this.#mustBeOpen();
    this.probes.push(...probes);
    for (const one of probes) this.onProbe(one);
    return 0;
  }
  watchSenders(ports: readonly number[]): void {
    this.#mustBeOpen();
    this.senderPorts = ports;
  }
  setPorts(ports: { port: number; vxlan: number }[]): void {
    this.ports = ports;
  }
  followFrames(follow: boolean): void {
    this.#mustBeOpen();
    this.following = follow;
  }
  throttle(ports: readonly Throttled[]): Promise<void> {
    this.throttles++;
    this.onThrottle();
    const { throttleFailure: failure } = this;
    if (failure !== undefined)
      return Promise.reject(typeof failure === 'string' ? new Error(failure) : failure);
    this.throttled = ports;
    return Promise.resolve();
  }
  limitBroadcasts(limit: BroadcastLimit): Promise<void> {
    this.broadcastLimits++;
    if (this.broadcastLimitFailure !== undefined)
      return Promise.reject(new Error(this.broadcastLimitFailure));
    this.broadcastLimit = limit.devices.length > 0 ? limit : undefined;
    this.broadcastDrops.clear();
    return Promise.resolve();
  }
  silenceDad(ifindexes: readonly number[]): Promise<void> {
    this.dadTables++;
    if (this.dadFailure !== undefined) return Promise.reject(this.dadFailure);
    this.dadSilenced = ifindexes;
    return Promise.resolve();
  }
  isDadSilenced(): Promise<boolean> {
    return Promise.resolve(this.dadSilenced.length > 0);
  }
  broadcastsDropped(): Promise<Map<number, number>> {
    if (this.broadcastLimit === undefined) return Promise.reject(new Error('No such file or directory'));
    return Promise.resolve(new Map(this.broadcastDrops));
  }
  watchTables(ifindexes: number[]): void {
    this.watched = ifindexes;
  }
  lastAsked(keys: { vxlan: number; ip: string }[]): (number | undefined)[] {
    return keys.map(({ vxlan, ip }) => {
      const at = this.#asked.get(`${vxlan} ${ip}`);
      return at === undefined ? undefined : this.now() - at;
    });
  }
  setMulticastRouter(port: number, value: 0 | 1 | 2): void {
    this.multicastRouters.set(port, value);
  }
  getAppSolicit(ifindex: number, family: 4 | 6): number | undefined {
    return this.linkTable.has(ifindex) ? (this.appSolicit.get(`${ifindex} ${family}`) ?? 0) : undefined;
  }
  setAppSolicit(ifindex: number, family: 4 | 6, probes: number): void {
    this.appSolicit.set(`${ifindex} ${family}`, probes);
  }
  getNeighbourTable(family: 4 | 6): NeighbourTable | undefined {
    return this.neighbourTables.get(family);
  }
  lock(name: string, kind: NameKind = 'listening'): boolean {
    return this.names.bind(name, kind, process.getuid?.() ?? 0);
  }
  unlock(name: string, kind: NameKind = 'listening'): void {
    this.names.close(name, kind);
  }
  namedSockets(prefix: string): NamedSocket[] {
    return this.names.list(prefix);
  }

  async #dump<T>(rows: () => T[]): Promise<T[]> {
    this.#mustBeOpen();
    this.onDump('before');
    if (this.dumpFailure !== undefined) throw kernelError('dump', this.dumpFailure);
    const dumped = rows();
    await Promise.resolve();
    this.onDump('after');
    return dumped;
  }

  #mustBeOpen(): void {
    if (this.closed) throw new Error('the namespace is closed');
  }
}
