#include "tap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "error.h"
#include "packet.h"

namespace missd {

namespace {

constexpr size_t kFramesPerReceive = 64;
/** What one turn of the event loop may read, about 5 ms: guests may send faster than we read. */
constexpr size_t kFramesPerDrain = 8192;
/** How far ahead the question of one miss may lie: processors that take turns, questions that raised no miss.
 */
constexpr size_t kFramesPerSearch = 1024;
/** More than the receive buffer holds by default: all that a port which is passed over from now on has left
 * in it, where the questions of others would have to be searched for. Happens when a port goes, or floods. */
constexpr size_t kFramesPerChange = 1 << 18;
/** Some 10,000 heads of frames: under a flood more are sent than can be read, and any share of them names it.
 */
constexpr int kFrameBufferBytes = 8 << 20;

/**
 * Lets pass untagged ARP requests, and neighbour solicitations directly in IPv6, that enter by one of
 * `ports`.
 * @throws KernelError
 */
void FilterQuestions(int fd, const std::vector<uint32_t>& ports) {
  std::vector<sock_filter> head = {
      // The kernel has taken the VLAN tag out of the frame by now.
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 9),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 2),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPOP_REQUEST, 6, 5),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 4),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  int error = FilterPorts(fd, std::move(head), kQuestionBytes, ports);
  if (error != 0) throw KernelError("attach packet filter", error);
}

/** Lets pass the Ethernet heads of unicast frames that enter by one of `ports`. @throws KernelError */
void FilterFrames(int fd, const std::vector<uint32_t>& ports) {
  std::vector<sock_filter> head = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  int error = FilterPorts(fd, std::move(head), ETH_HLEN, ports);
  if (error != 0) throw KernelError("attach frame filter", error);
}

}  // namespace

