#include "packet.h"

#include <arpa/inet.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

namespace missd {

namespace {

constexpr size_t kFramesPerSend = 256;
/** Above this many ports it takes longer to walk the filter than to receive the frame. */
constexpr size_t kFilteredPorts = 1024;

int Attach(int fd, std::vector<sock_filter> code) {
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 ? 0 : errno;
}

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

/**
 * net.core.optmem_max bounds a socket's filters, of which the one in force and the one that replaces it count
 * together (net/core/filter.c, __sk_attach_prog): 20480 bytes, as older kernels have it, are 400 ports and
 * 400 ports. The filter for all ports is small, so it makes room for the other, and stays where there is no
 * room.
 */
int FilterPorts(int fd, std::vector<sock_filter> head, uint32_t bytes, const std::vector<uint32_t>& ports) {
  std::vector<sock_filter> all = head;
  all.push_back(BPF_STMT(BPF_RET | BPF_K, bytes));
  if (ports.size() > kFilteredPorts)
    head = all;
  else {
    head.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_IFINDEX)));
    for (uint32_t port : ports) {
      head.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1));
      head.push_back(BPF_STMT(BPF_RET | BPF_K, bytes));
    }
    head.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  }
  int error = Attach(fd, head);
  if (error != ENOMEM) return error;
  if (Attach(fd, all) == 0) {
    Attach(fd, head);
    return 0;
  }
  setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, nullptr, 0);
  return Attach(fd, all);
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
