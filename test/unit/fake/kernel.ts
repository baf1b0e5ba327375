/**
 * The port `Kernel` in memory, with the manners of the real one that the code relies on: EXCL, what REPLACE changes and
 * what it does not, tables emptied by a device that goes down. Tests reach into it as an operator would with `ip`.
 */
import { constants } from 'node:os';
import { Observable, Subject } from 'rxjs';
import { KernelError } from '../../../src/kernel/kernel.ts';
import type {
  Announcement,
  EntryWrite,
  Kernel,
  KernelEvent,
  Namespace,
  Refusal,
} from '../../../src/kernel/kernel.ts';
import { NTF_MASTER, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import type { FdbEntry, InterfaceAddress, Link, Neighbour } from '../../../src/vocabulary.ts';

type Errno = keyof typeof constants.errno;
type NeighbourWrite = EntryWrite & { table: 'neighbour' };
type FdbWrite = EntryWrite & { table: 'fdb' };
/** A row with the times the kernel keeps, in place of those it tells. */
type StoredFdb = Omit<FdbEntry, 'usedAgo' | 'updatedAgo'> & { usedAt: number; updatedAt: number };

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

export class FakeNamespace implements Namespace {
  readonly events$: Observable<KernelEvent>;
  readonly receiveBuffer = { bytes: 1 << 20, forced: true };
  readonly canAnnounce = true;
  readonly linkTable = new Map<number, Link>();
  addressTable: InterfaceAddress[] = [];
  readonly announced: Announcement[] = [];
  /** Every write asked for, refused or not. */
  readonly written: EntryWrite[] = [];
  readonly locks = new Set<string>();
  /** Locks that another process holds. */
  readonly foreignLocks = new Set<string>();
  readonly multicastRouters = new Map<number, number>();
  ports: { port: number; vxlan: number }[] = [];
  /** Refuses the writes it names an errno for. */
  refuse: (write: EntryWrite) => Errno | undefined = () => undefined;
  /** What dumps fail with. */
  dumpFailure: Errno | undefined;
  /** Called before a dump is taken and before it is handed out, for what happens at the wrong moment. */
  onDump: (when: 'before' | 'after') => void = () => undefined;
  unsendable = 0;
  closed = false;
  readonly #heard = new Subject<KernelEvent>();
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #fdb = new Map<string, StoredFdb>();
  readonly #bridgeFdb = new Map<string, StoredFdb>();
  readonly #asked = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
    this.events$ = new Observable((subscriber) => {
      subscriber.add(this.#heard.subscribe(subscriber));
      return () => {
        this.closed = true;
        this.locks.clear();
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

  empty(ifindex: number): void {
    for (const table of [this.#neighbours, this.#fdb])
      for (const [key, row] of table) if (row.ifindex === ifindex) table.delete(key);
  }

  /** A row as somebody else wrote it, whatever stood there. */
  putNeighbour(row: Neighbour): void {
    this.#neighbours.set(`${row.ifindex} ${row.ip}`, row);
  }

  putFdb(row: Pick<FdbEntry, 'ifindex' | 'lladdr' | 'state' | 'flags'> & { vtep: string }): void {
    const [usedAt, updatedAt] = [this.#now(), this.#now()];
    this.#fdb.set(`${row.ifindex} ${row.lladdr}`, { master: 0, usedAt, updatedAt, ...row });
  }

  /** A bridge's own entry, last heard of `ago` ms before. */
  putBridgeFdb(bridge: number, port: number, lladdr: string, ago = 0, state = NUD_REACHABLE): void {
    const at = this.#now() - ago;
    const row = { ifindex: port, lladdr, state, flags: 0, master: bridge, usedAt: at, updatedAt: at };
    this.#bridgeFdb.set(`${bridge} ${lladdr}`, row);
  }

  removeNeighbour(ifindex: number, ip: string): void {
    this.#neighbours.delete(`${ifindex} ${ip}`);
  }

  removeFdb(ifindex: number, lladdr: string): void {
    this.#fdb.delete(`${ifindex} ${lladdr}`);
  }

  /** Traffic: the FDB entry is used at this moment. */
  use(ifindex: number, lladdr: string): void {
    const row = this.#fdb.get(`${ifindex} ${lladdr}`);
    if (row !== undefined) row.usedAt = this.#now();
  }

  ask(vxlan: number, ip: string): void {
    this.#asked.set(`${vxlan} ${ip}`, this.#now());
  }

  neighboursOf(ifindex: number): Neighbour[] {
    return [...this.#neighbours.values()].filter((row) => row.ifindex === ifindex);
  }

  fdbOf(ifindex: number): FdbEntry[] {
    return [...this.#fdb.values()].filter((row) => row.ifindex === ifindex).map((row) => this.#told(row));
  }

  // ---- The port ----

  links(): Promise<Link[]> {
    return this.#dump(() => [...this.linkTable.values()]);
  }
  addresses(netnsid?: number): Promise<InterfaceAddress[]> {
    return this.#dump(() => (netnsid === undefined ? [...this.addressTable] : []));
  }
  neighbours(ifindex: number): Promise<Neighbour[]> {
    return this.#dump(() => this.neighboursOf(ifindex));
  }
  fdb(ifindex: number): Promise<FdbEntry[]> {
    return this.#dump(() => this.fdbOf(ifindex));
  }
  bridgeFdb(bridge: number): Promise<FdbEntry[]> {
    return this.#dump(() =>
      [...this.#bridgeFdb.values()].filter((row) => row.master === bridge).map((row) => this.#told(row)),
    );
  }

  getNeighbours(keys: { ifindex: number; ip: string }[]): (Neighbour | undefined)[] {
    this.#mustBeOpen();
    return keys.map(({ ifindex, ip }) => this.#neighbours.get(`${ifindex} ${ip}`));
  }
  getFdb(keys: { ifindex: number; lladdr: string }[]): (FdbEntry | undefined)[] {
    this.#mustBeOpen();
    return keys.map(({ ifindex, lladdr }) => this.#told(this.#fdb.get(`${ifindex} ${lladdr}`)));
  }
  getBridgeFdb(keys: { bridge: number; lladdr: string }[]): (FdbEntry | undefined)[] {
    this.#mustBeOpen();
    return keys.map(({ bridge, lladdr }) => this.#told(this.#bridgeFdb.get(`${bridge} ${lladdr}`)));
  }

  write(writes: EntryWrite[]): Refusal[] {
    this.#mustBeOpen();
    return writes.flatMap((one, index) => {
      this.written.push(one);
      const code = this.refuse(one) ?? this.#apply(one);
      return code === undefined ? [] : [{ index, error: kernelError(`${one.op} ${one.table}`, code) }];
    });
  }

  announce(announcements: Announcement[]): number {
    this.#mustBeOpen();
    this.announced.push(...announcements);
    return Math.min(this.unsendable, announcements.length);
  }
  setPorts(ports: { port: number; vxlan: number }[]): void {
    this.ports = ports;
  }
  lastAsked(keys: { vxlan: number; ip: string }[]): (number | undefined)[] {
    return keys.map(({ vxlan, ip }) => {
      const at = this.#asked.get(`${vxlan} ${ip}`);
      return at === undefined ? undefined : this.#now() - at;
    });
  }
  setMulticastRouter(port: number, value: 0 | 1 | 2): void {
    this.multicastRouters.set(port, value);
  }
  lock(name: string): boolean {
    if (this.foreignLocks.has(name)) return false;
    this.locks.add(name);
    return true;
  }
  unlock(name: string): void {
    this.locks.delete(name);
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

  #apply(one: EntryWrite): Errno | undefined {
    if (!this.linkTable.has(one.ifindex)) return 'ENODEV';
    if (one.table === 'neighbour') return this.#applyNeighbour(one);
    return (one.flags & NTF_MASTER) !== 0 ? this.#applyBridge(one) : this.#applyFdb(one);
  }

  #applyNeighbour({ op, ifindex, ip, lladdr, state, flags, protocol }: NeighbourWrite): Errno | undefined {
    const key = `${ifindex} ${ip}`;
    const row = this.#neighbours.get(key);
    if (op === 'delete') return this.#neighbours.delete(key) ? undefined : 'ENOENT';
    if (op === 'create' && row !== undefined) return 'EEXIST';
    if (op === 'append') return 'EOPNOTSUPP';
    // NDA_PROTOCOL sticks where the writer names none.
    const kept = protocol === 0 ? (row?.protocol ?? 0) : protocol;
    this.#neighbours.set(key, { ifindex, ip, lladdr, state, flags, protocol: kept });
    return undefined;
  }

  #applyFdb({ op, ifindex, lladdr, vtep, state, flags }: FdbWrite): Errno | undefined {
    const key = `${ifindex} ${lladdr}`;
    const row = this.#fdb.get(key);
    if (op === 'delete') return this.#fdb.delete(key) ? undefined : 'ENOENT';
    if (op === 'append') return 'EOPNOTSUPP';
    if ((state & NUD_NOARP) !== 0 || vtep === undefined) return 'EINVAL';
    if (vtep.includes(':') !== (this.linkTable.get(ifindex)?.vxlan?.ipv6 ?? false)) return 'EAFNOSUPPORT';
    if (op === 'create' && row !== undefined) return 'EEXIST';
    if (row === undefined) this.putFdb({ ifindex, lladdr, vtep, state, flags });
    else {
      // A permanent row stays permanent and unmarked, and flags (NTF_ROUTER) count at creation alone.
      row.vtep = vtep;
      row.updatedAt = this.#now();
      if ((state & NUD_PERMANENT) !== 0) row.state = state;
    }
    return undefined;
  }

  #applyBridge({ op, ifindex, lladdr }: FdbWrite): Errno | undefined {
    const key = `${this.linkTable.get(ifindex)?.master ?? 0} ${lladdr}`;
    if (op !== 'delete') return 'EOPNOTSUPP';
    if (this.#bridgeFdb.get(key)?.ifindex !== ifindex) return 'ENOENT';
    this.#bridgeFdb.delete(key);
    return undefined;
  }

  #told(row: StoredFdb): FdbEntry;
  #told(row: StoredFdb | undefined): FdbEntry | undefined;
  #told(row: StoredFdb | undefined): FdbEntry | undefined {
    if (row === undefined) return undefined;
    const { usedAt, updatedAt, ...rest } = row;
    return { ...rest, usedAgo: this.#now() - usedAt, updatedAgo: this.#now() - updatedAt };
  }
}
