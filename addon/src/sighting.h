/** Reads the MAC and the address of a guest from frames that enter by its port. */
#ifndef MISSD_SIGHTING_H_
#define MISSD_SIGHTING_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <vector>

#include "address.h"

namespace missd {

enum class SightingKind : uint8_t {
  kArp,
  kNd,
  /** A hypervisor announces that a guest has moved here; the frame has no address. */
  kRarp,
  /** Duplicate address detection: the guest does not have the address yet. */
  kDad,
};

struct Sighting {
  uint32_t port = 0;
  Mac lladdr;
  /** No address for RARP. */
  Ip ip;
  SightingKind kind = SightingKind::kArp;
};

/** Bytes of a frame that ParseSighting reads, with room for the options of neighbour discovery. */
constexpr size_t kSightingBytes = 256;

/**
 * Parses ARP of any operation, RARP, neighbour solicitations and advertisements. False for addresses that no
 * guest can have (0.0.0.0, ::, fe80::/10, loopback, multicast), for contradictory frames, and for frames
 * whose payload names another MAC than the Ethernet source. MACs of VRRP (RFC 5798 §7.3) are allowed, because
 * a router sends for them from its own MAC.
 */
bool ParseSighting(Bytes frame, Sighting* sighting);

/** Sightings of one port that were not reported because the port exceeded its limit. */
struct PassedOver {
  uint32_t port = 0;
  /** MAC of the last such sighting. */
  Mac lladdr;
  uint32_t count = 0;
};

/**
 * Limits the reported sightings: each at most once a second, and a number per port and in all. The memory is
 * fixed except for a few bytes per port. Times are milliseconds of one clock.
 */
class Sightings {
 public:
  Sightings();

  /** Notes a sighting. Returns whether it is to be reported. */
  bool Note(const Sighting& sighting, uint64_t now);
  /** The next sighting of this guest is reported, even within the same second, because a probe waits for it.
   */
  void Forget(uint32_t port, const Mac& lladdr, const Ip& ip);
  void ForgetPorts() { shares_.clear(); }
  /** Counts a frame of the port. Returns whether the port has reached its limit of frames in this second. */
  bool Floods(uint32_t port, uint64_t now);
  /** Sightings that were not reported since the last call. */
  std::vector<PassedOver> TakePassedOver();

 private:
  struct Slot {
    Sighting sighting;
    /** 0 for an empty slot. */
    uint64_t at = 0;
  };
  struct Share {
    uint64_t since = 0;
    uint32_t frames = 0;
    uint32_t told = 0;
    PassedOver over;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  Share& ShareOf(uint32_t port, uint64_t now);
  Slot* Set(const Sighting& sighting);
  Slot* Find(Slot* set, const Sighting& sighting);

  /** Half a megabyte of zeroes, which the kernel allocates page by page at first use. */
  std::unique_ptr<Slot, Free> slots_;
  std::unordered_map<uint32_t, Share> shares_;
  uint64_t since_ = 0;
  uint32_t told_ = 0;
};

}  // namespace missd

#endif  // MISSD_SIGHTING_H_
