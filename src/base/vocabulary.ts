/**
 * The words of this project, as the field uses them.
 *
 * Addresses are strings in canonical form everywhere: IPv4 dotted, IPv6 as RFC 5952 writes it, MAC lower case
 * with colons. The addon produces that form and the directory is keyed by it, so they compare with `===`.
 */

/** An IPv4 or IPv6 address. */
export type Ip = string;

/** A link-layer address, what `ip neigh` calls lladdr. */
export type Mac = string;

/** VXLAN network identifier, 1–16777215 (RFC 7348). */
export type Vni = number;

/** The guest whose ARP request or neighbour solicitation raised a miss, as seen on its bridge port. */
export interface Asker {
  /** ifindex of the bridge port that received the question. The port is certain; a guest can forge its addresses. */
  port: number;
  lladdr: Mac;
  /**
   * Source address of the question; `0.0.0.0` or `::` for duplicate address detection, or for a question that contradicts
   * itself (different MACs in frame and payload, a wrong length or hop limit). Such a question is not answered.
   */
  ip: Ip;
}

/** Who sent a frame that entered by a guest's port, as ARP, neighbour discovery or RARP name the sender. */
export interface Sender {
  /** ifindex of the bridge port; certain, whereas a guest can forge its addresses. */
  port: number;
  mac: Mac;
  /**
   * Absent from `rarp`, by which a hypervisor tells that a guest has moved here. For `dad` (duplicate address detection) the
   * address that the guest wants and does not have yet.
   */
  ip?: Ip;
  kind: 'arp' | 'nd' | 'rarp' | 'dad';
}

/** One RTM_GETNEIGH the kernel sent to RTNLGRP_NEIGH (drivers/net/vxlan, `vxlan_ip_miss` and `vxlan_fdb_miss`; net/core/neighbour.c, `neigh_app_ns`). */
export interface Miss {
  layer: 'l2' | 'l3';
  ifindex: number;
  /** The IP of an L3 miss, the MAC of an L2 miss; `0.0.0.0` or `::` where the kernel omits the address. */
  address: string;
  /** NUD_* state: STALE from a VXLAN device, INCOMPLETE or PROBE where the host's own neighbour solicits. */
  state: number;
  /** Number of equal messages within one read of the socket; at least 1. */
  count: number;
  asker?: Asker;
}

/** A VXLAN device's own settings (IFLA_VXLAN_*). */
export interface VxlanAttributes {
  vni: Vni;
  /** UDP port in host byte order. */
  dstport: number;
  /** Source VTEP, absent when the kernel picks one per packet. */
  local?: Ip;
  /** Default remote or multicast group. */
  group?: Ip;
  /** ifindex of the underlay device (`dev`), 0 when none; in the namespace named by the link's `linkNetnsid`. */
  link: number;
  learning: boolean;
  proxy: boolean;
  l2miss: boolean;
  l3miss: boolean;
  /** `external` (collect metadata) or `vnifilter`: one device, many VNIs. Not served. */
  external: boolean;
  /** Whether `local` or `group` is IPv6; false without both, although the underlay may be IPv6. */
  ipv6: boolean;
}

/** A network interface of a served namespace. */
export interface Link {
  ifindex: number;
  name: string;
  /** IFLA_INFO_KIND: `vxlan`, `bridge`, `veth`, `tun`; empty for hardware. */
  kind: string;
  up: boolean;
  /** Set where it is up and nobody is at the other end, as `ip link` says it. */
  noCarrier?: true;
  lladdr: Mac;
  mtu: number;
  /** ifindex of the bridge (or other master) the link is a port of, 0 when none. */
  master: number;
  /** IFLA_LINK_NETNSID: the namespace the underlay lives in, absent when it is the link's own. */
  linkNetnsid?: number;
  vxlan?: VxlanAttributes;
  /** Only on bridges. */
  bridge?: { vlanFiltering: boolean };
  /** Only on bridge ports. `multicastRouter` is 0 disabled, 1 learned, 2 permanent. */
  bridgePort?: { multicastRouter: number; bcastFlood: boolean; mcastFlood: boolean; neighSuppress: boolean };
}

/** An address assigned to an interface. */
export interface InterfaceAddress {
  ifindex: number;
  ip: Ip;
  /** Bits of its subnet's prefix. */
  prefixLength?: number;
}

/** A row of a device's neighbour table, as `ip neigh` shows it. */
export interface Neighbour {
  ifindex: number;
  ip: Ip;
  /** Absent while the kernel is still asking. */
  lladdr?: Mac;
  state: number;
  flags: number;
  /** NDA_PROTOCOL, 0 for the kernel's own. */
  protocol: number;
}

/** A route through a device, of the main table. */
export interface Route {
  ifindex: number;
  /** In canonical form. */
  cidr: string;
  /** Absent for a route without a gateway. */
  gateway?: Ip;
  /** RTPROT_*, as `ip route … proto N` shows it. */
  protocol: number;
}

/** A row of a forwarding database, as `bridge fdb` shows it: a VXLAN device's own (`self`) or a bridge's (`master`). */
export interface FdbEntry {
  /** The VXLAN device, or the bridge port the MAC is behind. */
  ifindex: number;
  lladdr: Mac;
  /** Only on `self` entries of a VXLAN device. */
  vtep?: Ip;
  /** NDA_IFINDEX: the interface that the VTEP is reached by, absent where the routes decide. */
  via?: number;
  state: number;
  flags: number;
  /** ifindex of the bridge for a `master` entry, else 0. */
  master: number;
  /** Milliseconds since the entry was last used (for a bridge: since its source address was last looked up). */
  usedAgo: number;
  /** Milliseconds since the entry was last written or, on a bridge, since a frame from it was last seen. */
  updatedAgo: number;
}