Tap::Tap(int receive_buffer) : listen_(OpenPacket()), send_(OpenPacket()), frames_(OpenPacket()) {
  FilterQuestions(listen_.get(), {});
  SetReceiveBuffer(listen_.get(), receive_buffer);
  int on = 1;
  if (setsockopt(listen_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0) {
    throw KernelError("set PACKET_IGNORE_OUTGOING", errno);
  }
  setsockopt(frames_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
  SetReceiveBuffer(frames_.get(), std::min(receive_buffer, kFrameBufferBytes));
  // Bound to a protocol only now: nothing unfiltered has come in.
  BindPacket(listen_.get(), ETH_P_ALL);
}

void Tap::FollowFrames(bool follow) {
  if (follow == following_) return;
  if (follow) {
    FilterFrames(frames_.get(), Ports());
    BindPacket(frames_.get(), ETH_P_ALL);
  } else {
    BindPacket(frames_.get(), 0);
    ReadFrames();
    senders_.Clear();
  }
  following_ = follow;
}

std::optional<Asker> Tap::SenderTo(uint32_t vxlan, const Mac& destination) {
  if (!following_) return std::nullopt;
  return senders_.Find(vxlan, destination, MillisecondsNow());
}

void Tap::ReadFrames() {
  if (!following_) return;
  uint64_t now = MillisecondsNow();
  ethhdr heads[kFramesPerReceive];
  sockaddr_ll from[kFramesPerReceive];
  iovec vectors[kFramesPerReceive];
  mmsghdr headers[kFramesPerReceive];
  for (size_t read = 0; read < kFramesPerDrain;) {
    for (size_t i = 0; i < kFramesPerReceive; i++) {
      vectors[i] = {&heads[i], sizeof(heads[i])};
      headers[i] = {};
      headers[i].msg_hdr = {&from[i], sizeof(from[i]), &vectors[i], 1, nullptr, 0, 0};
    }
    int received = recvmmsg(frames_.get(), headers, kFramesPerReceive, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < received; i++) {
      uint32_t port = static_cast<uint32_t>(from[i].sll_ifindex);
      Mac destination;
      Mac source;
      std::memcpy(destination.bytes.data(), heads[i].h_dest, ETH_ALEN);
      std::memcpy(source.bytes.data(), heads[i].h_source, ETH_ALEN);
      auto [at, end] = ports_.equal_range(port);
      for (; at != end; ++at) senders_.Store(at->second, destination, source, port, now);
    }
    if (received < static_cast<int>(kFramesPerReceive)) return;
    read += static_cast<size_t>(received);
  }
}

std::vector<uint32_t> Tap::Ports() const {
  std::vector<uint32_t> distinct;
  for (const auto& [port, vxlan] : ports_) distinct.push_back(port);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct;
}

void Tap::SetPorts(const std::vector<std::pair<uint32_t, uint32_t>>& ports) {
  std::vector<uint32_t> distinct;
  for (const auto& [port, vxlan] : ports) distinct.push_back(port);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  FilterQuestions(listen_.get(), distinct);
  bool passed_over = std::any_of(ports_.begin(), ports_.end(), [&](const auto& before) {
    return !std::binary_search(distinct.begin(), distinct.end(), before.first);
  });
  ports_ = {ports.begin(), ports.end()};
  if (following_) FilterFrames(frames_.get(), distinct);
  if (passed_over) ReadOn(kFramesPerChange);
}

size_t Tap::ReadSome(uint64_t now) {
  uint8_t frames[kFramesPerReceive][kQuestionBytes];
  sockaddr_ll from[kFramesPerReceive];
  iovec vectors[kFramesPerReceive];
  mmsghdr headers[kFramesPerReceive];
  for (size_t i = 0; i < kFramesPerReceive; i++) {
    vectors[i] = {frames[i], kQuestionBytes};
    headers[i] = {};
    headers[i].msg_hdr = {&from[i], sizeof(from[i]), &vectors[i], 1, nullptr, 0, 0};
  }
  int received = recvmmsg(listen_.get(), headers, kFramesPerReceive, MSG_DONTWAIT, nullptr);
  if (received < 0) {
    int error = UnexpectedError(errno);
    if (error != 0) error_ = error;
    return 0;
  }
  for (size_t i = 0; i < static_cast<size_t>(received); i++) {
    auto [at, end] = ports_.equal_range(static_cast<uint32_t>(from[i].sll_ifindex));
    Question question;
    if (at == end || !ParseQuestion({frames[i], headers[i].msg_len}, &question)) continue;
    for (; at != end; ++at) askers_.Store(at->second, question, at->first, now);
  }
  return static_cast<size_t>(received);
}

void Tap::ReadOn(size_t most) {
  uint64_t now = MillisecondsNow();
  size_t read = 0;
  for (size_t some = 1; some > 0 && read < most; read += some) some = ReadSome(now);
}

void Tap::Drain() { ReadOn(kFramesPerDrain); }

std::optional<uint64_t> Tap::LastAsked(uint32_t vxlan, const Ip& target) {
  std::optional<uint64_t> at = askers_.LastAsked(vxlan, target);
  if (!at) return std::nullopt;
  return MillisecondsNow() - *at;
}

Tap::Pairing::Pairing(Tap* tap) : tap_(tap), now_(MillisecondsNow()), ahead_(kFramesPerDrain) {
  // Unless there is a backlog these are all there are, and the newest asker is found first.
  tap_->ReadSome(now_);
}

std::optional<Asker> Tap::Pairing::Find(uint32_t vxlan, const Ip& target) {
  for (size_t search = std::min(ahead_, kFramesPerSearch);;) {
    std::optional<Asker> asker = tap_->askers_.Pair(vxlan, target, now_);
    if (asker) return asker;
    size_t some = search > 0 ? tap_->ReadSome(now_) : 0;
    if (some == 0) {
      // The batch was received before: what comes in after the last frame is nothing of its.
      if (search > 0) ahead_ = 0;
      return tap_->askers_.PairAgain(vxlan, target, now_);
    }
    search -= std::min(search, some);
    ahead_ -= std::min(ahead_, some);
  }
}

size_t Tap::SendProbes(const std::vector<Probe>& probes) {
  return SendFrames(send_.get(), probes, BuildProbe);
}

size_t Tap::Announce(const std::vector<Announcement>& announcements) {
  return SendFrames(send_.get(), announcements, BuildAnnouncement);
}

}  // namespace missd
