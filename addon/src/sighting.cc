#include "sighting.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "frame_layout.h"

namespace missd {

namespace {

constexpr size_t kSets = 1 << 11;
constexpr size_t kWays = 4;
constexpr uint64_t kSecond = 1000;
/** Sightings of one port that are reported in a second: enough for all addresses of new guests. */
constexpr uint32_t kToldPerPort = 256;
/** Sightings that are reported in a second in all, which cost 4 µs each in TypeScript. */
constexpr uint32_t kTold = 4096;
/** Frames of one port that are read in a second, 1 µs each. */
constexpr uint32_t kFramesPerPort = 2048;

/** 00:00:5e:00:01:xx for IPv4 and 00:00:5e:00:02:xx for IPv6 (RFC 5798 §7.3). */
bool IsVirtualRouter(const Mac& mac) {
  constexpr uint8_t kPrefix[4] = {0, 0, 0x5e, 0};
  return std::memcmp(mac.bytes.data(), kPrefix, 4) == 0 && (mac.bytes[4] == 1 || mac.bytes[4] == 2);
}

bool IsGuestAddress(const Ip& ip) {
  const auto& b = ip.bytes;
  if (ip.IsUnspecified()) return false;
  if (ip.size == 4) return b[0] != 0 && b[0] != 127 && b[0] < 224;
  // `low` covers ::/96, which contains the loopback address, and IPv4-mapped addresses.
  bool low = std::all_of(b.begin(), b.begin() + 10, [](uint8_t byte) { return byte == 0; });
  return !low && b[0] != kMulticastPrefix && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

/** Whether the MAC in the payload is the Ethernet source; a virtual router's MAC is allowed and replaces it.
 */
bool Name(const uint8_t* named, Sighting* sighting) {
  Mac mac;
  if (!MacFrom({named, ETH_ALEN}, &mac)) return false;
  if (mac == sighting->lladdr) return true;
  if (!IsVirtualRouter(mac)) return false;
  sighting->lladdr = mac;
  return true;
}

bool ParseArp(Bytes bytes, bool reverse, Sighting* sighting) {
  ArpFrame frame;
  if (!bytes.Read(0, &frame)) return false;
  if (frame.arp.ar_hrd != htons(ARPHRD_ETHER) || frame.arp.ar_pro != htons(ETH_P_IP) ||
      frame.arp.ar_hln != ETH_ALEN || frame.arp.ar_pln != 4 || !Name(frame.sender_lladdr, sighting)) {
    return false;
  }
  if (reverse) {
    sighting->kind = SightingKind::kRarp;
    return frame.arp.ar_op == htons(ARPOP_RREQUEST);
  }
  sighting->ip = IpFrom({frame.sender_ip, 4});
  sighting->kind = SightingKind::kArp;
  if (sighting->ip.IsUnspecified() && frame.arp.ar_op == htons(ARPOP_REQUEST)) {
    sighting->ip = IpFrom({frame.target_ip, 4});
    sighting->kind = SightingKind::kDad;
  }
  return IsGuestAddress(sighting->ip);
}

/** Whether the link-layer address options agree with the Ethernet source. */
bool ParseOptions(Bytes options, uint8_t wanted, Sighting* sighting) {
  while (options.size > 0) {
    LinkAddressOption option;
    // RFC 4861 §4.6: a packet with an option of length zero must be discarded.
    if (!options.Read(0, &option) || option.length == 0 || option.length * 8u > options.size) return false;
    if (option.type == wanted && (option.length != 1 || !Name(option.lladdr, sighting))) return false;
    options = options.From(option.length * 8u);
  }
  return true;
}

bool ParseNeighbour(Bytes bytes, Sighting* sighting) {
  if (bytes.size < kNeighbourBytes) return false;
  NeighbourFrame frame{};
  std::memcpy(&frame, bytes.data, kNeighbourBytes);
  size_t payload = ntohs(frame.ip.ip6_plen);
  constexpr size_t kBefore = offsetof(NeighbourFrame, icmp);
  if (frame.ip.ip6_vfc >> 4 != 6 || frame.ip.ip6_nxt != IPPROTO_ICMPV6 || frame.ip.ip6_hlim != kHopLimit ||
      frame.icmp.icmp6_code != 0 || frame.target[0] == kMulticastPrefix ||
      payload < kNeighbourBytes - kBefore || payload > bytes.size - kBefore) {
    return false;
  }
  bool asks = frame.icmp.icmp6_type == ND_NEIGHBOR_SOLICIT;
  if (!asks && frame.icmp.icmp6_type != ND_NEIGHBOR_ADVERT) return false;
  Bytes whole{bytes.data, kBefore + payload};
  uint8_t wanted = asks ? ND_OPT_SOURCE_LINKADDR : ND_OPT_TARGET_LINKADDR;
  if (!ParseOptions(whole.From(kNeighbourBytes), wanted, sighting)) return false;
  sighting->ip = IpFrom({frame.ip.ip6_src.s6_addr, 16});
  sighting->kind = SightingKind::kNd;
  if (asks && sighting->ip.IsUnspecified()) {
    sighting->ip = IpFrom({frame.target, 16});
    sighting->kind = SightingKind::kDad;
  }
  return IsGuestAddress(sighting->ip);
}

bool Same(const Sighting& a, const Sighting& b) {
  return a.port == b.port && a.lladdr == b.lladdr && a.ip == b.ip &&
         (a.kind == SightingKind::kDad) == (b.kind == SightingKind::kDad);
}

}  // namespace

bool ParseSighting(Bytes frame, Sighting* sighting) {
  ethhdr ethernet;
  if (!frame.Read(0, &ethernet) || !MacFrom({ethernet.h_source, ETH_ALEN}, &sighting->lladdr)) return false;
  if (!sighting->lladdr.IsUnicast()) return false;
  sighting->ip = Ip{};
  switch (ntohs(ethernet.h_proto)) {
    case ETH_P_ARP:
      return ParseArp(frame, false, sighting);
    case ETH_P_RARP:
      return ParseArp(frame, true, sighting);
    case ETH_P_IPV6:
      return ParseNeighbour(frame, sighting);
    default:
      return false;
  }
}

Sightings::Sightings() : slots_(static_cast<Slot*>(std::calloc(kSets * kWays, sizeof(Slot)))) {
  static_assert(std::is_trivially_copyable_v<Slot> && std::is_trivially_destructible_v<Slot>);
  if (!slots_) throw std::bad_alloc();
}

Sightings::Slot* Sightings::Set(const Sighting& sighting) {
  uint64_t words[2];
  std::memcpy(words, sighting.ip.bytes.data(), sizeof(words));
  uint64_t mac = sighting.port;
  std::memcpy(reinterpret_cast<uint8_t*>(&mac) + 2, sighting.lladdr.bytes.data(), ETH_ALEN);
  uint64_t hash = (words[0] ^ mac) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 32) ^ words[1] ^ sighting.port) * 0x9e3779b97f4a7c15u;
  return &slots_.get()[(hash >> 53) * kWays];
}

