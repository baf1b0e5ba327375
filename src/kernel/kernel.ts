/**
 * The kernel as missd sees it: one `Namespace` per served network namespace. Two implementations: `linux.ts`
 * (the addon) and the tests' fake. All calls take batches, and none of them decides anything.
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
  Sender,
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

/** A changed row: its new content, or its last content where it was removed. */
export interface RowChange {
  removed: boolean;
  row: Neighbour | FdbEntry;
}

export interface Senders {
  type: 'senders';
  senders: Sender[];
  /** Ports that said more in a second than is told, with the last MAC that was left out. */
  passedOver: { port: number; mac: Mac; count: number }[];
  /** Frames that the kernel dropped because they came faster than they were read. */
  lost: number;
}

/** An event of a namespace, in the order of the kernel. */
export type KernelEvent =
  | { type: 'misses'; misses: Miss[] }
  /** The kernel dropped messages for want of buffer (ENOBUFS): misses, link and address events, or changes of tables. */
  | { type: 'overrun'; socket: OverrunSocket | 'table' }
  /** Rows of watched devices that were added, changed or removed. */
  | { type: 'rows'; changes: RowChange[] }
  /** Guests that were heard at watched ports, each with an address once a second at most. */
  | Senders
  /**
   * A socket could not be read because of an unexpected error or a lack of memory. An overrun accompanies it, except for
   * the asker tap. The socket is read again after 100 ms.
   */
  | { type: 'failed'; socket: ReceivingSocket; error: KernelError }
  /** Messages that could not be decoded. */
  | { type: 'malformed'; count: number }
  | { type: 'link'; removed: boolean; link: Link }
  | { type: 'address'; removed: boolean; address: InterfaceAddress };

export interface Namespace {
  /** Subscribing starts listening, unsubscribing closes every socket. One subscriber. */
  readonly events$: Observable<KernelEvent>;
  /**
   * The granted receive buffer of the miss socket, in the same bytes as requested (fewer where net.core.rmem_max caps
   * it), and whether SO_RCVBUFFORCE worked.
   */
  readonly receiveBuffer: { bytes: number; forced: boolean };
  /** Inode of the namespace (nsfs), unique on the machine. */
  readonly inode: number;
  /** False where AF_PACKET was refused (no CAP_NET_RAW): askers stay unknown and nothing can be announced. */
  readonly canAnnounce: boolean;

  /** Whether misses that waited in the socket at the last call still wait: the reader no longer runs. */
  neglected(): boolean;

  /** Retried while the kernel reports an interrupted dump (NLM_F_DUMP_INTR). Runs off the main thread. */
  links(): Promise<Link[]>;
  /** Addresses of this namespace, or of the peer namespace known here by `netnsid`. */
  addresses(netnsid?: number): Promise<InterfaceAddress[]>;
  /** @param keep filters rows while they arrive, so that few of many objects stay alive */
  neighbours(ifindex: number, keep?: (row: Neighbour) => boolean): Promise<Neighbour[]>;
  /** The `self` entries of one VXLAN device. */
  fdb(ifindex: number, keep?: (row: FdbEntry) => boolean): Promise<FdbEntry[]>;
  /** The `master` entries of one bridge, without those behind VXLAN ports: a dump of those would read the VXLAN FDB, too. */
  bridgeFdb(bridge: number, keep?: (row: FdbEntry) => boolean): Promise<FdbEntry[]>;

  /** The routes through a device that name this protocol; IPv4 and IPv6, main table. */
  routes(ifindex: number, protocol: number): Promise<Route[]>;

  /** Single rows, in one round trip; undefined where there is none. Synchronous: microseconds each. */
  getNeighbours(keys: { ifindex: number; ip: Ip }[]): (Neighbour | undefined)[];
  getFdb(keys: { ifindex: number; lladdr: Mac }[]): (FdbEntry | undefined)[];
  getBridgeFdb(bridge: number, lladdrs: readonly Mac[]): (FdbEntry | undefined)[];

  /** Writes in order, in as few sends as possible; one refusal does not stop the rest. @returns the refusals */
  write(writes: EntryWrite[]): Refusal[];

  /** Writes routes in the same way. */
  writeRoutes(writes: RouteWrite[]): Refusal[];

  /** Sends an ARP reply or unsolicited neighbour advertisement directly out of bridge ports. @returns the number of failed sends */
  announce(announcements: Announcement[]): number;

  /**
   * Asks guests whether they have an address, each by a unicast frame out of its port alone: the answer is heard as a sender,
   * however soon it comes after the last. @returns the number of failed sends
   */
  probe(probes: Probe[]): number;

  /** Ports of guests of which `senders` are told; untagged frames that enter there. Replaces the earlier ports. @throws KernelError */
  watchSenders(ports: readonly number[]): void;

