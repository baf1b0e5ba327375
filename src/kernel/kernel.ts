/**
 * The kernel as missd sees it: one `Namespace` per served network namespace. Two implementations: `linux.ts`
 * (the addon) and the tests' fake. Everything batch-shaped; nothing here decides anything.
 */
import type { OverrunSocket, ReceivingSocket } from '../base/outcomes.ts';
import type { Observable } from 'rxjs';
import type { Throttled } from './nft/nft.ts';
import type { BroadcastLimit } from './nft/broadcast-rules.ts';
import type {
  FdbEntry,
  InterfaceAddress,
  Ip,
  Link,
  Mac,
  Miss,
  Neighbour,
  Route,
} from '../base/vocabulary.ts';

export interface OpenOptions {
  /** Receive buffer wanted for the miss socket, bytes. */
  receiveBuffer: number;
}

export interface Kernel {
  /**
   * Opens netlink and packet sockets in a namespace: a path such as `/run/netns/blue`, or null for the daemon's own.
   * @throws KernelError ENOENT when there is no such namespace, EPERM without CAP_SYS_ADMIN
   */
  open(path: string | null, options: OpenOptions): Namespace;
}

/** A row as somebody left it, or as it was when it went. */
export interface RowChange {
  removed: boolean;
  row: Neighbour | FdbEntry;
}

/** What a namespace tells us, in the order the kernel said it. */
export type KernelEvent =
  | { type: 'misses'; misses: Miss[] }
  /** The kernel dropped messages for want of buffer (ENOBUFS): misses, link and address events, or changes of tables. */
  | { type: 'overrun'; socket: OverrunSocket | 'table' }
  /** Rows of watched devices that came, changed or went. */
  | { type: 'rows'; changes: RowChange[] }
  /**
   * A socket could not be read, for a reason that is not in the order of things, or there was no memory for what was
   * read. Of all but the tap an overrun comes with it. The socket is read again in a tenth of a second.
   */
  | { type: 'failed'; socket: ReceivingSocket; error: KernelError }
  /** Messages that could not be decoded. */
  | { type: 'malformed'; count: number }
  | { type: 'link'; removed: boolean; link: Link }
  | { type: 'address'; removed: boolean; address: InterfaceAddress };

export interface Namespace {
  /** Begins listening on subscription, closes every socket on unsubscription. One subscriber. */
  readonly events$: Observable<KernelEvent>;
  /**
   * What the kernel granted for the miss socket, in bytes comparable with those asked for (less where
   * net.core.rmem_max caps it), and whether it took SO_RCVBUFFORCE.
   */
  readonly receiveBuffer: { bytes: number; forced: boolean };
  /** Of the namespace (nsfs): what tells it from the others of this machine. */
  readonly inode: number;
  /** False where AF_PACKET was refused (no CAP_NET_RAW): askers stay unknown and nothing can be announced. */
  readonly canAnnounce: boolean;

  /** Whether misses wait in the socket that waited at the last call already, while nobody reads: nothing is heard any more. */
  neglected(): boolean;

  /** Retried while the kernel reports an interrupted dump (NLM_F_DUMP_INTR). Runs off the main thread. */
  links(): Promise<Link[]>;
  /** Addresses of this namespace, or of the peer namespace known here by `netnsid`. */
  addresses(netnsid?: number): Promise<InterfaceAddress[]>;
  /** @param keep is asked while the rows come in; of many, few objects then live for longer than a moment */
  neighbours(ifindex: number, keep?: (row: Neighbour) => boolean): Promise<Neighbour[]>;
  /** The `self` entries of one VXLAN device. */
  fdb(ifindex: number, keep?: (row: FdbEntry) => boolean): Promise<FdbEntry[]>;
  /** The `master` entries of one bridge, but for those behind a VXLAN port: reading them reads its whole own FDB. */
  bridgeFdb(bridge: number, keep?: (row: FdbEntry) => boolean): Promise<FdbEntry[]>;