static_assert(kSets == 1 << 11, "the hash gives 11 bits");

Sightings::Slot* Sightings::Find(Slot* set, const Sighting& sighting) {
  Slot* found = std::find_if(set, set + kWays,
                             [&](const Slot& slot) { return slot.at != 0 && Same(slot.sighting, sighting); });
  return found == set + kWays ? nullptr : found;
}

Sightings::Share& Sightings::ShareOf(uint32_t port, uint64_t now) {
  Share& share = shares_[port];
  if (now - share.since >= kSecond) {
    share.since = now;
    share.frames = share.told = 0;
  }
  return share;
}

bool Sightings::Floods(uint32_t port, uint64_t now) { return ++ShareOf(port, now).frames >= kFramesPerPort; }

bool Sightings::Note(const Sighting& sighting, uint64_t now) {
  Share& share = ShareOf(sighting.port, now);
  if (now - since_ >= kSecond) {
    since_ = now;
    told_ = 0;
  }
  Slot* set = Set(sighting);
  Slot* slot = Find(set, sighting);
  if (slot != nullptr && now - slot->at < kSecond) return false;
  if (share.told >= kToldPerPort || told_ >= kTold) {
    share.over = {sighting.port, sighting.lladdr, share.over.count + 1};
    return false;
  }
  if (slot == nullptr)
    slot = std::min_element(set, set + kWays, [](const Slot& a, const Slot& b) { return a.at < b.at; });
  // The clock may begin at 0, which marks an empty slot.
  *slot = {sighting, std::max<uint64_t>(now, 1)};
  share.told++;
  told_++;
  return true;
}

void Sightings::Forget(uint32_t port, const Mac& lladdr, const Ip& ip) {
  Sighting sighting{port, lladdr, ip, ip.size == 4 ? SightingKind::kArp : SightingKind::kNd};
  Slot* slot = Find(Set(sighting), sighting);
  if (slot != nullptr) slot->at = 0;
}

std::vector<PassedOver> Sightings::TakePassedOver() {
  std::vector<PassedOver> all;
  for (auto& [port, share] : shares_)
    if (share.over.count > 0) all.push_back(std::exchange(share.over, {}));
  return all;
}

}  // namespace missd
