#include "frames.h"

#include <arpa/inet.h>

#include <algorithm>

#include "frame_layout.h"

namespace missd {

namespace {

const Mac kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
const Mac kAllNodesLladdr{{0x33, 0x33, 0, 0, 0, 1}};
const std::array<uint8_t, 16> kAllNodes{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

Ip Nowhere(uint8_t size) {
  Ip ip;
  ip.size = size;
  return ip;
}

ethhdr Ethernet(const Mac& destination, const Mac& source, uint16_t protocol) {
  ethhdr header;
  std::memcpy(header.h_dest, destination.bytes.data(), ETH_ALEN);
  std::memcpy(header.h_source, source.bytes.data(), ETH_ALEN);
  header.h_proto = htons(protocol);
  return header;
}

template <typename Frame>
void Emit(const Frame& frame, std::vector<uint8_t>* out) {
  const uint8_t* at = reinterpret_cast<const uint8_t*>(&frame);
  out->assign(at, at + sizeof(frame));
}

uint32_t Sum(const void* data, size_t size, uint32_t sum) {
  const uint8_t* at = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i + 1 < size; i += 2) sum += static_cast<uint32_t>(at[i] << 8 | at[i + 1]);
  return sum;
}

/** RFC 4443 §2.3: over a pseudo-header of both addresses, the length and the next header, then the message.
 */
uint16_t IcmpChecksum(const NeighbourFrame& frame) {
  uint32_t sum = Sum(&frame.ip.ip6_src, 32, static_cast<uint32_t>(kIcmpBytes) + IPPROTO_ICMPV6);
  sum = Sum(&frame.icmp, kIcmpBytes, sum);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

NeighbourFrame Neighbour(const Mac& destination, const Mac& source) {
  NeighbourFrame frame{};
  frame.ethernet = Ethernet(destination, source, ETH_P_IPV6);
  frame.ip.ip6_flow = htonl(6u << 28);
  frame.ip.ip6_plen = htons(kIcmpBytes);
  frame.ip.ip6_nxt = IPPROTO_ICMPV6;
  frame.ip.ip6_hlim = kHopLimit;
  return frame;
}

ArpFrame Arp(const Mac& destination, const Mac& source, uint16_t operation) {
  ArpFrame frame{};
  frame.ethernet = Ethernet(destination, source, ETH_P_ARP);
  frame.arp.ar_hrd = htons(ARPHRD_ETHER);
  frame.arp.ar_pro = htons(ETH_P_IP);
  frame.arp.ar_hln = ETH_ALEN;
  frame.arp.ar_pln = 4;
  frame.arp.ar_op = htons(operation);
  std::memcpy(frame.sender_lladdr, source.bytes.data(), ETH_ALEN);
  return frame;
}

/** The link-local address that a MAC gives (RFC 4291, appendix A). */
std::array<uint8_t, 16> LinkLocal(const Mac& mac) {
  const auto& m = mac.bytes;
  return {0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<uint8_t>(m[0] ^ 2),
          m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
}

void BuildArp(const Announcement& a, std::vector<uint8_t>* out) {
  ArpFrame frame = Arp(a.to ? a.to->lladdr : kBroadcast, a.lladdr, ARPOP_REPLY);
  std::memcpy(frame.sender_ip, a.ip.bytes.data(), 4);
  // To everybody it is a gratuitous reply (RFC 5227 §3): the announced address twice.
  std::memcpy(frame.target_lladdr, (a.to ? a.to->lladdr : a.lladdr).bytes.data(), 6);
  std::memcpy(frame.target_ip, (a.to ? a.to->ip : a.ip).bytes.data(), 4);
  Emit(frame, out);
}

void BuildAdvertisement(const Announcement& a, std::vector<uint8_t>* out) {
  NeighbourFrame frame = Neighbour(a.to ? a.to->lladdr : kAllNodesLladdr, a.lladdr);
  std::memcpy(&frame.ip.ip6_src, a.ip.bytes.data(), 16);
  std::memcpy(&frame.ip.ip6_dst, (a.to ? a.to->ip.bytes : kAllNodes).data(), 16);
  frame.icmp.icmp6_type = ND_NEIGHBOR_ADVERT;
  // RFC 4861 §4.4: an advertisement to a multicast address must not claim to have been solicited.
  frame.icmp.icmp6_data32[0] =
      ND_NA_FLAG_OVERRIDE | (a.to ? ND_NA_FLAG_SOLICITED : 0) | (a.router ? ND_NA_FLAG_ROUTER : 0);
  std::memcpy(frame.target, a.ip.bytes.data(), 16);
  frame.option = {ND_OPT_TARGET_LINKADDR, 1, {}};
  std::memcpy(frame.option.lladdr, a.lladdr.bytes.data(), 6);
  frame.icmp.icmp6_cksum = IcmpChecksum(frame);
  Emit(frame, out);
}

void BuildRequest(const Probe& p, std::vector<uint8_t>* out) {
  ArpFrame frame = Arp(p.lladdr, p.from, ARPOP_REQUEST);
  std::memcpy(frame.target_ip, p.ip.bytes.data(), 4);
  Emit(frame, out);
}

void BuildSolicitation(const Probe& p, std::vector<uint8_t>* out) {
  NeighbourFrame frame = Neighbour(p.lladdr, p.from);
  // Never from ::, which would be duplicate address detection, and the guest would give up its address.
  const auto source = LinkLocal(p.from);
  std::memcpy(&frame.ip.ip6_src, source.data(), 16);
  std::memcpy(&frame.ip.ip6_dst, p.ip.bytes.data(), 16);
  frame.icmp.icmp6_type = ND_NEIGHBOR_SOLICIT;
  std::memcpy(frame.target, p.ip.bytes.data(), 16);
  frame.option = {ND_OPT_SOURCE_LINKADDR, 1, {}};
  std::memcpy(frame.option.lladdr, p.from.bytes.data(), 6);
  frame.icmp.icmp6_cksum = IcmpChecksum(frame);
  Emit(frame, out);
}

bool ParseArp(Bytes bytes, Question* question) {
  ArpFrame frame;
  if (!bytes.Read(0, &frame)) return false;
  if (frame.arp.ar_hrd != htons(ARPHRD_ETHER) || frame.arp.ar_pro != htons(ETH_P_IP) ||
      frame.arp.ar_hln != ETH_ALEN || frame.arp.ar_pln != 4 || frame.arp.ar_op != htons(ARPOP_REQUEST)) {
    return false;
  }
  // A sender that names another MAC than the frame's would have somebody else answered.
  bool agrees = std::memcmp(frame.sender_lladdr, frame.ethernet.h_source, ETH_ALEN) == 0;
  question->ip = agrees ? IpFrom({frame.sender_ip, 4}) : Nowhere(4);
  question->target = IpFrom({frame.target_ip, 4});
  return true;
}

bool ParseSolicitation(Bytes bytes, Question* question) {
  // The source link-layer address option is absent in duplicate address detection.
  if (bytes.size < kNeighbourBytes) return false;
  NeighbourFrame frame{};
  std::memcpy(&frame, bytes.data, std::min(bytes.size, sizeof(frame)));
  if (frame.ip.ip6_nxt != IPPROTO_ICMPV6 || frame.icmp.icmp6_type != ND_NEIGHBOR_SOLICIT ||
      frame.icmp.icmp6_code != 0 || frame.target[0] == kMulticastPrefix) {
    return false;
  }
  size_t payload = ntohs(frame.ip.ip6_plen);
  bool whole = payload >= kNeighbourBytes - offsetof(NeighbourFrame, icmp) &&
               payload <= bytes.size - offsetof(NeighbourFrame, icmp);
  bool has_option = payload >= kIcmpBytes && frame.option.type == ND_OPT_SOURCE_LINKADDR;
  bool agrees = !has_option || std::memcmp(frame.option.lladdr, frame.ethernet.h_source, ETH_ALEN) == 0;
  bool sound = frame.ip.ip6_vfc >> 4 == 6 && frame.ip.ip6_hlim == kHopLimit && whole && agrees &&
               frame.ip.ip6_src.s6_addr[0] != kMulticastPrefix;
  question->ip = sound ? IpFrom({frame.ip.ip6_src.s6_addr, 16}) : Nowhere(16);
  question->target = IpFrom({frame.target, 16});
  return true;
}

}  // namespace

bool BuildAnnouncement(const Announcement& announcement, std::vector<uint8_t>* frame) {
  const auto& to = announcement.to;
  if (to && (to->ip.size != announcement.ip.size || to->ip.IsUnspecified() || !to->lladdr.IsUnicast())) {
    return false;
  }
  if (announcement.ip.size == 4) {
    BuildArp(announcement, frame);
  } else {
    BuildAdvertisement(announcement, frame);
  }
  return true;
}

bool BuildProbe(const Probe& probe, std::vector<uint8_t>* frame) {
  if (!probe.lladdr.IsUnicast() || !probe.from.IsUnicast()) return false;
  if (probe.ip.size == 4) {
    BuildRequest(probe, frame);
  } else {
    BuildSolicitation(probe, frame);
  }
  return true;
}

bool ParseQuestion(Bytes frame, Question* question) {
  ethhdr ethernet;
  if (!frame.Read(0, &ethernet) || !MacFrom({ethernet.h_source, ETH_ALEN}, &question->lladdr)) return false;
  // A group or zero source cannot be told anything alone.
  if (!question->lladdr.IsUnicast()) return false;
  if (ethernet.h_proto == htons(ETH_P_ARP)) return ParseArp(frame, question);
  return ethernet.h_proto == htons(ETH_P_IPV6) && ParseSolicitation(frame, question);
}

}  // namespace missd