  /** Tells the asker tap which bridge ports belong to which VXLAN device. Replaces the earlier map. */
  setPorts(ports: { port: number; vxlan: number }[]): void;
  /**
   * Switches the search for askers of L2 misses: the port and source MAC of the frame that raised the miss, without an
   * address. The search reads the head of every unicast frame of the asking ports, so it is on only during a flood.
   * @throws KernelError
   */
  followFrames(follow: boolean): void;
  /**
   * Limits the ARP requests and neighbour solicitations of these ports, and drops the excess before it raises misses.
   * Replaces the earlier limits, also those of an earlier process. Rejects where nftables cannot do it.
   * @param rate per port and second, for multicast and for unicast each
   */
  throttle(ports: readonly Throttled[], rate: number): Promise<void>;
  /**
   * Drops broadcasts over a limit before they are copied to other hosts. Replaces the earlier limit, also that of an
   * earlier process, and restarts the counters at 0. Rejects where nftables cannot do it.
   */
  limitBroadcasts(limit: BroadcastLimit): Promise<void>;
  /** Broadcasts dropped since the limit was set, by ifindex of the VXLAN device. Rejects where there is no limit. */
  broadcastsDropped(): Promise<Map<number, number>>;
  /**
   * Drops duplicate address detection (ARP probes, solicitations from ::) before these VXLAN devices. Replaces the earlier
   * rules, also those of an earlier process. Rejects where nftables cannot do it.
   */
  silenceDad(ifindexes: readonly number[]): Promise<void>;
  /** Whether such rules of missd are in force. Rejects where nftables cannot say. */
  isDadSilenced(): Promise<boolean>;
  /**
   * Starts `rows` events for the tables of these devices, and ends them for all others. A bridge among them reports rows
   * that it learns behind other ports, some thousand a second at most. Our own neighbours raise no event, because they
   * carry our netlink port; our own FDB entries raise events like all others.
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
   * Binds an abstract unix socket in this namespace; false when another process holds the name. Bound until `unlock` or
   * close. The two kinds of sockets have separate names.
   * @throws KernelError
   */
  lock(name: string, kind?: NameKind): boolean;
  unlock(name: string, kind?: NameKind): void;
  /** Abstract unix sockets of all processes in this namespace, by the beginning of their names. @throws KernelError without unix_diag */
  namedSockets(prefix: string): NamedSocket[];
}

export type NameKind = 'listening' | 'datagram';

export interface NamedSocket {
  name: string;
  inode: number;
  /** User id of the owner; absent before Linux 5.3. */
  uid?: number;
  listening: boolean;
}

/** A family's neighbours of the whole machine, as `ip -s ntable` shows them. */
export interface NeighbourTable {
  /** Includes entries that `gc_thresh` does not count, such as ours. */
  entries: number;
  /** gc_thresh1 to gc_thresh3: at the last the kernel refuses new entries. */
  thresholds: readonly [number, number, number];
  /** Entries refused at gc_thresh3 since boot. */
  fulls: number;
}

interface WriteBase {
  ifindex: number;
  /**
   * `create` fails with EEXIST where a row exists (NLM_F_CREATE | NLM_F_EXCL), `replace` creates or overwrites
   * (NLM_F_CREATE | NLM_F_REPLACE), `append` adds a remote to a broadcast or all-zeros FDB entry (NLM_F_APPEND),
   * `delete` fails with ENOENT without a row. `probe` writes nothing: where the kernel would accept such a row, `probe`
   * fails with EEXIST if one exists and ENOENT if not (NLM_F_EXCL alone).
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
      /**
       * Gives the remote port 0 (NDA_PORT), or deletes the remote with port 0. Frames go to the port of the device all the
       * same (drivers/net/vxlan, vxlan_xmit_one), and the kernel does not tell port 0 from that port. A delete that names a
       * VTEP finds only a remote of the same port, and without NDA_PORT it means the port of the device. One that finds no
       * remote deletes nothing and succeeds.
       */
      portless?: boolean;
    });

/**
 * A route of the main table by a gateway on the device itself (`onlink`). `create` fails with EEXIST where any route of
 * that prefix exists, `delete` with ESRCH where no route has this gateway, device and protocol.
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
  /** MAC and IP of the receiver; absent for a broadcast to all guests behind the port. */
  to?: { lladdr: Mac; ip: Ip };
  /** Sets the router flag of a neighbour advertisement (RFC 4861 §4.4). */
  router: boolean;
}

/**
 * IPv4: an ARP probe (RFC 5227), of which Linux remembers nothing and which proxy ARP does not answer. IPv6: a solicitation
 * by the link-local address of `from`.
 */
export interface Probe {
  port: number;
  ip: Ip;
  /** The guest's MAC. */
  lladdr: Mac;
  /** The MAC that asks; the guest answers to it. */
  from: Mac;
}

/** The one shape of a kernel error: the operation, errno, and the kernel's extended-ack text if any. */
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

/** A row with that key exists (EEXIST). */
export const isTaken = (error: KernelError): boolean => error.code === 'EEXIST';
/** The row or device does not exist (any more). */
export const isGone = (error: unknown): boolean =>
  error instanceof KernelError &&
  (error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'ENXIO' || error.code === 'ESRCH');
/**
 * The bridge is gone, or its ifindex belongs to another device now (net/core/rtnetlink.c,
 * `rtnl_fdb_get`: "Invalid master ifindex", "FDB get operation not supported by device").
 */
export const isBridgeGone = (error: unknown): boolean =>
  error instanceof KernelError && (error.code === 'EINVAL' || error.code === 'EOPNOTSUPP' || isGone(error));
