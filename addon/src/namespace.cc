#include "namespace.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "error.h"
#include "fold.h"

namespace missd {

namespace {

/** What one turn of the event loop may take; the rest waits, in the kernel, for the next. */
constexpr size_t kMissesPerDrain = 1024;
constexpr size_t kLinksPerDrain = 256;

/** A miss is about 80 bytes. */
constexpr size_t kMissBytes = 512;
constexpr size_t kMissesPerReceive = 64;
/** A link with hundreds of virtual functions or alternative names describes itself in tens of kilobytes. */
constexpr size_t kLinkBytes = 1 << 18;
/** Thousands of links created at once; a few hundred bytes of buffer would do in ordinary life. */
constexpr int kLinkBufferBytes = 8 << 20;

/** Which family's is asked for, a miss does not say. */
const Ip kUnspecified6{16, {}};

void DecodeLinkMessage(const Message& message, LinkBatch* batch, std::set<uint32_t>* ports) {
  bool removed = message.type == RTM_DELLINK || message.type == RTM_DELADDR;
  if (message.type == RTM_NEWLINK || message.type == RTM_DELLINK) {
    Link link;
    if (!DecodeLink(message.payload, &link)) {
      batch->malformed++;
    } else if (link.family != AF_BRIDGE) {
      batch->events.push_back({removed, std::move(link)});
    } else if (!removed) {
      ports->insert(link.ifindex);
    }
  } else if (message.type == RTM_NEWADDR || message.type == RTM_DELADDR) {
    InterfaceAddress address;
    if (DecodeAddress(message.payload, &address)) {
      batch->events.push_back({removed, address});
    } else {
      batch->malformed++;
    }
  }
}

}  // namespace

Namespace::Namespace(const std::optional<std::string>& path, int receive_buffer)
    : netns_(std::make_shared<const Netns>(path)), in_(kLinkBytes) {
  netns_->Run([&] {
    misses_ = OpenNetlink(true);
    receive_buffer_ = SetReceiveBuffer(misses_.get(), receive_buffer);
    PassOnlyMisses(misses_.get());
    JoinGroups(misses_.get(), {RTNLGRP_NEIGH});
    links_ = OpenNetlink(true);
    SetReceiveBuffer(links_.get(), kLinkBufferBytes);
    JoinGroups(links_.get(), {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR});
    request_ = std::make_unique<RequestSocket>();
    changes_ = std::make_unique<Changes>(request_->port());
    try {
      tap_ = std::make_unique<Tap>(receive_buffer);
      sender_tap_ = std::make_unique<SenderTap>();
    } catch (const KernelError&) {
      // No CAP_NET_RAW, or no AF_PACKET in this kernel: askers stay unknown and nothing is announced.
    }
  });
}

bool Namespace::Neglected() {
  pollfd misses{misses_.get(), POLLIN, 0};
  bool waits = poll(&misses, 1, 0) > 0;
  bool neglected = waits && waited_ && drains_ == drains_seen_;
  waited_ = waits;
  drains_seen_ = drains_;
  return neglected;
}

MissBatch Namespace::DrainMisses() {
  MissBatch batch;
  drains_++;
  std::vector<Miss> misses;
  sockaddr_nl senders[kMissesPerReceive];
  iovec vectors[kMissesPerReceive];
  mmsghdr headers[kMissesPerReceive];
  for (size_t drained = 0; drained < kMissesPerDrain;) {
    for (size_t i = 0; i < kMissesPerReceive; i++) {
      vectors[i] = {&in_[i * kMissBytes], kMissBytes};
      headers[i] = {};
      headers[i].msg_hdr = {&senders[i], sizeof(senders[i]), &vectors[i], 1, nullptr, 0, 0};
    }
    int received = recvmmsg(misses_.get(), headers, kMissesPerReceive, MSG_DONTWAIT, nullptr);
    if (received < 0 && errno == ENOBUFS) {
      // Reading the error clears it; the kernel queues nothing more until what is queued has been read.
      batch.overrun = true;
      continue;
    }
    if (received < 0) {
      batch.error = UnexpectedError(errno);
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(received); i++) {
      // Root can multicast to the group as well, and such a message is not the kernel's.
      if (!FromKernel(senders[i])) {
        batch.malformed++;
        continue;
      }
      batch.malformed += DecodeMisses({&in_[i * kMissBytes], headers[i].msg_len}, &misses);
    }
    drained += static_cast<size_t>(received);
    batch.more = drained >= kMissesPerDrain;
    if (static_cast<size_t>(received) < kMissesPerReceive) break;
  }
  if (misses.empty()) {
    if (tap_) tap_->Drain();
    if (tap_) batch.tap_error = tap_->TakeError();
    return batch;
  }
  // Only now: a question passes the bridge port, where the tap is, before the VXLAN device raises its miss.
  std::optional<Tap::Pairing> pairing;
  if (tap_) pairing.emplace(tap_.get());
  if (tap_) tap_->ReadFrames();
  Fold fold(&batch.misses, misses.size());
  for (Miss& miss : misses) {
    // Any other state is this host's own neighbour asking, not a guest.
    if (pairing && miss.IsLayer3() && miss.state == NUD_STALE) {
      miss.asker = pairing->Find(miss.ifindex, miss.ip);
      if (!miss.asker && miss.ip.IsUnspecified()) miss.asker = pairing->Find(miss.ifindex, kUnspecified6);
    }
    if (tap_ && !miss.IsLayer3()) miss.asker = tap_->SenderTo(miss.ifindex, miss.lladdr);
    fold.Add(std::move(miss));
  }
  if (tap_) batch.tap_error = tap_->TakeError();
  return batch;
}

LinkBatch Namespace::DrainLinks() {
  LinkBatch batch;
  std::set<uint32_t> ports;
  for (size_t drained = 0; drained < kLinksPerDrain; drained++) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof(sender);
    ssize_t size = recvfrom(links_.get(), in_.data(), in_.size(), MSG_DONTWAIT | MSG_TRUNC,
                            reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0 && errno == ENOBUFS) {
      batch.overrun = true;
      continue;
    }
    if (size < 0) {
      batch.error = UnexpectedError(errno);
      break;
    }
    if (!FromKernel(sender)) {
      batch.malformed++;
      continue;
    }
    if (static_cast<size_t>(size) > in_.size()) {
      // Something changed and does not fit: as good as a message lost, so the links are read whole.
      batch.overrun = true;
      continue;
    }
    Bytes datagram{in_.data(), static_cast<size_t>(size)};
    bool whole =
        ForEachMessage(datagram, [&](const Message& message) { DecodeLinkMessage(message, &batch, &ports); });
    if (!whole) batch.malformed++;
  }
  // A bridge tells of its port's settings in a message that lacks everything else (br_fill_ifinfo): ask for
  // the whole. Its RTM_DELLINK only means that the port left, and an ordinary RTM_NEWLINK without master
  // comes with that.
  for (uint32_t port : ports) {
    try {
      std::optional<Link> link = request_->GetLink(port);
      if (link) batch.events.push_back({false, std::move(*link)});
    } catch (const KernelError&) {
      // Something changed and we cannot say what: as good as a message lost.
      batch.overrun = true;
    }
  }
  return batch;
}

bool Namespace::Lock(const std::string& name, NameKind kind) {
  Fd fd;
  netns_->Run([&] { fd = BindName(name, kind); });
  if (!fd) return false;
  locks_[{name, kind}] = std::move(fd);
  return true;
}

std::vector<NamedSocket> Namespace::NamedSockets(const std::string& prefix) const {
  std::vector<NamedSocket> found;
  netns_->Run([&] { found = ListNames(prefix); });
  return found;
}

}  // namespace missd
