#include "packet.h"

#include <arpa/inet.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

namespace missd {

namespace {

constexpr size_t kFramesPerSend = 256;

sockaddr_ll AddressOf(const OutgoingFrame& frame) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(frame.port);
  // The kernel fills in skb->protocol from this, and bridges and filters look at it.
  std::memcpy(&address.sll_protocol, &frame.bytes[offsetof(ethhdr, h_proto)], sizeof(address.sll_protocol));
  address.sll_halen = ETH_ALEN;
  std::memcpy(address.sll_addr, frame.bytes.data(), ETH_ALEN);
  return address;
}

}  // namespace

uint64_t MillisecondsNow() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_nsec) / 1000000;
}

Fd OpenPacket() {
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw KernelError("open packet socket", errno);
  return fd;
}

void BindPacket(int fd, int protocol) {
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  everywhere.sll_protocol = htons(static_cast<uint16_t>(protocol));
  if (bind(fd, reinterpret_cast<sockaddr*>(&everywhere), sizeof(everywhere)) != 0) {
    throw KernelError("bind packet socket", errno);
  }
}

size_t SendFrames(int fd, const std::vector<OutgoingFrame>& frames) {
  size_t failed = 0;
  for (size_t at = 0; at < frames.size();) {
    mmsghdr headers[kFramesPerSend] = {};
    iovec vectors[kFramesPerSend];
    sockaddr_ll to[kFramesPerSend];
    size_t count = std::min(kFramesPerSend, frames.size() - at);
    for (size_t i = 0; i < count; i++) {
      const OutgoingFrame& frame = frames[at + i];
      to[i] = AddressOf(frame);
      vectors[i] = {const_cast<uint8_t*>(frame.bytes.data()), frame.bytes.size()};
      headers[i].msg_hdr = {&to[i], sizeof(to[i]), &vectors[i], 1, nullptr, 0, 0};
    }
    int sent = sendmmsg(fd, headers, static_cast<unsigned>(count), 0);
    if (sent < 0 && errno == EINTR) continue;
    // sendmmsg stops at the first frame that it cannot send, and reports the error only in a call that begins
    // with it.
    if (sent <= 0) failed++;
    at += static_cast<size_t>(std::max(sent, 1));
  }
  return failed;
}

}  // namespace missd
