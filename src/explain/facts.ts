/**
 * The facts about one address on one VXLAN device. `gather.ts` collects the facts, the stages judge them. They are plain
 * data, so that a test can state them.
 */
import type { VxlanLink } from '../model/vxlan-link.ts';
import type { MalformedReason } from '../base/outcomes.ts';
import type { GuestKind } from '../directory/ownership.ts';
import type { Account } from '../observe/history/account.ts';
import type { LinkDetails, Path } from '../inspect/iproute.ts';
import type { NeighbourDetails } from '../inspect/neighbours.ts';
import type { Pinged } from '../inspect/ping.ts';
import type { CommandLine } from '../screen/shell.ts';
import type { FdbEntry, Ip, Link, Mac, Neighbour, Vni } from '../base/vocabulary.ts';

export interface Facts {
  vni: Vni;
  /** The IP or MAC in question. */
  address: string;
  /** Present if the address is an IP. */
  ip?: Ip;
  device: DeviceFacts;
  directory: DirectoryFacts;
  daemon: DaemonFacts;
  /** The answer that follows from all records together; absent if no record gives one. */
  expected?: Expected;
  /** If the host routes: the route to the IP from the device's namespace, or the reason why there is none. */
  route?: Path | string;
  /** The device's neighbour for the IP, or for the gateway of the route. */
  neighbour?: NeighbourFacts;
  /** The destination MAC of frames: from the neighbour, else from the directory, else the MAC in question. */
  mac?: Mac;
  /** The device's FDB entry for that MAC. */
  fdb?: FdbEntry;
  /** The bridge's FDB entry for that MAC. */
  bridged?: BridgedFacts;
  /** The path to the VTEP of the FDB entry, else to the recorded VTEP. */
  underlay?: UnderlayFacts;
  guest?: GuestFacts;
}

export interface Expected {
  mac: Mac;
  vtep: Ip;
  router: boolean;
  source: StoredFact;
  /** The `mac:` record that names another VTEP and takes precedence. */
  overridden?: StoredFact;
}

export interface DeviceFacts {
  link: VxlanLink;
  /** Path of the device's namespace; null for the namespace of this command. */
  path: string | null;
  /** The device's bridge; absent if the host routes. */
  bridge?: Link;
  /** Why missd refuses to serve the device, as text. */
  refusal?: string;
  /** Commands that recreate the device with the flags that missd needs. */
  recreate: readonly CommandLine[];
  /** The VTEP of the all-zeros FDB entry, which receives frames to unknown MACs. */
  defaultRemote?: Ip;
  /** `app_solicit` for the family of the address, if the host routes. */
  appSolicit?: number;
  /** A missd holds the lock of the device. */
  locked: boolean;
  /** VTEP addresses of this host. */
  ownVteps: readonly Ip[];
  /** Names of this namespace's interfaces that have the address. */
  assignedTo: readonly string[];
  /** MACs that the bridge learned on guest ports, the latest first. */
  heard: readonly Heard[];
}

export interface Heard {
  mac: Mac;
  port: string;
  /** ms since the last frame. */
  ago: number;
}

/** A record as stored. */
export interface StoredFact {
  kind: 'ip' | 'mac' | 'lease';
  /** The key in Redis, or words to search for in the file. */
  key: string;
  value: string;
  /** Seconds until the record expires. */
  ttl?: number;
  malformed?: MalformedReason;
}

export interface DirectoryFacts {
  /** A URL without credentials, or a file. */
  name: string;
  /** The `redis-cli` command that reaches the server; absent for a file. */
  client?: CommandLine;
  /** Options of this command that name the directory, for the commands that are suggested. */
  given?: readonly string[];
  /** No option names a directory, so the default was tried. */
  byDefault: boolean;
  /** Why the directory could not be read, as text. */
  down?: string;
  /** The `ip:` record, the `mac:` record, and every lease that covers the address, the longest prefix first. */
  records: StoredFact[];
  /** The value of the `ip:` record at a second read, if it differs from the first. */
  changed?: string;
  /** Other `ip:` records that name the MAC. */
  users: { ip: Ip; vtep: Ip }[];
  /** The number of records that name a VTEP. */
  vteps: ReadonlyMap<Ip, number>;
  /** MACs in the `ip:` records of the address's family. */
  macs: ReadonlySet<Mac>;
  /** Who published the records; absent in a VNI whose guests are not published. */
  owner?: OwnerFacts;
  /** `users`, `vteps` and `macs` cover all records of the VNI; false if reading them took too long. */
  complete: boolean;
}

export interface OwnerFacts {
  /** Name of the VNI's network. */
  network: string;
  mac: Mac;
  /** The server does not permit to read the owner. */
  refused?: boolean;
  /** Absent if no host has published the MAC. */
  companion?: CompanionFacts;
}

/** The companion of a MAC's records. Times in seconds. */
export interface CompanionFacts {
  host: string;
  incarnation: string;
  vtep: Ip;
  kind: GuestKind;
  epoch: number;
  /** Within 180 s. */
  moves: number;
  /** The host that had the MAC before these moves, and for how much longer nobody else may take it; 0 if it may be taken. */
  first: string;
  frozen: number;
  /** Until the lease of the host ends; absent if it has ended. */
  lease?: number;
  ips: readonly Ip[];
}

export interface DaemonFacts {
  url: string;
  /** The option `--listen`, if it was given. */
  given?: readonly string[];
  account?: Account;
  /** Why there is no account, as text. */
  silent?: string;
}

export interface NeighbourFacts {
  row: Neighbour;
  /** Seconds since the neighbour was written, if iproute2 tells. */
  updatedAgo?: number;
}

export interface BridgedFacts {
  row: FdbEntry;
  port: string;
  /** The port is the VXLAN device. */
  behindTunnel: boolean;
}

export interface UnderlayFacts {
  vtep: Ip;
  /** Path of the namespace that packets leave from; null for that of this command, undefined if it has no name here. */
  path: string | null | undefined;
  route?: Path;
  /** Why there is no route, or why the route could not be read. */
  unrouted?: string;
  /** The interface that has the device's own VTEP address. */
  home?: LinkDetails;
  /** The interface that the route names. */
  link?: LinkDetails;
  neighbour?: NeighbourDetails;
  /** The VTEP's host does not listen on the VXLAN port (ICMP port unreachable). */
  refused?: boolean;
  /** Size of the outer packet around an inner packet of the device's MTU, bytes. */
  size: number;
  small?: Pinged;
  full?: Pinged;
  /** The largest of the usual sizes that gets an answer, if the full size gets none. */
  fits?: number;
}

/** The namespace of `--from`. */
export interface GuestFacts {
  path: string;
  /** The guest's route to the address. */
  route?: Path;
  unrouted?: string;
  /** MTU of the route or of its interface. */
  mtu?: number;
  /** The guest's own interface that has the address. */
  own?: { mac: Mac; device: string };
  neighbour?: NeighbourDetails;
  small?: Pinged;
  full?: Pinged;
}
