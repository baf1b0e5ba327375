#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "decode.h"

namespace missd {

namespace {

std::string Text(Bytes value) {
  const char* text = reinterpret_cast<const char*>(value.data);
  return value ? std::string(text, strnlen(text, value.size)) : std::string();
}

bool Flag(Bytes value) { return value.As<uint8_t>() != 0; }

/** drivers/net/vxlan/vxlan_core.c, vxlan_fill_info. */
bool DecodeVxlan(Bytes data, Vxlan* vxlan) {
  Attributes<IFLA_VXLAN_MAX + 1> a;
  if (!a.Parse(data)) return false;
  vxlan->vni = a[IFLA_VXLAN_ID].As<uint32_t>();
  vxlan->dstport = ntohs(a[IFLA_VXLAN_PORT].As<uint16_t>());
  vxlan->link = a[IFLA_VXLAN_LINK].As<uint32_t>();
  vxlan->local = IpFrom(a[IFLA_VXLAN_LOCAL] ? a[IFLA_VXLAN_LOCAL] : a[IFLA_VXLAN_LOCAL6]);
  vxlan->group = IpFrom(a[IFLA_VXLAN_GROUP] ? a[IFLA_VXLAN_GROUP] : a[IFLA_VXLAN_GROUP6]);
  vxlan->learning = Flag(a[IFLA_VXLAN_LEARNING]);
  vxlan->proxy = Flag(a[IFLA_VXLAN_PROXY]);
  vxlan->l2miss = Flag(a[IFLA_VXLAN_L2MISS]);
  vxlan->l3miss = Flag(a[IFLA_VXLAN_L3MISS]);
  vxlan->external = Flag(a[IFLA_VXLAN_COLLECT_METADATA]) || Flag(a[IFLA_VXLAN_VNIFILTER]);
  // False for an IPv6 device without either address (`ip -6 link add`), because no attribute tells its
  // family.
  vxlan->ipv6 = a[IFLA_VXLAN_LOCAL6] || a[IFLA_VXLAN_GROUP6];
  return true;
}

/** net/bridge/br_netlink.c, br_port_fill_attrs. */
bool DecodeBridgePort(Bytes data, BridgePort* port) {
  Attributes<IFLA_BRPORT_MAX + 1> a;
  if (!a.Parse(data)) return false;
  port->multicast_router = a[IFLA_BRPORT_MULTICAST_ROUTER].As<uint8_t>();
  port->bcast_flood = Flag(a[IFLA_BRPORT_BCAST_FLOOD]);
  port->mcast_flood = Flag(a[IFLA_BRPORT_MCAST_FLOOD]);
  port->neigh_suppress = Flag(a[IFLA_BRPORT_NEIGH_SUPPRESS]);
  return true;
}

bool DecodeInfo(Bytes info, Link* link) {
  Attributes<IFLA_INFO_MAX + 1> a;
  if (!a.Parse(info)) return false;
  link->kind = Text(a[IFLA_INFO_KIND]);
  if (link->kind == "vxlan" && a[IFLA_INFO_DATA]) {
    if (!DecodeVxlan(a[IFLA_INFO_DATA], &link->vxlan.emplace())) return false;
  }
  if (link->kind == "bridge" && a[IFLA_INFO_DATA]) {
    Attributes<IFLA_BR_MAX + 1> bridge;
    if (!bridge.Parse(a[IFLA_INFO_DATA])) return false;
    link->vlan_filtering = Flag(bridge[IFLA_BR_VLAN_FILTERING]);
  }
  if (Text(a[IFLA_INFO_SLAVE_KIND]) == "bridge" && a[IFLA_INFO_SLAVE_DATA]) {
    if (!DecodeBridgePort(a[IFLA_INFO_SLAVE_DATA], &link->bridge_port.emplace())) return false;
  }
  return true;
}

}  // namespace

bool DecodeLink(Bytes payload, Link* link) {
  ifinfomsg header;
  Attributes<IFLA_MAX + 1> a;
  if (!payload.Read(0, &header) || !a.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  link->family = header.ifi_family;
  link->ifindex = static_cast<uint32_t>(header.ifi_index);
  link->up = (header.ifi_flags & IFF_UP) != 0;
  link->no_carrier = link->up && (header.ifi_flags & IFF_RUNNING) == 0;
  link->name = Text(a[IFLA_IFNAME]);
  link->lladdr = LinkAddressToString(a[IFLA_ADDRESS]);
  link->mtu = a[IFLA_MTU].As<uint32_t>();
  link->master = a[IFLA_MASTER].As<uint32_t>();
  if (a[IFLA_LINK_NETNSID]) link->link_netnsid = a[IFLA_LINK_NETNSID].As<int32_t>(-1);
  return !a[IFLA_LINKINFO] || DecodeInfo(a[IFLA_LINKINFO], link);
}

}  // namespace missd
