/** Functions of all packet sockets. */
#ifndef MISSD_PACKET_H_
#define MISSD_PACKET_H_

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "socket.h"

namespace missd {

/** CLOCK_MONOTONIC_COARSE, which is cheap to read and advances every few milliseconds. */
uint64_t MillisecondsNow();

/** An unbound socket, so that no frame arrives before a filter is attached. @throws KernelError */
Fd OpenPacket();
/** Binds to every interface of the namespace. @throws KernelError */
void BindPacket(int fd, int protocol);

/**
 * Passes the first `bytes` of frames that enter by one of `ports`, and by any port where there are too many
 * or where the kernel has no room for the list: the port of a frame is checked again when the frame is read.
 * @param head decides by the frame alone: it drops the frame, or ends by falling through
 * @return 0 or an errno
 */
int FilterPorts(int fd, std::vector<sock_filter> head, uint32_t bytes, const std::vector<uint32_t>& ports);

/** A frame and the port it leaves by. */
struct OutgoingFrame {
  uint32_t port;
  std::vector<uint8_t> bytes;
};
/** Returns how many frames could not be sent. */
size_t SendFrames(int fd, const std::vector<OutgoingFrame>& frames);

/** Sends the frame that `build` makes of each item. Returns how many were not sent, including items that
 * `build` refuses. */
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
