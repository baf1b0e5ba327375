#include "encode.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

namespace missd {

namespace {

constexpr uint16_t kDump = NLM_F_REQUEST | NLM_F_DUMP;

void PutIp(uint16_t type, const Ip& ip, Writer* out) { out->Put(type, ip.bytes.data(), ip.size); }

void PutMac(uint16_t type, const Mac& mac, Writer* out) {
  out->Put(type, mac.bytes.data(), mac.bytes.size());
}

ndmsg NeighbourHeader(uint8_t family, uint32_t ifindex) {
  ndmsg header{};
  header.ndm_family = family;
  header.ndm_ifindex = static_cast<int>(ifindex);
  return header;
}

ifinfomsg LinkHeader(uint8_t family, uint32_t ifindex) {
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_index = static_cast<int>(ifindex);
  return header;
}

uint16_t Flags(WriteOperation operation) {
  switch (operation) {
    case WriteOperation::kCreate:
      return NLM_F_CREATE | NLM_F_EXCL;
    case WriteOperation::kReplace:
      return NLM_F_CREATE | NLM_F_REPLACE;
    case WriteOperation::kAppend:
      return NLM_F_CREATE | NLM_F_APPEND;
    case WriteOperation::kDelete:
      return 0;
    case WriteOperation::kProbe:
      return NLM_F_EXCL;
  }
  return 0;
}

}  // namespace

void Writer::Begin(uint16_t type, uint16_t flags, uint32_t seq, const void* header, size_t size) {
  begun_ = bytes_.size();
  nlmsghdr message{};
  message.nlmsg_type = type;
  message.nlmsg_flags = flags;
  message.nlmsg_seq = seq;
  const uint8_t* at = reinterpret_cast<const uint8_t*>(&message);
  bytes_.insert(bytes_.end(), at, at + sizeof(message));
  at = static_cast<const uint8_t*>(header);
  bytes_.insert(bytes_.end(), at, at + size);
  Pad();
}

void Writer::Put(uint16_t type, const void* value, size_t size) {
  nlattr attribute{static_cast<uint16_t>(NLA_HDRLEN + size), type};
  const uint8_t* at = reinterpret_cast<const uint8_t*>(&attribute);
  bytes_.insert(bytes_.end(), at, at + sizeof(attribute));
  at = static_cast<const uint8_t*>(value);
  bytes_.insert(bytes_.end(), at, at + size);
  Pad();
}

size_t Writer::BeginNest(uint16_t type) {
  size_t nest = bytes_.size();
  Put(type | NLA_F_NESTED, nullptr, 0);
  return nest;
}

void Writer::EndNest(size_t nest) {
  uint16_t size = static_cast<uint16_t>(bytes_.size() - nest);
  std::memcpy(&bytes_[nest + offsetof(nlattr, nla_len)], &size, sizeof(size));
}

void Writer::End() {
  uint32_t size = static_cast<uint32_t>(bytes_.size() - begun_);
  std::memcpy(&bytes_[begun_ + offsetof(nlmsghdr, nlmsg_len)], &size, sizeof(size));
}

void Writer::AcknowledgeLast() {
  uint16_t flags;
  uint8_t* at = &bytes_[begun_ + offsetof(nlmsghdr, nlmsg_flags)];
  std::memcpy(&flags, at, sizeof(flags));
  flags |= NLM_F_ACK;
  std::memcpy(at, &flags, sizeof(flags));
}

void Writer::Pad() { bytes_.resize(NLMSG_ALIGN(bytes_.size())); }

void EncodeWrite(const EntryWrite& write, uint32_t seq, Writer* out) {
  ndmsg header = NeighbourHeader(write.fdb ? AF_BRIDGE : write.ip.Family(), write.ifindex);
  header.ndm_state = write.state;
  header.ndm_flags = write.flags;
  bool remove = write.operation == WriteOperation::kDelete;
  out->Begin(remove ? RTM_DELNEIGH : RTM_NEWNEIGH, NLM_F_REQUEST | Flags(write.operation), seq, &header,
             sizeof(header));
  if (write.ip) PutIp(NDA_DST, write.ip, out);
  // A neighbour is deleted by its address alone; the kernel ignores a MAC then.
  if (write.fdb || !remove) PutMac(NDA_LLADDR, write.lladdr, out);
  if (!write.fdb && !remove) out->Put(NDA_PROTOCOL, write.protocol);
  if (write.via != 0) out->Put(NDA_IFINDEX, write.via);
  if (write.portless) out->Put<uint16_t>(NDA_PORT, 0);
  out->End();
}

void EncodeRouteWrite(const RouteWrite& write, uint32_t seq, Writer* out) {
  rtmsg header{};
  header.rtm_family = write.destination.Family();
  header.rtm_dst_len = write.length;
  header.rtm_table = RT_TABLE_MAIN;
  // A removal matches only a route with this protocol, gateway and device (fib_table_delete, ip6_route_del).
  header.rtm_protocol = write.protocol;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  header.rtm_flags = RTNH_F_ONLINK;
  bool remove = write.operation == WriteOperation::kDelete;
  out->Begin(remove ? RTM_DELROUTE : RTM_NEWROUTE, NLM_F_REQUEST | Flags(write.operation), seq, &header,
             sizeof(header));
  PutIp(RTA_DST, write.destination, out);
  PutIp(RTA_GATEWAY, write.gateway, out);
  out->Put(RTA_OIF, write.ifindex);
  out->End();
}

void EncodeGet(const RowKey& key, uint32_t seq, Writer* out) {
  bool neighbour = key.table == Table::kNeighbour;
  bool bridge = key.table == Table::kBridgeFdb;
  // rtnl_fdb_get: NDA_MASTER names the bridge, and the header must not name a device then.
  ndmsg header = NeighbourHeader(neighbour ? key.ip.Family() : AF_BRIDGE, bridge ? 0 : key.ifindex);
  header.ndm_flags = neighbour ? 0 : bridge ? NTF_MASTER : NTF_SELF;
  out->Begin(RTM_GETNEIGH, NLM_F_REQUEST, seq, &header, sizeof(header));
  if (neighbour) {
    PutIp(NDA_DST, key.ip, out);
  } else {
    PutMac(NDA_LLADDR, key.lladdr, out);
  }
  if (bridge) out->Put(NDA_MASTER, key.ifindex);
  out->End();
}

void EncodeGetLink(uint32_t ifindex, uint32_t seq, Writer* out) {
  ifinfomsg header = LinkHeader(AF_UNSPEC, ifindex);
  out->Begin(RTM_GETLINK, NLM_F_REQUEST, seq, &header, sizeof(header));
  out->Put<uint32_t>(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  out->End();
}

void EncodeSetMulticastRouter(uint32_t port, uint8_t value, uint32_t seq, Writer* out) {
  ifinfomsg header = LinkHeader(AF_BRIDGE, port);
  out->Begin(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, seq, &header, sizeof(header));
  size_t nest = out->BeginNest(IFLA_PROTINFO);
  out->Put(IFLA_BRPORT_MULTICAST_ROUTER, value);
  out->EndNest(nest);
  out->End();
}

void EncodeSetAppSolicit(uint8_t family, uint32_t ifindex, uint32_t probes, uint32_t seq, Writer* out) {
  ndtmsg header{};
  header.ndtm_family = family;
  out->Begin(RTM_SETNEIGHTBL, NLM_F_REQUEST | NLM_F_ACK, seq, &header, sizeof(header));
  // Names of the tables (net/ipv4/arp.c, net/ipv6/ndisc.c).
  constexpr char kArp[] = "arp_cache";
  constexpr char kNdisc[] = "ndisc_cache";
  if (family == AF_INET) {
    out->Put(NDTA_NAME, kArp, sizeof(kArp));
  } else {
    out->Put(NDTA_NAME, kNdisc, sizeof(kNdisc));
  }
  size_t nest = out->BeginNest(NDTA_PARMS);
  out->Put(NDTPA_IFINDEX, ifindex);
  out->Put(NDTPA_APP_PROBES, probes);
  out->EndNest(nest);
  out->End();
}

void EncodeDumpSoliciting(uint8_t family, uint32_t seq, Writer* out) {
  ndtmsg header{};
  header.ndtm_family = family;
  out->Begin(RTM_GETNEIGHTBL, kDump, seq, &header, sizeof(header));
  out->End();
}

void EncodeDumpLinks(uint32_t master, uint32_t seq, Writer* out) {
  ifinfomsg header = LinkHeader(AF_UNSPEC, 0);
  out->Begin(RTM_GETLINK, kDump, seq, &header, sizeof(header));
  out->Put<uint32_t>(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (master != 0) out->Put(IFLA_MASTER, master);
  out->End();
}

void EncodeDumpAddresses(int32_t netnsid, uint32_t seq, Writer* out) {
  ifaddrmsg header{};
  out->Begin(RTM_GETADDR, kDump, seq, &header, sizeof(header));
  if (netnsid >= 0) out->Put(IFA_TARGET_NETNSID, netnsid);
  out->End();
}

void EncodeDumpNeighbours(uint32_t ifindex, uint32_t seq, Writer* out) {
  ndmsg header = NeighbourHeader(AF_UNSPEC, 0);
  out->Begin(RTM_GETNEIGH, kDump, seq, &header, sizeof(header));
  out->Put(NDA_IFINDEX, ifindex);
  out->End();
}

void EncodeDumpFdb(uint32_t ifindex, uint32_t seq, Writer* out) {
  ndmsg header = NeighbourHeader(AF_BRIDGE, ifindex);
  out->Begin(RTM_GETNEIGH, kDump, seq, &header, sizeof(header));
  out->End();
}

void EncodeDumpRoutes(uint8_t family, uint32_t ifindex, uint8_t protocol, uint32_t seq, Writer* out) {
  rtmsg header{};
  header.rtm_family = family;
  header.rtm_protocol = protocol;
  out->Begin(RTM_GETROUTE, kDump, seq, &header, sizeof(header));
  out->Put<uint32_t>(RTA_TABLE, RT_TABLE_MAIN);
  out->Put(RTA_OIF, ifindex);
  out->End();
}

}  // namespace missd
