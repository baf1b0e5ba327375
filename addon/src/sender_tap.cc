#include "sender_tap.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include "error.h"
#include "packet.h"

namespace missd {

namespace {

constexpr size_t kFramesPerReceive = 64;
constexpr size_t kFramesPerDrain = 1024;
/** Some 2,500 frames, for all guests of a host sending at once. */
constexpr int kBufferBytes = 2 << 20;
constexpr time_t kMutedSeconds = 1;

/** Passes untagged ARP, RARP and neighbour discovery (without extension headers). */
std::vector<sock_filter> SenderFilter() {
  return {
      // The kernel removes the VLAN tag from the frame before the filter runs.
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 9),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 8, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_RARP, 7, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
}

}  // namespace

SenderTap::SenderTap()
    : socket_(OpenPacket()), timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!timer_) throw KernelError("open timer", errno);
  int on = 1;
  if (setsockopt(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0) {
    throw KernelError("set PACKET_IGNORE_OUTGOING", errno);
  }
  SetReceiveBuffer(socket_.get(), kBufferBytes);
}

int SenderTap::Filter() {
  std::vector<uint32_t> heard;
  for (uint32_t port : ports_)
    if (muted_.count(port) == 0) heard.push_back(port);
  return FilterPorts(socket_.get(), SenderFilter(), kSightingBytes, heard);
}

void SenderTap::Watch(const std::vector<uint32_t>& ports) {
  bool before = !ports_.empty();
  ports_ = {ports.begin(), ports.end()};
  muted_.clear();
  sightings_.ForgetPorts();
  // An unbound socket does not delay other frames.
  if (ports_.empty() && before) BindPacket(socket_.get(), 0);
  int error = Filter();
  if (error != 0) throw KernelError("attach packet filter", error);
  if (!ports_.empty() && !before) BindPacket(socket_.get(), ETH_P_ALL);
}

void SenderTap::Mute(uint32_t port) {
  if (!muted_.insert(port).second) return;
  // If the filter cannot be attached, Drain still skips the frames of the port.
  Filter();
  itimerspec once{};
  once.it_value.tv_sec = kMutedSeconds;
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

void SenderTap::Unmute() {
  uint64_t times = 0;
  if (read(timer_.get(), &times, sizeof(times)) < 0) return;
  muted_.clear();
  Filter();
}

SenderBatch SenderTap::Drain() {
  SenderBatch batch;
  Unmute();
  uint64_t now = MillisecondsNow();
  uint8_t frames[kFramesPerReceive][kSightingBytes];
  sockaddr_ll from[kFramesPerReceive];
  iovec vectors[kFramesPerReceive];
  mmsghdr headers[kFramesPerReceive];
  for (size_t drained = 0; drained < kFramesPerDrain;) {
    for (size_t i = 0; i < kFramesPerReceive; i++) {
      vectors[i] = {frames[i], kSightingBytes};
      headers[i] = {};
      headers[i].msg_hdr = {&from[i], sizeof(from[i]), &vectors[i], 1, nullptr, 0, 0};
    }
    int received = recvmmsg(socket_.get(), headers, kFramesPerReceive, MSG_DONTWAIT, nullptr);
    if (received < 0) {
      batch.error = UnexpectedError(errno);
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(received); i++) {
      uint32_t port = static_cast<uint32_t>(from[i].sll_ifindex);
      if (ports_.count(port) == 0 || muted_.count(port) > 0) continue;
      if (sightings_.Floods(port, now)) Mute(port);
      Sighting sighting;
      sighting.port = port;
      if (ParseSighting({frames[i], headers[i].msg_len}, &sighting) && sightings_.Note(sighting, now))
        batch.sightings.push_back(sighting);
    }
    drained += static_cast<size_t>(received);
    if (static_cast<size_t>(received) < kFramesPerReceive) break;
  }
  batch.passed_over = sightings_.TakePassedOver();
  tpacket_stats statistics{};
  socklen_t size = sizeof(statistics);
  if (getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0)
    batch.lost = statistics.tp_drops;
  return batch;
}

}  // namespace missd
