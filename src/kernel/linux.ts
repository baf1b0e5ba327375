/**
 * Stage 1 of a miss: the port `Kernel` on the real kernel. Takes what the addon has received and decoded; gives batches of
 * misses, each with its asker.
 */
import { statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { Observable } from 'rxjs';
import type { FdbEntry, InterfaceAddress, Ip, Link, Mac, Neighbour, Route } from '../base/vocabulary.ts';
import { addon, type NativeError, type NativeEvent, type NativeNamespace, type Take } from './addon.ts';
import { KernelError } from './kernel.ts';
import { THROTTLE_TABLE, type Throttled, UNMARKED_THROTTLE, ruleset } from './nft/nft.ts';
import {
  BROADCAST_TABLE,
  type BroadcastLimit,
  UNMARKED_BROADCAST,
  broadcastRuleset,
  countersIn,
} from './nft/broadcast-rules.ts';
import { dadRuleset, dadTable } from './nft/dad-rules.ts';
import { OwnTable } from './nft/own-table.ts';
import { packAnnouncements, packProbes, packTexts, packWrites, unpackMisses } from './packed.ts';
import type {
  Announcement,
  EntryWrite,
  Kernel,
  KernelEvent,
  NameKind,
  NamedSocket,
  Namespace,
  NeighbourTable,
  OpenOptions,
  Probe,
  Refusal,
  RouteWrite,
} from './kernel.ts';

export class LinuxKernel implements Kernel {
  open(path: string | null, options: OpenOptions): Namespace {
    return new LinuxNamespace(
      path,
      translated(() => new addon.Namespace(path, options.receiveBuffer)),
    );
  }
}

class LinuxNamespace implements Namespace {
  readonly events$: Observable<KernelEvent>;
  readonly receiveBuffer: Namespace['receiveBuffer'];
  readonly canAnnounce: boolean;
  readonly inode: number;
  readonly #throttle: OwnTable;
  readonly #broadcasts: OwnTable;
  readonly #dad: OwnTable;
  readonly #native: NativeNamespace;

  constructor(path: string | null, native: NativeNamespace) {
    this.#throttle = new OwnTable(path, THROTTLE_TABLE, UNMARKED_THROTTLE);
    this.#broadcasts = new OwnTable(path, BROADCAST_TABLE, UNMARKED_BROADCAST);
    this.#dad = dadTable(path);
    this.#native = native;
    this.receiveBuffer = native.receiveBuffer;
    this.canAnnounce = native.canAnnounce;
    this.inode = statSync(path ?? '/proc/self/ns/net').ino;
    this.events$ = new Observable((subscriber) => {
      try {
        native.start(
          (events) => {
            for (const event of events) subscriber.next(told(event));
          },
          (numbers, texts, count) => {
            subscriber.next({ type: 'misses', misses: unpackMisses(numbers, texts, count) });
          },
        );
      } catch (error) {
        // A failed start gets no unsubscription.
        native.close();
        throw translate(error);
      }
      return () => {
        native.close();
      };
    });
  }

  neglected(): boolean {
    return this.#native.neglected();
  }

  links(): Promise<Link[]> {
    return collected(() => this.#native.dump('links', -1));
  }
  addresses(netnsid?: number): Promise<InterfaceAddress[]> {
    return collected(() => this.#native.dump('addresses', netnsid ?? -1));
  }
  neighbours(ifindex: number, keep?: (row: Neighbour) => boolean): Promise<Neighbour[]> {
    return collected(() => this.#native.dump('neighbours', ifindex), keep);
  }
  fdb(ifindex: number, keep?: (row: FdbEntry) => boolean): Promise<FdbEntry[]> {
    return collected(() => this.#native.dump('fdb', ifindex), keep);
  }
  bridgeFdb(bridge: number, keep?: (row: FdbEntry) => boolean): Promise<FdbEntry[]> {
    return collected(() => this.#native.dump('bridgeFdb', bridge), keep);
  }

  routes(ifindex: number, protocol: number): Promise<Route[]> {
    return collected(() => this.#native.dump('routes', ifindex, protocol));
  }

  getNeighbours(keys: { ifindex: number; ip: Ip }[]): (Neighbour | undefined)[] {
    return translated(() => this.#native.getNeighbours(keys));
  }
  getFdb(keys: { ifindex: number; lladdr: Mac }[]): (FdbEntry | undefined)[] {
    return translated(() => this.#native.getFdb(keys));
  }
  getBridgeFdb(bridge: number, lladdrs: readonly Mac[]): (FdbEntry | undefined)[] {
    return translated(() => this.#native.getBridgeFdb(bridge, packTexts(lladdrs)));
  }

  write(writes: EntryWrite[]): Refusal[] {
    return this.#native.write(...packWrites(writes)).map(({ index, errno, extack }) => ({
      index,
      error: new KernelError(operation(writes[index]), errno, errorName(errno), extack),
    }));
  }

  writeRoutes(writes: RouteWrite[]): Refusal[] {
    return this.#native.writeRoutes(writes).map(({ index, errno, extack }) => ({
      index,
      error: new KernelError(`${writes[index]?.op ?? 'write'} route`, errno, errorName(errno), extack),
    }));
  }

  announce(announcements: Announcement[]): number {
    return this.#native.announce(...packAnnouncements(announcements));
  }
  probe(probes: Probe[]): number {
    return this.#native.probe(...packProbes(probes));
  }
  watchSenders(ports: readonly number[]): void {
    translated(() => {
      this.#native.watchSenders(ports);
    });
  }
  setPorts(ports: { port: number; vxlan: number }[]): void {
    translated(() => {
      this.#native.setPorts(ports);
    });
  }
  followFrames(follow: boolean): void {
    translated(() => {
      this.#native.followFrames(follow);
    });
  }
  async throttle(ports: readonly Throttled[], rate: number): Promise<void> {
    await this.#throttle.replace(ruleset(ports, rate));
  }
  async limitBroadcasts(limit: BroadcastLimit): Promise<void> {
    await this.#broadcasts.replace(broadcastRuleset(limit));
  }
  async broadcastsDropped(): Promise<Map<number, number>> {
    return countersIn(await this.#broadcasts.counters());
  }
  async silenceDad(ifindexes: readonly number[]): Promise<void> {
    await this.#dad.replace(dadRuleset(ifindexes));
  }
  isDadSilenced(): Promise<boolean> {
    return this.#dad.isThere();
  }
  watchTables(ifindexes: number[]): void {
    translated(() => {
      this.#native.watchTables(ifindexes);
    });
  }
  lastAsked(keys: { vxlan: number; ip: Ip }[]): (number | undefined)[] {
    return translated(() => this.#native.lastAsked(keys));
  }
  setMulticastRouter(port: number, value: 0 | 1 | 2): void {
    translated(() => {
      this.#native.setMulticastRouter(port, value);
    });
  }
  getAppSolicit(ifindex: number, family: 4 | 6): number | undefined {
    return translated(() => this.#native.getAppSolicit(ifindex, family));
  }
  setAppSolicit(ifindex: number, family: 4 | 6, probes: number): void {
    translated(() => {
      this.#native.setAppSolicit(ifindex, family, probes);
    });
  }
  getNeighbourTable(family: 4 | 6): NeighbourTable | undefined {
    return translated(() => this.#native.getNeighbourTable(family));
  }
  lock(name: string, kind: NameKind = 'listening'): boolean {
    return translated(() => this.#native.lock(name, kind));
  }
  unlock(name: string, kind: NameKind = 'listening'): void {
    this.#native.unlock(name, kind);
  }
  namedSockets(prefix: string): NamedSocket[] {
    return translated(() => this.#native.namedSockets(prefix));
  }
}

/** Rows decoded in one turn of the event loop: about a millisecond of work. */
const ROWS_PER_TURN = 1000;

async function collected<T>(
  dump: () => Promise<Take<T>>,
  keep: (row: T) => boolean = () => true,
): Promise<T[]> {
  const rows: T[] = [];
  const take = await dump().catch((error: unknown) => {
    throw translate(error);
  });
  for (;;) {
    const some = take(ROWS_PER_TURN);
    for (const row of some) if (keep(row)) rows.push(row);
    if (some.length < ROWS_PER_TURN) return rows;
    await turn();
  }
}

function told(event: NativeEvent): KernelEvent {
  if (event.type !== 'failed') return event;
  const { type, socket, errno } = event;
  return { type, socket, error: new KernelError(`receive from ${socket} socket`, errno, errorName(errno)) };
}

function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translate(error);
  }
}

function translate(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (!isNative(error)) return error;
  return new KernelError(error.operation, error.errno, errorName(error.errno), error.extack);
}

const isNative = (error: Error): error is NativeError => 'operation' in error && 'errno' in error;

const errorName = (errno: number): string => getSystemErrorName(-errno);

const operation = (write: EntryWrite | undefined): string =>
  write === undefined ? 'write' : `${write.op} ${write.table}`;
