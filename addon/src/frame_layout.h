/** ARP and neighbour discovery over Ethernet, byte by byte. */
#ifndef MISSD_FRAME_LAYOUT_H_
#define MISSD_FRAME_LAYOUT_H_

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>

#include <cstddef>
#include <cstdint>

namespace missd {

// Defined here because <netinet/if_ether.h> conflicts with the kernel's headers.
struct __attribute__((packed)) ArpFrame {
  ethhdr ethernet;
  arphdr arp;
  uint8_t sender_lladdr[6];
  uint8_t sender_ip[4];
  uint8_t target_lladdr[6];
  uint8_t target_ip[4];
};
static_assert(sizeof(ArpFrame) == 42, "RFC 826 over Ethernet");

struct __attribute__((packed)) LinkAddressOption {
  uint8_t type;
  /** In units of 8 bytes. */
  uint8_t length;
  uint8_t lladdr[6];
};

/** A neighbour advertisement or, with the same fields, a solicitation (RFC 4861 §4.3, §4.4). */
struct __attribute__((packed)) NeighbourFrame {
  ethhdr ethernet;
  ip6_hdr ip;
  icmp6_hdr icmp;
  uint8_t target[16];
  LinkAddressOption option;
};
static_assert(sizeof(NeighbourFrame) == 86, "RFC 4861 over Ethernet");

constexpr size_t kIcmpBytes = sizeof(NeighbourFrame) - offsetof(NeighbourFrame, icmp);
/** The smallest solicitation or advertisement. */
constexpr size_t kNeighbourBytes = offsetof(NeighbourFrame, option);
/** RFC 4861 §7.1: a frame with another hop limit may have crossed a router and must be ignored. */
constexpr uint8_t kHopLimit = 255;
/** First byte of every IPv6 multicast address. */
constexpr uint8_t kMulticastPrefix = 0xff;

}  // namespace missd

#endif  // MISSD_FRAME_LAYOUT_H_
