/**
 * Decodes the kernel's rtnetlink messages. Pure functions over bytes, without system calls and N-API, so that
 * a fuzzer can link them alone.
 */
#ifndef MISSD_DECODE_H_
#define MISSD_DECODE_H_

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "bytes.h"

namespace missd {

/** The guest whose question raised a miss. */
struct Asker {
  uint32_t port = 0;
  Mac lladdr;
  Ip ip;
};

struct Miss {
  uint32_t ifindex = 0;
  /** The address of an L3 miss, 0.0.0.0 if the kernel leaves it out; no address for an L2 miss, which has
   * `lladdr`. */
  Ip ip;
  Mac lladdr;
  uint16_t state = 0;
  uint32_t count = 1;
  std::optional<Asker> asker;

  bool IsLayer3() const { return static_cast<bool>(ip); }
};

/** A row of a neighbour table or, with family AF_BRIDGE, of a forwarding database. */
struct Row {
  uint8_t family = 0;
  uint32_t ifindex = 0;
  /** The neighbour's address, or the VTEP of an FDB entry; none for the FDB of a bridge. */
  Ip ip;
  std::optional<Mac> lladdr;
  uint16_t state = 0;
  uint8_t flags = 0;
  uint8_t protocol = 0;
  /** ifindex of the bridge, 0 for a device's own FDB. */
  uint32_t master = 0;
  /** ifindex of the interface that the VTEP is reached by; 0 if routes decide. */
  uint32_t via = 0;
  /** Milliseconds; NDA_CACHEINFO counts in USER_HZ. */
  uint64_t used_ago = 0;
  uint64_t updated_ago = 0;
};

struct Vxlan {
  uint32_t vni = 0;
  uint16_t dstport = 0;
  Ip local;
  Ip group;
  uint32_t link = 0;
  bool learning = false;
  bool proxy = false;
  bool l2miss = false;
  bool l3miss = false;
  bool external = false;
  bool ipv6 = false;
};

struct BridgePort {
  uint8_t multicast_router = 0;
  bool bcast_flood = false;
  bool mcast_flood = false;
  bool neigh_suppress = false;
};

struct Link {
  /** AF_UNSPEC, or AF_BRIDGE for a bridge's notification about a port, which lacks most other fields. */
  uint8_t family = 0;
  uint32_t ifindex = 0;
  std::string name;
  std::string kind;
  bool up = false;
  /** The link is up and has no carrier (NO-CARRIER in `ip link`). */
  bool no_carrier = false;
  std::string lladdr;
  uint32_t mtu = 0;
  uint32_t master = 0;
  std::optional<int32_t> link_netnsid;
  std::optional<Vxlan> vxlan;
  /** Only on a bridge. */
  std::optional<bool> vlan_filtering;
  std::optional<BridgePort> bridge_port;
};

struct InterfaceAddress {
  uint32_t ifindex = 0;
  Ip ip;
  uint8_t prefix_length = 0;
};

/** A route with one nexthop, which is all that missd writes. */
struct Route {
  uint32_t ifindex = 0;
  /** Unspecified, with length 0, for the default route. */
  Ip destination;
  uint8_t length = 0;
  Ip gateway;
  uint8_t protocol = 0;
};

/** How a device's neighbours of one family are solicited. */
struct Soliciting {
  uint8_t family = 0;
  /** 0 for the defaults of the namespace. */
  uint32_t ifindex = 0;
  /** Solicitations that go to user space, `app_solicit`. */
  uint32_t app_probes = 0;
};

/** A family's neighbour table, one for all namespaces of the machine. */
struct NeighbourTable {
  uint8_t family = 0;
  uint32_t entries = 0;
  /** gc_thresh1 to gc_thresh3. */
  uint32_t thresholds[3] = {};
  /** Number of times that an entry was refused because the table was full, since the machine started. */
  uint64_t fulls = 0;
};

/** NLMSG_ERROR: 0 for an acknowledgement, or a positive errno; `extack` is the kernel's text, if there is
 * one. */
struct Answer {
  int error = 0;
  std::string extack;
};

/** Turns the negative errno of a message into a positive one; EPROTO for any other number (linux/err.h,
 * MAX_ERRNO). */
inline int ErrnoFrom(int32_t error) { return error > 0 || error < -4095 ? EPROTO : -error; }

/** Appends the misses of one datagram; returns how many messages could not be decoded. */
uint32_t DecodeMisses(Bytes datagram, std::vector<Miss>* misses);

/**
 * Payloads of RTM_NEWNEIGH, RTM_NEWLINK / DELLINK, RTM_NEWADDR / DELADDR, RTM_NEWROUTE, RTM_NEWNEIGHTBL and
 * NLMSG_ERROR.
 */
bool DecodeRow(Bytes payload, Row* row);
bool DecodeLink(Bytes payload, Link* link);
bool DecodeAddress(Bytes payload, InterfaceAddress* address);
bool DecodeRoute(Bytes payload, Route* route);
bool DecodeSoliciting(Bytes payload, Soliciting* soliciting);
/** Also false for a message about the neighbours of a single device. */
bool DecodeNeighbourTable(Bytes payload, NeighbourTable* table);
bool DecodeAnswer(const Message& message, Answer* answer);

}  // namespace missd

#endif  // MISSD_DECODE_H_
