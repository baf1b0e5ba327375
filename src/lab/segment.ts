/** One VNI on one host: a bridge with the VXLAN device as a port, and the guests' ports beside it. */
import { guestIp4, guestIp6 } from './address.ts';
import type { GuestPlan, GuestSegment, SegmentHost } from './guest-plan.ts';
import type { Namespace, Words } from './namespace.ts';
import type { FdbRow, NeighbourRow } from './rows.ts';
import { Guest, type GuestOptions } from './guest.ts';

export interface SegmentOptions {
  /**
   * How the VXLAN device and the guests are connected. `bridged`: both are ports of one bridge (this file). `routed`: the
   * host routes the overlay through the device (`routed-segment.ts`). `overlay`: bridged, in a namespace of its own
   * (`overlay-segment.ts`). Default bridged.
   */
  topology?: 'bridged' | 'routed' | 'overlay' | 'joined';
  /** Joined: name of the network. */
  network?: string;
  vni?: number;
  dstport?: number;
  /** Learn VTEPs from incoming frames. Default off, as missd needs it. */
  learning?: boolean;
  proxy?: boolean;
  l2miss?: boolean;
  l3miss?: boolean;
  /** False leaves the source VTEP to the routing table. */
  local?: boolean;
  /** Further words of `ip link add … type vxlan`, e.g. `['group', '239.1.1.1', 'dev', 'eth0']`. */
  more?: readonly (string | number)[];
  /** Routed: false leaves out the route of the whole overlay, for strategies that write their own routes. */
  routeOverlay?: boolean;
  /** Addresses with prefix length for the bridge itself, e.g. `20.0.0.254/24`. */
  gateway?: readonly string[];
  /** MAC of the bridge, if all hosts share one (an anycast gateway). */
  gatewayMac?: string;
  /** Further words of `ip link add … type bridge`, e.g. `['mcast_querier', 1]`. */
  bridge?: readonly (string | number)[];
}

export class Segment implements GuestSegment {
  readonly host: SegmentHost;
  readonly vni: number;
  /** Name of the bridge: `br0` for VNI 100, `br200` for 200. */
  readonly bridge: string;
  /** Name of the VXLAN device, `vxlan100`. */
  readonly device: string;
  readonly mtu: number;
  protected readonly options: SegmentOptions;

  /** @param names of bridge and device, if others than by the VNI */
  constructor(
    host: SegmentHost,
    options: SegmentOptions = {},
    names?: { readonly bridge: string; readonly device: string },
  ) {
    this.host = host;
    this.vni = options.vni ?? 100;
    this.bridge = names?.bridge ?? (this.vni === 100 ? 'br0' : `br${this.vni}`);
    this.device = names?.device ?? `vxlan${this.vni}`;
    this.mtu = host.underlay.overlayMtu;
    this.options = options;
  }

  /** The namespace of bridge and VXLAN device, which a missd serves. */
  get namespace(): Namespace {
    return this.host.namespace;
  }

  /** The default addresses of guest `n`. */
  plan(n: number): GuestPlan {
    return { ip4: `${guestIp4(n)}/24`, ip6: `${guestIp6(n)}/64`, gateways: [] };
  }

  async build(): Promise<void> {
    await this.buildBridge();
    await this.buildDevice();
  }

  async buildBridge(): Promise<void> {
    const { bridge } = this;
    const { gateway = [], gatewayMac } = this.options;
    await this.namespace.ip(
      ['link', 'add', bridge, 'type', 'bridge', ...(this.options.bridge ?? [])],
      ...(gatewayMac === undefined ? [] : [['link', 'set', bridge, 'address', gatewayMac]]),
      ['link', 'set', bridge, 'up'],
      ...gateway.map((address) =>
        address.includes(':')
          ? ['address', 'add', address, 'dev', bridge, 'nodad']
          : ['address', 'add', address, 'dev', bridge],
      ),
    );
  }

  async buildDevice(): Promise<void> {
    await this.namespace.ip(this.deviceWords(), ['link', 'set', this.device, 'master', this.bridge, 'up']);
  }

  /** The `ip` command that creates the VXLAN device. */
  protected deviceWords(): Words {
    const { dstport = 4789, local = true, more = [] } = this.options;
    // Flags with the kernel's default value are left out.
    const flag = (name: 'learning' | 'proxy' | 'l2miss' | 'l3miss', otherwise: boolean): string[] => {
      const on = this.options[name] ?? otherwise;
      return on === (name === 'learning') ? [] : [on ? name : `no${name}`];
    };
    return [
      ...['link', 'add', this.device, 'mtu', this.mtu, 'type', 'vxlan', 'id', this.vni, 'dstport', dstport],
      ...(local ? ['local', this.host.vtep] : []),
      ...[
        ...flag('learning', false),
        ...flag('proxy', true),
        ...flag('l2miss', true),
        ...flag('l3miss', true),
      ],
      ...more,
    ];
  }

  /** Adds a guest to this segment; its number determines its addresses. */
  async addGuest(options: GuestOptions): Promise<Guest> {
    const guest = new Guest(this, options);
    await guest.build();
    return guest;
  }

  /** Neighbours of the VXLAN device without the kernel's own multicast rows. */
  async neighbours(): Promise<NeighbourRow[]> {
    const rows = await this.namespace.neighbours(this.device);
    return rows.filter((row) => !/^(ff|224\.|239\.|255\.)/.test(row.ip));
  }

  /** Entries of the VXLAN device's own FDB. */
  async fdb(): Promise<FdbRow[]> {
    const rows = await this.namespace.fdb(this.device);
    return rows.filter((row) => row.self && row.vtep !== undefined);
  }
}
