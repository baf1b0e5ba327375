/** The ARP and neighbour discovery frames missd sends and reads. Pure functions over bytes. */
#ifndef MISSD_FRAMES_H_
#define MISSD_FRAMES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "address.h"

namespace missd {

struct Announcement {
  uint32_t port = 0;
  Ip ip;
  Mac lladdr;
  /** Whom to tell; everybody behind the port where absent. */
  struct To {
    Mac lladdr;
    Ip ip;
  };
  std::optional<To> to;
  bool router = false;
};

/** False for what must not be sent: an answer to duplicate address detection, or to an asker of the other
 * family. */
bool BuildAnnouncement(const Announcement& announcement, std::vector<uint8_t>* frame);

/**
 * A question to one guest whether it has an address: an ARP probe (RFC 5227), of which Linux remembers
 * nothing and which proxy ARP does not answer; or a solicitation by the link-local address of the MAC that
 * asks.
 */
struct Probe {
  uint32_t port = 0;
  Ip ip;
  /** The guest's MAC. */
  Mac lladdr;
  /** The MAC that asks, and that the guest answers. */
  Mac from;
};

/** False for what must not be sent: to a group. */
bool BuildProbe(const Probe& probe, std::vector<uint8_t>* frame);

/** Who asks for whom, from an ARP request or a neighbour solicitation. */
struct Question {
  Ip target;
  Mac lladdr;
  /** Unspecified in duplicate address detection, and where the frame contradicts itself. */
  Ip ip;
};

/**
 * True for what makes a VXLAN device raise a miss (arp_reduce, neigh_reduce), so that it can be charged to
 * its port. Guests write what they like: a question whose parts disagree comes from nowhere, and so is never
 * answered.
 */
bool ParseQuestion(Bytes frame, Question* question);

/** The longest part of a frame that ParseQuestion looks at. */
constexpr size_t kQuestionBytes = 128;

}  // namespace missd

#endif  // MISSD_FRAMES_H_