  /** The routes through a device that name this protocol; IPv4 and IPv6, main table. */
  routes(ifindex: number, protocol: number): Promise<Route[]>;

  /** Single rows, in one round trip; undefined where there is none. Synchronous: microseconds each. */
  getNeighbours(keys: { ifindex: number; ip: Ip }[]): (Neighbour | undefined)[];
  getFdb(keys: { ifindex: number; lladdr: Mac }[]): (FdbEntry | undefined)[];
  getBridgeFdb(bridge: number, lladdrs: readonly Mac[]): (FdbEntry | undefined)[];

  /** Writes in order, in as few sends as possible; one refusal does not stop the rest. Returns the refusals. */
  write(writes: EntryWrite[]): Refusal[];

  /** The same for routes. */
  writeRoutes(writes: RouteWrite[]): Refusal[];

  /** Sends an ARP reply or unsolicited neighbour advertisement straight out of bridge ports. Returns how many could not be sent. */
  announce(announcements: Announcement[]): number;

  /** Tells the asker tap which bridge ports belong to which VXLAN device. Replaces what was said before. */
  setPorts(ports: { port: number; vxlan: number }[]): void;
  /**
   * Whether the asker of an L2 miss is looked for: the port whose frame raised it, and the source MAC of that, without an
   * address. It reads the head of every unicast frame of the asking ports, so only while somebody floods.
   * @throws KernelError
   */
  followFrames(follow: boolean): void;
  /**
   * Lets these ports send so many ARP requests and neighbour solicitations a second and drops the others before they
   * raise a miss; replaces what was said before, also by a predecessor. Rejects where nftables cannot do it.
   * @param rate per port and second, of those to everybody and of those to one
   */
  throttle(ports: readonly Throttled[], rate: number): Promise<void>;
  /**
   * Drops broadcasts over a limit before they are copied to other hosts; replaces what was said before, also by a
   * predecessor, and counts from nothing. Rejects where nftables cannot do it.
   */
  limitBroadcasts(limit: BroadcastLimit): Promise<void>;
  /** Broadcasts dropped since then, by ifindex of the VXLAN device. Rejects where there is no limit. */
  broadcastsDropped(): Promise<Map<number, number>>;
  /**
   * Tells of changes to the tables of these devices from now on, `rows`; of none without any. Of a bridge among them what
   * it learns behind ports other than these devices, some thousand rows a second at most. Not of our own neighbours,
   * which carry our netlink port; our own FDB entries cannot be told from anybody's.
   */
  watchTables(ifindexes: number[]): void;
  /** Milliseconds since a guest was last seen to ask for an address; undefined when not seen, or long ago. */
  lastAsked(keys: { vxlan: number; ip: Ip }[]): (number | undefined)[];
  /** Sets IFLA_BRPORT_MULTICAST_ROUTER. @throws KernelError */
  setMulticastRouter(port: number, value: 0 | 1 | 2): void;
  /**
   * How many solicitations the kernel sends to user space for a device's own neighbours, `app_solicit`; undefined
   * where the device has none of that family. @throws KernelError
   */
  getAppSolicit(ifindex: number, family: 4 | 6): number | undefined;
  /** Without a write to /proc/sys (RTM_SETNEIGHTBL). @throws KernelError */
  setAppSolicit(ifindex: number, family: 4 | 6, probes: number): void;
  /** The table of a family, one for all namespaces of the machine; undefined without that family. @throws KernelError */
  getNeighbourTable(family: 4 | 6): NeighbourTable | undefined;
  /**
   * Binds an abstract unix socket in this namespace; false when another process holds the name. Held until closed. A name
   * of one kind is another than the same of the other kind.
   * @throws KernelError
   */
  lock(name: string, kind?: NameKind): boolean;
  unlock(name: string, kind?: NameKind): void;
  /** Abstract unix sockets of this namespace whose names begin so, anybody's. @throws KernelError without unix_diag */
  namedSockets(prefix: string): NamedSocket[];
}

export type NameKind = 'listening' | 'datagram';

