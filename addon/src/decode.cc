#include "decode.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace missd {

namespace {

/** NDA_CACHEINFO counts in USER_HZ, which is 100 on every architecture that Node supports. */
constexpr uint64_t kMillisecondsPerTick = 10;

bool DecodeMiss(Bytes payload, Miss* miss) {
  ndmsg header;
  Attributes<NDA_MAX + 1> attributes;
  if (!payload.Read(0, &header) || !attributes.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  miss->ifindex = static_cast<uint32_t>(header.ndm_ifindex);
  miss->state = header.ndm_state;
  const Bytes& destination = attributes[NDA_DST];
  if (destination) {
    // An NDA_LLADDR beside NDA_DST belongs to a neighbour in PROBE that is solicited again
    // (net/core/neighbour.c, neigh_app_ns). That is an L3 miss, too.
    miss->ip = IpFrom(destination);
    return miss->ip && header.ndm_family == miss->ip.Family();
  }
  if (!attributes[NDA_LLADDR] && attributes[NDA_CACHEINFO]) {
    // A guest asked for 0.0.0.0 or ::, or sent to the all-zeros MAC: vxlan_fdb_info (drivers/net/vxlan)
    // leaves out an address of zeroes, and the family is AF_INET then.
    miss->ip.size = 4;
    return header.ndm_family == AF_INET;
  }
  return MacFrom(attributes[NDA_LLADDR], &miss->lladdr);
}

}  // namespace

uint32_t DecodeMisses(Bytes datagram, std::vector<Miss>* misses) {
  uint32_t malformed = 0;
  bool whole = ForEachMessage(datagram, [&](const Message& message) {
    if (message.type != RTM_GETNEIGH) return;
    Miss miss;
    if (DecodeMiss(message.payload, &miss)) {
      misses->push_back(std::move(miss));
    } else {
      malformed++;
    }
  });
  return whole ? malformed : malformed + 1;
}

bool DecodeRow(Bytes payload, Row* row) {
  ndmsg header;
  Attributes<NDA_MAX + 1> attributes;
  if (!payload.Read(0, &header) || !attributes.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  row->family = header.ndm_family;
  row->ifindex = static_cast<uint32_t>(header.ndm_ifindex);
  row->state = header.ndm_state;
  row->flags = header.ndm_flags;
  row->protocol = attributes[NDA_PROTOCOL].As<uint8_t>();
  row->master = attributes[NDA_MASTER].As<uint32_t>();
  row->via = attributes[NDA_IFINDEX].As<uint32_t>();
  if (attributes[NDA_DST]) {
    row->ip = IpFrom(attributes[NDA_DST]);
    if (!row->ip) return false;
  }
  Mac lladdr;
  if (MacFrom(attributes[NDA_LLADDR], &lladdr)) row->lladdr = lladdr;
  nda_cacheinfo cache;
  if (attributes[NDA_CACHEINFO].Read(0, &cache)) {
    row->used_ago = cache.ndm_used * kMillisecondsPerTick;
    row->updated_ago = cache.ndm_updated * kMillisecondsPerTick;
  }
  // A neighbour must have an address, an FDB entry a MAC.
  if (row->family == AF_BRIDGE) return row->lladdr.has_value();
  return row->ip && row->family == row->ip.Family();
}

bool DecodeAddress(Bytes payload, InterfaceAddress* address) {
  ifaddrmsg header;
  Attributes<IFA_MAX + 1> attributes;
  if (!payload.Read(0, &header) || !attributes.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  address->ifindex = header.ifa_index;
  address->prefix_length = header.ifa_prefixlen;
  // On a point-to-point link IFA_ADDRESS is the peer (linux/if_addr.h); IPv6 sends IFA_LOCAL only there.
  address->ip = IpFrom(attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS]);
  return address->ip && header.ifa_family == address->ip.Family();
}

bool DecodeRoute(Bytes payload, Route* route) {
  rtmsg header;
  Attributes<RTA_MAX + 1> attributes;
  if (!payload.Read(0, &header) || !attributes.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6) return false;
  route->ifindex = attributes[RTA_OIF].As<uint32_t>();
  route->protocol = header.rtm_protocol;
  route->length = header.rtm_dst_len;
  if (attributes[RTA_DST]) {
    route->destination = IpFrom(attributes[RTA_DST]);
  } else {
    route->destination.size = header.rtm_family == AF_INET ? 4 : 16;
  }
  if (!route->destination || route->destination.Family() != header.rtm_family) return false;
  if (route->length > route->destination.size * 8) return false;
  // RTA_GATEWAY is absent if the route has no gateway, or a gateway of the other family (RTA_VIA).
  if (!attributes[RTA_GATEWAY]) return true;
  route->gateway = IpFrom(attributes[RTA_GATEWAY]);
  return route->gateway && route->gateway.Family() == header.rtm_family;
}

/** net/core/neighbour.c, neightbl_fill_param_info. */
bool DecodeSoliciting(Bytes payload, Soliciting* soliciting) {
  ndtmsg header;
  Attributes<NDTA_MAX + 1> table;
  Attributes<NDTPA_MAX + 1> parameters;
  if (!payload.Read(0, &header) || !table.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  if (!table[NDTA_PARMS] || !parameters.Parse(table[NDTA_PARMS])) return false;
  soliciting->family = header.ndtm_family;
  soliciting->ifindex = parameters[NDTPA_IFINDEX].As<uint32_t>();
  soliciting->app_probes = parameters[NDTPA_APP_PROBES].As<uint32_t>();
  return true;
}

/** net/core/neighbour.c, neightbl_fill_info. */
bool DecodeNeighbourTable(Bytes payload, NeighbourTable* table) {
  ndtmsg header;
  ndt_config config;
  ndt_stats stats;
  Attributes<NDTA_MAX + 1> a;
  if (!payload.Read(0, &header) || !a.Parse(payload.From(NLMSG_ALIGN(sizeof(header))))) return false;
  if (!a[NDTA_CONFIG].Read(0, &config) || !a[NDTA_STATS].Read(0, &stats)) return false;
  table->family = header.ndtm_family;
  table->entries = config.ndtc_entries;
  table->thresholds[0] = a[NDTA_THRESH1].As<uint32_t>();
  table->thresholds[1] = a[NDTA_THRESH2].As<uint32_t>();
  table->thresholds[2] = a[NDTA_THRESH3].As<uint32_t>();
  table->fulls = stats.ndts_table_fulls;
  return true;
}

bool DecodeAnswer(const Message& message, Answer* answer) {
  nlmsgerr header;
  if (!message.payload.Read(0, &header)) return false;
  answer->error = ErrnoFrom(header.error);
  if (!(message.flags & NLM_F_ACK_TLVS)) return true;
  size_t offset = sizeof(header);
  if (!(message.flags & NLM_F_CAPPED)) {
    // The whole refused request is between the header and the attributes.
    if (header.msg.nlmsg_len < NLMSG_HDRLEN) return true;
    offset += NLMSG_ALIGN(header.msg.nlmsg_len - NLMSG_HDRLEN);
  }
  ForEachAttribute(message.payload.From(offset), [answer](uint16_t type, Bytes value) {
    if (type != NLMSGERR_ATTR_MSG) return;
    const char* text = reinterpret_cast<const char*>(value.data);
    answer->extack.assign(text, strnlen(text, value.size));
  });
  return true;
}

}  // namespace missd
