/** The tables of the fake kernel: what a write does to a row, and what a row tells. */
import type { constants } from 'node:os';
import type { EntryWrite, RouteWrite } from '../../../src/kernel/kernel.ts';
import { NTF_MASTER, NUD_NOARP, NUD_PERMANENT, NUD_REACHABLE } from '../../../src/kernel/netlink.ts';
import type { FdbEntry, Link, Neighbour, Route } from '../../../src/base/vocabulary.ts';

export type Errno = keyof typeof constants.errno;
type NeighbourWrite = EntryWrite & { table: 'neighbour' };
type FdbWrite = EntryWrite & { table: 'fdb' };
/** A row with the times the kernel keeps, in place of those it tells. */
type StoredFdb = Omit<FdbEntry, 'usedAgo' | 'updatedAgo'> & {
  usedAt: number;
  updatedAt: number;
  /** The remote has port 0. */
  portless?: boolean;
};

export class FakeTables {
  readonly linkTable = new Map<number, Link>();
  /** Of all devices, in the order they were written. */
  readonly routeTable: Route[] = [];
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #fdb = new Map<string, StoredFdb>();
  /** Further remotes of groups. */
  readonly #remotes = new Map<string, string[]>();
  readonly #bridgeFdb = new Map<string, StoredFdb>();
  protected readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  empty(ifindex: number): void {
    for (const table of [this.#neighbours, this.#fdb])
      for (const [key, row] of table) if (row.ifindex === ifindex) table.delete(key);
    this.#remotes.clear();
    for (const route of this.routeTable.filter((row) => row.ifindex === ifindex))
      this.routeTable.splice(this.routeTable.indexOf(route), 1);
  }

  /** A row as somebody else wrote it, whatever stood there. */
  putNeighbour(row: Neighbour): void {
    this.#neighbours.set(`${row.ifindex} ${row.ip}`, row);
  }

  putFdb(
    row: Pick<FdbEntry, 'ifindex' | 'lladdr' | 'state' | 'flags'> & { vtep: string; portless?: boolean },
  ): void {
    const [usedAt, updatedAt] = [this.now(), this.now()];
    this.#fdb.set(`${row.ifindex} ${row.lladdr}`, { master: 0, usedAt, updatedAt, ...row });
  }

  /** A bridge's own entry, last heard of `ago` ms before. */
  putBridgeFdb(
    bridge: number,
    port: number,
    lladdr: string,
    ago = 0,
    state = NUD_REACHABLE,
    flags = 0,
  ): void {
    const at = this.now() - ago;
    const row = { ifindex: port, lladdr, state, flags, master: bridge, usedAt: at, updatedAt: at };
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
    if (row !== undefined) row.usedAt = this.now();
  }

  neighboursOf(ifindex: number): Neighbour[] {
    return [...this.#neighbours.values()].filter((row) => row.ifindex === ifindex);
  }

  fdbOf(ifindex: number): FdbEntry[] {
    const rows = [...this.#fdb.entries()].filter(([, row]) => row.ifindex === ifindex);
    return rows.flatMap(([key, row]) => [
      this.#told(row),
      ...(this.#remotes.get(key) ?? []).map((vtep) => ({ ...this.#told(row), vtep })),
    ]);
  }

  neighbour(ifindex: number, ip: string): Neighbour | undefined {
    return this.#neighbours.get(`${ifindex} ${ip}`);
  }

  fdbEntry(ifindex: number, lladdr: string): FdbEntry | undefined {
    return this.#told(this.#fdb.get(`${ifindex} ${lladdr}`));
  }

  bridgeFdbEntry(bridge: number, lladdr: string): FdbEntry | undefined {
    return this.#told(this.#bridgeFdb.get(`${bridge} ${lladdr}`));
  }

  bridgeFdbOf(bridge: number): FdbEntry[] {
    return [...this.#bridgeFdb.values()].filter((row) => row.master === bridge).map((row) => this.#told(row));
  }

  /** @returns why the kernel would refuse it */
  protected apply(one: EntryWrite): Errno | undefined {
    if (!this.linkTable.has(one.ifindex)) return 'ENODEV';
    if (one.table === 'neighbour') return this.#applyNeighbour(one);
    return (one.flags & NTF_MASTER) !== 0 ? this.#applyBridge(one) : this.#applyFdb(one);
  }

  protected applyRoute({ op, ...route }: RouteWrite): Errno | undefined {
    const same = (row: Route): boolean => row.cidr === route.cidr;
    if (op === 'create') {
      if (this.routeTable.some(same)) return 'EEXIST';
      this.routeTable.push(route);
      return undefined;
    }
    const at = this.routeTable.findIndex(
      (row) => same(row) && row.gateway === route.gateway && row.protocol === route.protocol,
    );
    if (at < 0) return 'ESRCH';
    this.routeTable.splice(at, 1);
    return undefined;
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

  #applyFdb({ op, ifindex, lladdr, vtep, state, flags, portless = false }: FdbWrite): Errno | undefined {
    const key = `${ifindex} ${lladdr}`;
    const row = this.#fdb.get(key);
    if (op === 'delete') return this.#deleteFdb(key, vtep, portless);
    if (op === 'append')
      return this.#appendFdb(key, {
        op,
        table: 'fdb',
        ifindex,
        lladdr,
        state,
        flags,
        ...(vtep === undefined ? {} : { vtep }),
      });
    if ((state & NUD_NOARP) !== 0 || vtep === undefined) return 'EINVAL';
    if (vtep.includes(':') !== (this.linkTable.get(ifindex)?.vxlan?.ipv6 ?? false)) return 'EAFNOSUPPORT';
    if (op === 'probe') return row === undefined ? 'ENOENT' : 'EEXIST';
    if (op === 'create' && row !== undefined) return 'EEXIST';
    if (row === undefined) this.putFdb({ ifindex, lladdr, vtep, state, flags, portless });
    else {
      row.portless = portless;
      // A permanent row stays permanent and unmarked, and flags (NTF_ROUTER) count at creation alone.
      row.vtep = vtep;
      row.updatedAt = this.now();
      if ((state & NUD_PERMANENT) !== 0) row.state = state;
    }
    return undefined;
  }

  /** Only a group may have several remotes (vxlan_fdb_update_existing); one that is there already is no error. */
  #appendFdb(key: string, { ifindex, lladdr, vtep, state, flags }: FdbWrite): Errno | undefined {
    if (!/^.[13579bdf]/.test(lladdr)) return 'EOPNOTSUPP';
    if (vtep === undefined) return 'EINVAL';
    const row = this.#fdb.get(key);
    const more = this.#remotes.get(key) ?? [];
    if (row === undefined) this.putFdb({ ifindex, lladdr, vtep, state, flags });
    else if (row.vtep !== vtep && !more.includes(vtep)) this.#remotes.set(key, [...more, vtep]);
    return undefined;
  }

  /** Without a VTEP the whole entry, as where it has no other. */
  #deleteFdb(key: string, vtep: string | undefined, portless: boolean): Errno | undefined {
    const row = this.#fdb.get(key);
    if (row !== undefined && vtep !== undefined && (row.portless ?? false) !== portless) return undefined;
    const all = row === undefined ? [] : [row.vtep, ...(this.#remotes.get(key) ?? [])];
    if (row === undefined || (all.length > 1 && vtep !== undefined && !all.includes(vtep))) return 'ENOENT';
    const [first, ...more] = vtep === undefined ? [] : all.filter((one) => one !== vtep);
    this.#remotes.delete(key);
    if (first === undefined) this.#fdb.delete(key);
    else row.vtep = first;
    if (more.length > 0)
      this.#remotes.set(
        key,
        more.filter((one) => one !== undefined),
      );
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
    // The kernel does not tell port 0 from the port of the device.
    delete rest.portless;
    return { ...rest, usedAgo: this.now() - usedAt, updatedAgo: this.now() - updatedAt };
  }
}
