/** What the packet sockets have in common. */
#ifndef MISSD_PACKET_H_
#define MISSD_PACKET_H_

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "socket.h"

namespace missd {

/** Of a clock that costs nothing to read and advances every few milliseconds. */
uint64_t MillisecondsNow();

/** Bound to nothing, so that nothing comes in before it has a filter. @throws KernelError */
Fd OpenPacket();
/** On every interface of the namespace. @throws KernelError */
void BindPacket(int fd, int protocol);

/** A frame and the port it leaves by. */
struct OutgoingFrame {
  uint32_t port;
  std::vector<uint8_t> bytes;
};
/** Returns how many could not be sent. */
size_t SendFrames(int fd, const std::vector<OutgoingFrame>& frames);

/** Sends what `build` makes of each; what must not be sent counts as not sent. */
template <typename Item>
size_t SendFrames(int fd, const std::vector<Item>& items, bool (*build)(const Item&, std::vector<uint8_t>*)) {
  std::vector<OutgoingFrame> frames;
  for (const Item& item : items) {
    OutgoingFrame frame{item.port, {}};
    if (build(item, &frame.bytes)) frames.push_back(std::move(frame));
  }
  return items.size() - frames.size() + SendFrames(fd, frames);
}

}  // namespace missd

#endif  // MISSD_PACKET_H_
