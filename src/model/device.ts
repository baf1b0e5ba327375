import { type Journal, VolatileJournal } from './journal.ts';
import type { Strategy } from './strategy.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
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

/** What a device needs to know of the namespace it is in. */
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
  /** Ports of the device's bridge with a guest of this host behind them. */
  guestPorts(device: ServedDevice): number[];
  /** Tells the asker tap to leave these ports alone. */
  muteTap(ports: ReadonlySet<number>): void;
  /** For logs. */
  portName(ifindex: number): string;
}

/** Remembered addresses that nobody has, per device. A guest that scans more than this only costs lookups. */
const MOST_ABSENT = 65_536;

/** A VXLAN device being served, with everything missd knows about it. Gone with its ifindex. */
export class ServedDevice {
  /** As last reported by the kernel. */
  link: VxlanLink;
  readonly namespace: DeviceNamespace;
  /** Addresses that nobody has, as of a moment ago. */
  readonly absent: ExpiringSet;
  /** Addresses found to live on this host a moment ago, so that every ARP for the gateway is not another lookup. */
  readonly local: ExpiringSet;
  readonly tables = new DesiredTables();
  readonly counters = new DeviceCounters();
  /** No longer served: whatever is under way leaves it alone. */
  gone = false;
  /** Which FDB rows missd wrote, for the next start. */
  journal: Journal = new VolatileJournal();
  /** What missd has set on it besides. */
  settings = new Settings();
  /** FDB rows with our marks that are somebody else's, by MAC, with the VTEP that they were seen with. */
  readonly foreign = new Map<Mac, Ip>();
  /**
   * Where frames to MACs without an FDB entry go, as last seen: an all-zeros entry turns L2 misses off. Another control
   * plane's (FRR's advertise-all-vni), or the device's own from when it was made (`remote`, `group`).
   */
  defaultRemote: Ip | undefined;
  /** MACs that another control plane's neighbours name, as of the last time that the tables were read whole. */
  foreignMacs: ReadonlySet<Mac> = new Set();
  /** What a predecessor left in the kernel's tables has been taken over. */
  adopted = false;
  /** Everything adopted has been compared with the directory since. */
  verified = false;

  /** Address family of the underlay: what a record's VTEP must be. */
  readonly family: 4 | 6;
  /** How its entries come about. */
  readonly strategy: Strategy;
  /** What the strategy writes ahead has been written once. */
  preload = false;
  /** Hosts that its broadcasts are copied to, as last seen. */
  replicas: Replicas = new Map();
  /** Routes of ours through it, as last seen. */
  routes: Routes = new Map();
  /** Broadcast addresses of the subnets of its underlay, where that is another namespace. */
  underlayBroadcasts: ReadonlySet<string> = new Set();
  /** When its tables were last compared with what is held, monotonic ms. */
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

  /** ifindex of what a link-local VTEP is reached by; undefined where it cannot be named in the device's own namespace. */
  get underlay(): number | undefined {
    return interfaceOf(this.link);
  }

  /** Whether every host of a subnet that the device's packets leave into hears this address. */
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
