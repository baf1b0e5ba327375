/** The interfaces between guest, segment and host, so that the files of the lab import downwards only. */
import type { Namespace } from './namespace.ts';
import type { NeighbourRow } from './rows.ts';
import type { Underlay } from './underlay.ts';

/** The addresses of a guest, with prefix length, and its gateways. */
export interface GuestPlan {
  ip4: string;
  ip6: string;
  /** Default gateways; empty if guests do not leave their subnet. */
  gateways: readonly string[];
}

export interface SegmentHost {
  readonly n: number;
  readonly namespace: Namespace;
  readonly underlay: Underlay;
  readonly vtep: string;
  /** Reserves the name of a namespace of the lab; the caller creates the namespace. */
  readonly name: (role: string) => Namespace;
}

export interface GuestSegment {
  readonly host: SegmentHost;
  readonly vni: number;
  readonly bridge: string;
  readonly device: string;
  readonly mtu: number;
  readonly namespace: Namespace;
  plan(n: number): GuestPlan;
  /** Rows of the VXLAN device's neighbour table. */
  neighbours(): Promise<NeighbourRow[]>;
}
