/** The native addon, `addon/src/js_namespace.cc` and `js_codec.cc`, with its JavaScript shapes. */
import type { ReceivingSocket } from '../base/outcomes.ts';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { RuntimeFailure, reasonOf } from '../base/errors.ts';
import type {
  FdbEntry,
  InterfaceAddress,
  Ip,
  Link,
  Mac,
  Miss,
  Neighbour,
  Route,
  Sender,
} from '../base/vocabulary.ts';
import type {
  Announcement,
  EntryWrite,
  KernelEvent,
  NameKind,
  NamedSocket,
  NeighbourTable,
  Probe,
  RouteWrite,
} from './kernel.ts';
import {
  NUMBERS_PER_MISS,
  type Packed,
  packAnnouncements,
  packProbes,
  packWrites,
  unpackMisses,
} from './packed.ts';

/** Hands out the rows of a finished dump, at most `count` at a time; an empty array is the end. */
export type Take<T> = (count: number) => T[];

/** What a refusal and a thrown error have in common; positive errno. */
interface Failure {
  errno: number;
  extack: string;
}

/** An error the addon throws for a failed system call. */
export type NativeError = Error & Failure & { operation: string };

/** A KernelEvent as the addon has it. */
export type NativeEvent =
  Exclude<KernelEvent, { type: 'failed' }> | { type: 'failed'; socket: ReceivingSocket; errno: number };

export interface NativeNamespace {
  readonly receiveBuffer: { bytes: number; forced: boolean };
  readonly canAnnounce: boolean;
  /** Keeps the event loop alive until `close`. Misses arrive packed in their own callback, which reuses the array of numbers. */
  start(
    listener: (events: NativeEvent[]) => void,
    misses: (numbers: Uint32Array, texts: string[], count: number) => void,
  ): void;
  close(): void;
  neglected(): boolean;
  dump(table: 'links', key: -1): Promise<Take<Link>>;
  dump(table: 'addresses', netnsid: number): Promise<Take<InterfaceAddress>>;
  dump(table: 'neighbours', ifindex: number): Promise<Take<Neighbour>>;
  dump(table: 'fdb' | 'bridgeFdb', ifindex: number): Promise<Take<FdbEntry>>;
  dump(table: 'routes', ifindex: number, protocol: number): Promise<Take<Route>>;
  getNeighbours(keys: { ifindex: number; ip: Ip }[]): (Neighbour | undefined)[];
  getFdb(keys: { ifindex: number; lladdr: Mac }[]): (FdbEntry | undefined)[];
  getBridgeFdb(bridge: number, lladdrs: string): (FdbEntry | undefined)[];
  write(...writes: Packed): (Failure & { index: number })[];
  writeRoutes(writes: RouteWrite[]): (Failure & { index: number })[];
  announce(...announcements: Packed): number;
  setPorts(ports: { port: number; vxlan: number }[]): void;
  followFrames(follow: boolean): void;
  watchSenders(ports: readonly number[]): void;
  probe(...probes: Packed): number;
  watchTables(ifindexes: number[]): void;
  lastAsked(keys: { vxlan: number; ip: Ip }[]): (number | undefined)[];
  setMulticastRouter(port: number, value: number): void;
  getAppSolicit(ifindex: number, family: 4 | 6): number | undefined;
  setAppSolicit(ifindex: number, family: 4 | 6, probes: number): void;
  getNeighbourTable(family: 4 | 6): NeighbourTable | undefined;
  lock(name: string, kind: NameKind): boolean;
  unlock(name: string, kind: NameKind): void;
  namedSockets(prefix: string): NamedSocket[];
}

interface Decoded<T> {
  values: T[];
  malformed: number;
}

interface Native {
  Namespace: new (path: string | null, receiveBuffer: number) => NativeNamespace;
  /** Returns free memory of malloc to the kernel (malloc_trim(3)). */
  trimMemory: () => void;
  /** CPU time of all table dumps, in seconds since the start. */
  dumpSeconds: () => number;
  /** One datagram to a unix socket, `@` for an abstract one. @throws NativeError, also where sending would block */
  notify: (path: string, text: string) => void;

  // The pure functions, for tests on bytes.
  decodeMisses: (datagram: Buffer) => { numbers: Uint32Array; texts: string[]; malformed: number };
  decodeLinks: (datagram: Buffer) => Decoded<Link>;
  decodeAddresses: (datagram: Buffer) => Decoded<InterfaceAddress>;
  decodeRows: (datagram: Buffer) => Decoded<Neighbour | FdbEntry>;
  decodeRoutes: (datagram: Buffer) => Decoded<Route>;
  decodeAnswers: (datagram: Buffer) => (Failure & { seq: number })[];
  encodeWrites: (...writes: Packed) => Buffer;
  encodeRoutes: (writes: RouteWrite[]) => Buffer;
  /** undefined for an announcement that must not be sent. */
  buildAnnouncement: (...announcement: Packed) => Buffer | undefined;
  /** The asker and the address asked for; undefined where the frame is no well-formed question. */
  parseQuestion: (frame: Buffer) => { target: Ip; lladdr: Mac; ip: Ip } | undefined;
  /** undefined for a probe that must not be sent. */
  buildProbe: (...probe: Packed) => Buffer | undefined;
  /** The sender, of port 0; undefined where the frame names none. */
  parseSighting: (frame: Buffer) => Sender | undefined;
}

/** Where `addon/` lies, seen from `src/kernel` and from `dist/kernel` alike. */
const directory = fileURLToPath(new URL('../../addon', import.meta.url));
const require = createRequire(import.meta.url);

/** @throws RuntimeFailure in one line where it cannot be loaded: not built, or for another machine, libc or Node */
export function loadNative(
  load = require('node-gyp-build') as (directory: string) => unknown,
  from: string = directory,
): Native {
  try {
    return load(from) as Native;
  } catch (error) {
    const reason = reasonOf(error)
      .replace(/ loaded from:.*/, '')
      .slice(0, 200);
    throw new RuntimeFailure(
      `the native addon cannot be loaded (${reason}); on this machine run: npm rebuild missd, or in a checkout: npm run build`,
      { cause: error },
    );
  }
}

/** Loaded at the first use, because some commands need no kernel. */
function complete(native: Native) {
  return {
    ...native,
    decodeMisses: (datagram: Buffer): { misses: Miss[]; malformed: number } => {
      const { numbers, texts, malformed } = native.decodeMisses(datagram);
      return { misses: unpackMisses(numbers, texts, numbers.length / NUMBERS_PER_MISS), malformed };
    },
    encodeWrites: (writes: EntryWrite[]): Buffer => native.encodeWrites(...packWrites(writes)),
    buildAnnouncement: (announcement: Announcement): Buffer | undefined =>
      native.buildAnnouncement(...packAnnouncements([announcement])),
    buildProbe: (probe: Probe): Buffer | undefined => native.buildProbe(...packProbes([probe])),
  };
}

type Addon = ReturnType<typeof complete>;
let loaded: Addon | undefined;

export const addon = new Proxy({} as Addon, {
  get: (_, name) => Reflect.get((loaded ??= complete(loadNative())), name) as unknown,
});
