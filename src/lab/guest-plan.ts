/** What a guest knows of its segment and a segment of its host, so that the files of the lab import downwards only. */
import type { Namespace } from './namespace.ts';
import type { NeighbourRow } from './rows.ts';
import type { Underlay } from './underlay.ts';

/** What a segment gives to one of its guests; addresses with prefix length. */
export interface GuestPlan {
  ip4: string;
  ip6: string;
  /** Routers of last resort, where guests leave their own subnet. */
  gateways: readonly string[];
}

export interface SegmentHost {
  readonly n: number;
  readonly namespace: Namespace;
  readonly underlay: Underlay;
  /** The address that records name the host by. */
  readonly vtep: string;
  /** Names a namespace of the lab, to be made by the caller. */
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
