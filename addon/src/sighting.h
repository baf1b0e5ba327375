/** What a frame that enters by a guest's port says about the guest: which MAC has which address. */
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
  /** A hypervisor tells that a guest has moved here; names no address. */
  kRarp,
  /** Duplicate address detection: the guest wants the address, and does not have it yet. */
  kDad,
};

struct Sighting {
  uint32_t port = 0;
  Mac lladdr;
  /** None from RARP. */
  Ip ip;
  SightingKind kind = SightingKind::kArp;
};

/** What of a frame ParseSighting looks at: room for the options that go with neighbour discovery. */
constexpr size_t kSightingBytes = 256;

/**
 * From ARP of any operation, neighbour solicitations and advertisements, and RARP. False for what names no
 * guest: addresses that no guest can have (0.0.0.0, ::, fe80::/10, loopback, multicast), frames that
 * contradict themselves, and frames whose Ethernet source is not the MAC that they name. The MACs of VRRP
 * (RFC 5798 §7.3) are excepted: a router sends for them from its own.
 */
bool ParseSighting(Bytes frame, Sighting* sighting);

/** Sightings of one port that were passed over, because it had more than its share. */
struct PassedOver {
  uint32_t port = 0;
  /** Of the last one. */
  Mac lladdr;
  uint32_t count = 0;
};

/**
 * Which sightings are worth telling: each at most once a second, and of a port only so many. Of fixed size
 * but for a few bytes a port. Times are milliseconds of any one clock.
 */
class Sightings {
 public:
  Sightings();

  /** Whether it is to be told. */
  bool Note(const Sighting& sighting, uint64_t now);
  /** It is told the next time, however soon: somebody waits for it. */
  void Forget(uint32_t port, const Mac& lladdr, const Ip& ip);
  void ForgetPorts() { shares_.clear(); }
  /** Counts a frame of the port. Whether it has sent more in this second than is worth reading. */
  bool Floods(uint32_t port, uint64_t now);
  /** What was passed over since the last call. */
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

  /** Half a megabyte of zeroes, which the kernel gives page by page as they are needed. */
  std::unique_ptr<Slot, Free> slots_;
  std::unordered_map<uint32_t, Share> shares_;
  uint64_t since_ = 0;
  uint32_t told_ = 0;
};

}  // namespace missd

#endif  // MISSD_SIGHTING_H_
