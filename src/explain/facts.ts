/**
 * What is known of one address on one VXLAN device: gathered by `gather.ts`, judged by the stages. Plain data only,
 * so that tests can write it down.
 */
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { MalformedReason } from '../base/outcomes.ts';
import type { Account } from '../observe/history/account.ts';
import type { LinkDetails, Path } from '../inspect/iproute.ts';
import type { NeighbourDetails } from '../inspect/neighbours.ts';
import type { Pinged } from '../inspect/ping.ts';
import type { CommandLine } from '../screen/shell.ts';
import type { FdbEntry, Ip, Link, Mac, Neighbour, Vni } from '../base/vocabulary.ts';

export interface Facts {
  vni: Vni;
  /** What was asked about. */
  address: string;
  /** Where the address is an IP. */
  ip?: Ip;
  device: DeviceFacts;
  directory: DirectoryFacts;
  daemon: DaemonFacts;
  /** What the directory says, all records together; absent where it says nothing. */
  expected?: Expected;
  /** Where the host routes: the way to the IP from the device's namespace, or why there is none. */
  route?: Path | string;
  /** The device's row for the IP, or for the gateway that its route goes by. */
  neighbour?: NeighbourFacts;
  /** What frames to the address are addressed to: the neighbour's MAC, else what the directory says, else what was asked. */
  mac?: Mac;
  /** The device's own row for that MAC. */
  fdb?: FdbEntry;
  /** Where the bridge has that MAC. */
  bridged?: BridgedFacts;
  /** Towards the VTEP in force, else the recorded one. */
  underlay?: UnderlayFacts;
  guest?: GuestFacts;
}

export interface Expected {
  mac: Mac;
  vtep: Ip;
  router: boolean;
  source: StoredFact;
  /** The `mac:` record that says another VTEP, and wins. */
  overridden?: StoredFact;
}

export interface DeviceFacts {
  link: VxlanLink;
  /** Path of its namespace, null for the one this command runs in. */
  path: string | null;
  /** Its bridge, absent where the host routes. */
  bridge?: Link;
  /** Why missd refuses to serve it, in words. */
  refusal?: string;
  /** Commands that recreate it with the flags that missd needs. */
  recreate: readonly CommandLine[];
  /** Where unknown MACs go: an all-zeros row of its FDB. */
  defaultRemote?: Ip;
  /** Solicitations to user space for the address' family, where the host routes. */
  appSolicit?: number;
  /** Some missd holds the device, as its lock says. */
  locked: boolean;
  /** Addresses by which records name this host. */
  ownVteps: readonly Ip[];
  /** Names of the interfaces here that have the address itself. */
  assignedTo: readonly string[];
  /** What the bridge heard on ports of guests: MAC, port, and how long ago in ms. */
  heard: readonly Heard[];
}

export interface Heard {
  mac: Mac;
  port: string;
  ago: number;
}

/** A record as it stands. */
export interface StoredFact {
  kind: 'ip' | 'mac' | 'lease';
  /** As in Redis, or as one would look for it in the file. */
  key: string;
  value: string;
  /** Seconds until it expires. */
  ttl?: number;
  malformed?: MalformedReason;
}

export interface DirectoryFacts {
  /** A URL without credentials, or a file. */
  name: string;
  /** How one talks to it by hand, `redis-cli -h …`; absent for a file. */
  client?: CommandLine;
  /** Options that lead another command of missd to it, as they were given to this one. */
  given?: readonly string[];
  /** No directory was given: the default was tried. */
  byDefault: boolean;
  /** Why it could not be read, in words. */
  down?: string;
  /** The `ip:` record, the `mac:` record, and every lease that covers the address, the longest prefix first. */
  records: StoredFact[];
  /** The `ip:` record said something else a moment later. */
  changed?: string;
  /** Other `ip:` records that name the MAC. */
  users: { ip: Ip; vtep: Ip }[];
  /** How many records name a VTEP. */
  vteps: ReadonlyMap<Ip, number>;
  /** MACs that `ip:` records of the address' family name. */
  macs: ReadonlySet<Mac>;
  /** All records of the VNI were looked through for the three above; else there was no time for all. */
  complete: boolean;
}

export interface DaemonFacts {
  url: string;
  /** `--listen`, where it was given. */
  given?: readonly string[];
  account?: Account;
  /** Why there is no account. */
  silent?: string;
}

export interface NeighbourFacts {
  row: Neighbour;
  /** Seconds since it was written, where the kernel tells. */
  updatedAgo?: number;
}

export interface BridgedFacts {
  row: FdbEntry;
  port: string;
  /** That port is the VXLAN device. */
  behindTunnel: boolean;
}

export interface UnderlayFacts {
  vtep: Ip;
  /** Path of the namespace the packets leave from, null for this command's; undefined where it cannot be named. */
  path: string | null | undefined;
  route?: Path;
  /** Why there is no route, or it could not be read. */
  unrouted?: string;
  /** The interface that has the device's own VTEP address. */
  home?: LinkDetails;
  /** The interface that the route names. */
  link?: LinkDetails;
  neighbour?: NeighbourDetails;
  /** The VTEP's host does not listen on the VXLAN port (ICMP port unreachable). */
  refused?: boolean;
  /** Of the outer packet with a full-size inner one, bytes. */
  size: number;
  small?: Pinged;
  full?: Pinged;
  /** Where the full size gets no answer: the largest of the usual sizes that does. */
  fits?: number;
}

/** The namespace of `--from`. */
export interface GuestFacts {
  path: string;
  /** The interface it would leave by; its MTU. */
  route?: Path;
  unrouted?: string;
  mtu?: number;
  /** MAC of its interface that has the very address, where one has. */
  own?: { mac: Mac; device: string };
  neighbour?: NeighbourDetails;
  small?: Pinged;
  full?: Pinged;
}
