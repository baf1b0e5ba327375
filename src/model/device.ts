import { type Journal, VolatileJournal } from './journal.ts';
import type { Strategy } from './strategy.ts';
import type { Ip, Link, Mac, Vni } from '../base/vocabulary.ts';
import type { Namespace } from '../kernel/kernel.ts';
import { DeviceCounters } from './counters.ts';
import { DesiredTables } from './desired-tables.ts';
import { type VxlanLink, familyOf, interfaceOf } from './vxlan-link.ts';
import { Settings } from './device-settings.ts';
import { ExpiringSet } from '../base/expiring-set.ts';
import type { RecordKey } from '../directory/directory.ts';
import type { Clock } from '../base/clock.ts';

/** VTEPs by group. */
export type Replicas = ReadonlyMap<Mac, ReadonlySet<Ip>>;

/** Gateways by CIDR. */
export type Routes = ReadonlyMap<string, Ip>;

/** The namespace of a device, as the device needs it. */
export interface DeviceNamespace {
  /** For logs: a name under /run/netns, a path, or `own`. */
  readonly name: string;
  readonly kernel: Namespace;
  /** Whether an interface of the namespace has this address. */
  isAssigned(ip: string): boolean;
  /** Whether it is the broadcast address of a subnet that an interface of the namespace has. */
  isBroadcast(ip: string): boolean;
  /** Every address that an interface of the namespace has. */
  assigned(): Iterable<string>;
  /** Ports of the device's bridge that lead to a guest of this host; ifindexes. */
  guestPorts(device: ServedDevice): number[];
  /** Tells the asker tap to ignore these ports. Replaces the ports of the last call. */
  muteTap(ports: ReadonlySet<number>): void;
  /** For logs. */
  portName(ifindex: number): string;
  link(ifindex: number): Link | undefined;
  /** Whether an interface of the namespace has this MAC. */
  isLinkAddress(mac: Mac): boolean;
  /** Switches the `senders` of the device's guests on or off. */
  learn(device: ServedDevice, on: boolean): void;
}

/** Addresses in the negative cache of a device at most. A guest that scans more only costs lookups. */
const MOST_ABSENT = 65_536;

/** A served VXLAN device, with the state that several parts of missd share. Ends with its ifindex. */
export class ServedDevice {
  /** As last reported by the kernel. */
  link: VxlanLink;
  readonly namespace: DeviceNamespace;
  /** The negative cache: addresses that the directory did not know a moment ago. */
  readonly absent: ExpiringSet;
  /** Addresses found to live on this host a moment ago, so that every ARP for the gateway is not another lookup. */
  readonly local: ExpiringSet;
  readonly tables = new DesiredTables();
  readonly counters = new DeviceCounters();
  /** The device is no longer served; work under way skips it. */
  gone = false;
  /** The FDB rows that missd wrote, for the next start. */
  journal: Journal = new VolatileJournal();
  /** Device settings that missd has changed. */
  settings = new Settings();
  /** Foreign FDB rows with missd's marks: MAC to the VTEP last seen. */
  readonly foreign = new Map<Mac, Ip>();
  /**
   * VTEP of the all-zeros FDB entry, as last read: frames to MACs without an entry go there and raise no L2 miss. Written by
   * another control plane (FRR's advertise-all-vni), or by the kernel when the device was made (`remote`, `group`).
   */
  defaultRemote: Ip | undefined;
  /** MACs that neighbours of another control plane name, as of the last full read of the tables. */
  foreignMacs: ReadonlySet<Mac> = new Set();
  /** Another control plane writes FDB rows of the device, or wrote some; see entries/shared-rows.ts. */
  shared = false;
  /** The entries of a predecessor have been adopted. */
  adopted = false;
  /** Guests behind its bridge are learned from what they send, see `publish/`. */
  learning = false;
  /** All adopted entries have been compared with the directory. */
  verified = false;

  /** Address family of the underlay: what a record's VTEP must be. */
  readonly family: 4 | 6;
  /** Whether entries are written on a miss or ahead. */
  readonly strategy: Strategy;
  /** The strategy has written its entries ahead once. */
  preload = false;
  /** Remotes of head-end replication, as last read or written. */
  replicas: Replicas = new Map();
  /** Routes of missd through the device, as last read or written. */
  routes: Routes = new Map();
  /** Broadcast addresses of the underlay's subnets, where the underlay is in another namespace. */
  underlayBroadcasts: ReadonlySet<string> = new Set();
  /** When the kernel's tables were last compared with the desired tables, monotonic ms. */
  auditedAt: number | undefined;

  /** @param negativeLifetime milliseconds */
  constructor(
    link: VxlanLink,
    namespace: DeviceNamespace,
    negativeLifetime: number,
    now: Clock,
    strategy: Strategy = 'miss',
  ) {
    this.link = link;
    this.family = familyOf(link, namespace.kernel);
    this.strategy = strategy;
    this.namespace = namespace;
    this.absent = new ExpiringSet(negativeLifetime, MOST_ABSENT, now);
    this.local = new ExpiringSet(negativeLifetime, MOST_ABSENT, now);
    this.tables.onProven = (entry) => {
      this.journal.intend([entry]);
    };
  }

  /** ifindex of the underlay interface; undefined where none is set or it is in another namespace. */
  get underlay(): number | undefined {
    return interfaceOf(this.link);
  }

  /** Whether this is the broadcast address of a subnet of the underlay. */
  readonly isBroadcast = (ip: string): boolean =>
    this.link.linkNetnsid === undefined ? this.namespace.isBroadcast(ip) : this.underlayBroadcasts.has(ip);

  get ifindex(): number {
    return this.link.ifindex;
  }

  get vni(): Vni {
    return this.link.vxlan.vni;
  }

  /** ifindex of the bridge the device is a port of, 0 in the routed topology. */
  get bridge(): number {
    return this.link.bridgePort === undefined ? 0 : this.link.master;
  }

  /** For logs and status. */
  get name(): string {
    return `${this.link.name}@${this.namespace.name}`;
  }
}

/** Whether the kernel entry that a record is for is held on the device. */
export const isHeld = ({ tables }: ServedDevice, { kind, address }: RecordKey): boolean =>
  kind === 'ip' ? tables.neighbours.has(address) : tables.fdb.has(address);