export interface NamedSocket {
  name: string;
  inode: number;
  /** User who made it; absent before Linux 5.3. */
  uid?: number;
  listening: boolean;
}

/** A family's neighbours of the whole machine, as `ip -s ntable` shows them. */
export interface NeighbourTable {
  /** Also those that `gc_thresh` does not count, such as ours. */
  entries: number;
  /** gc_thresh1 to gc_thresh3: beyond the last the kernel makes no further entry. */
  thresholds: readonly [number, number, number];
  /** Entries refused for that, since the machine started. */
  fulls: number;
}

interface WriteBase {
  ifindex: number;
  /**
   * `create` fails with EEXIST where a row stands (NLM_F_CREATE | NLM_F_EXCL), `replace` creates or overwrites
   * (NLM_F_CREATE | NLM_F_REPLACE), `append` adds a remote to a broadcast or all-zeros FDB entry (NLM_F_APPEND),
   * `delete` fails with ENOENT where there is none. `probe` writes nothing: where the kernel would take such a row it
   * fails with EEXIST if one stands and ENOENT if not (NLM_F_EXCL alone).
   */
  op: 'create' | 'replace' | 'append' | 'delete' | 'probe';
  state: number;
  flags: number;
}

export type EntryWrite =
  | (WriteBase & { table: 'neighbour'; ip: Ip; lladdr: Mac; protocol: number })
  /** AF_BRIDGE. With NTF_SELF a VXLAN device's own row and `vtep` names the remote; with NTF_MASTER a bridge's. */
  | (WriteBase & {
      table: 'fdb';
      lladdr: Mac;
      vtep?: Ip;
      /** ifindex of the interface that the VTEP is reached by; absent, the routes decide. */
      via?: number | undefined;
    });

/**
 * A route of the main table by a gateway on the device itself (`onlink`). `create` fails with EEXIST where any route of
 * that prefix stands, `delete` with ESRCH where none does with this gateway, device and protocol.
 */
export interface RouteWrite {
  op: 'create' | 'delete';
  ifindex: number;
  cidr: string;
  gateway: Ip;
  protocol: number;
}

/** A write the kernel refused. */
export interface Refusal {
  /** Position in the batch. */
  index: number;
  error: KernelError;
}

export interface Announcement {
  /** ifindex of the port to send out of. */
  port: number;
  /** The answered address and its MAC. */
  ip: Ip;
  lladdr: Mac;
  /** Whom to tell: a MAC and IP, or absent to tell everybody behind the port. */
  to?: { lladdr: Mac; ip: Ip };
  /** Sets the router flag of a neighbour advertisement (RFC 4861 §4.4). */
  router: boolean;
}

/** The one shape of a kernel refusal: what was tried, errno, and the kernel's own words where it gave some. */
export class KernelError extends Error {
  readonly operation: string;
  /** Positive errno. */
  readonly errno: number;
  /** Symbolic errno, e.g. `EEXIST`. */
  readonly code: string;
  /** Extended-ack text (NLMSGERR_ATTR_MSG), empty when the kernel gave none. */
  readonly extack: string;
  constructor(operation: string, errno: number, code: string, extack = '') {
    super(`${operation}: ${code}${extack === '' ? '' : ` (${extack})`}`);
    this.name = 'KernelError';
    this.operation = operation;
    this.errno = errno;
    this.code = code;
    this.extack = extack;
  }
}

/** A row of that key stands already. */
export const isTaken = (error: KernelError): boolean => error.code === 'EEXIST';
/** The row or device is not there (any more). */
export const isGone = (error: unknown): boolean =>
  error instanceof KernelError &&
  (error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'ENXIO' || error.code === 'ESRCH');
/**
 * A look into a bridge that is not there any more, or whose ifindex is another device's by now (net/core/rtnetlink.c,
 * `rtnl_fdb_get`: "Invalid master ifindex", "FDB get operation not supported by device").
 */
export const isBridgeGone = (error: unknown): boolean =>
  error instanceof KernelError && (error.code === 'EINVAL' || error.code === 'EOPNOTSUPP' || isGone(error));
