/** One VNI on one host: a bridge with the VXLAN device as a port, and the guests' ports beside it. */
import type { Host } from './host.ts';
import type { FdbRow, NeighbourRow } from './rows.ts';
import { Guest, type GuestOptions } from './guest.ts';

export interface SegmentOptions {
  vni?: number;
  dstport?: number;
  /** Learn VTEPs from incoming frames. Default off, as missd wants it. */
  learning?: boolean;
  proxy?: boolean;
  l2miss?: boolean;
  l3miss?: boolean;
  /** False leaves the source VTEP to the routing table. */
  local?: boolean;
  /** Further words of `ip link add … type vxlan`, e.g. `['group', '239.1.1.1', 'dev', 'eth0']`. */
  more?: readonly (string | number)[];
  /** Addresses with prefix length for the bridge itself, e.g. `20.0.0.254/24`. */
  gateway?: readonly string[];
  /** MAC of the bridge, where all hosts share one (an anycast gateway). */
  gatewayMac?: string;
  /** Further words of `ip link add … type bridge`, e.g. `['mcast_querier', 1]`. */
  bridge?: readonly (string | number)[];
}

export class Segment {
  readonly host: Host;
  readonly vni: number;
  /** Name of the bridge: `br0` for VNI 100, `br200` for 200. */
  readonly bridge: string;
  /** Name of the VXLAN device, `vxlan100`. */
  readonly device: string;
  readonly mtu: number;
  readonly #options: SegmentOptions;

  constructor(host: Host, options: SegmentOptions = {}) {
    this.host = host;
    this.vni = options.vni ?? 100;
    this.bridge = this.vni === 100 ? 'br0' : `br${this.vni}`;
    this.device = `vxlan${this.vni}`;
    this.mtu = host.underlay.overlayMtu;
    this.#options = options;
  }

  async build(): Promise<void> {
    await this.buildBridge();
    await this.buildDevice();
  }

  async buildBridge(): Promise<void> {
    const { bridge } = this;
    const { gateway = [], gatewayMac } = this.#options;
    await this.host.namespace.ip(
      ['link', 'add', bridge, 'type', 'bridge', ...(this.#options.bridge ?? [])],
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
    const { bridge, device, mtu } = this;
    const { dstport = 4789, local = true, more = [] } = this.#options;
    const onOff = (flag: 'learning' | 'proxy' | 'l2miss' | 'l3miss', otherwise: boolean): string =>
      (this.#options[flag] ?? otherwise) ? flag : `no${flag}`;
    await this.host.namespace.ip(
      [
        ...['link', 'add', device, 'mtu', mtu, 'type', 'vxlan', 'id', this.vni, 'dstport', dstport],
        ...(local ? ['local', this.host.vtep] : []),
        ...[onOff('learning', false), onOff('proxy', true), onOff('l2miss', true), onOff('l3miss', true)],
        ...more,
      ],
      ['link', 'set', device, 'master', bridge, 'up'],
    );
  }

  /** A guest on this segment; its number makes its addresses. */
  async addGuest(options: GuestOptions): Promise<Guest> {
    const guest = new Guest(this, options);
    await guest.build();
    return guest;
  }

  /** Rows of the VXLAN device's neighbour table that somebody wrote; the kernel's own multicast rows are left out. */
  async neighbours(): Promise<NeighbourRow[]> {
    const rows = await this.host.namespace.neighbours(this.device);
    return rows.filter((row) => !/^(ff|224\.|239\.|255\.)/.test(row.ip));
  }

  /** Unicast rows of the VXLAN device's own FDB. */
  async fdb(): Promise<FdbRow[]> {
    const rows = await this.host.namespace.fdb(this.device);
    return rows.filter((row) => row.self && row.vtep !== undefined);
  }
}
