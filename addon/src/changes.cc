#include "changes.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

namespace missd {

namespace {

/** Some ten thousand messages. */
constexpr int kBufferBytes = 4 << 20;
constexpr size_t kRowBytes = 512;
constexpr size_t kRowsPerReceive = 64;
/** Messages that one turn of the event loop may read. */
constexpr size_t kRowsPerDrain = 512;
/** Learned rows a second that are reported: a guest may send from any number of MACs. */
constexpr uint32_t kLearnedPerSecond = 2000;

uint64_t Second() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<uint64_t>(time.tv_sec);
}

}  // namespace

Changes::Changes(uint32_t own_port) : fd_(OpenNetlink(true)), in_(kRowsPerReceive * kRowBytes) {
  SetReceiveBuffer(fd_.get(), kBufferBytes);
  PassOnlyChanges(fd_.get(), own_port);
}

void Changes::Watch(std::unordered_set<uint32_t> devices) {
  // The socket leaves the group instead of filtering it, so that unwanted messages cost the kernel nothing.
  if (devices.empty() != devices_.empty()) SetGroup(fd_.get(), RTNLGRP_NEIGH, !devices.empty());
  devices_ = std::move(devices);
}

ChangeBatch Changes::Drain() {
  ChangeBatch batch;
  sockaddr_nl senders[kRowsPerReceive];
  iovec vectors[kRowsPerReceive];
  mmsghdr headers[kRowsPerReceive];
  for (size_t drained = 0; drained < kRowsPerDrain;) {
    for (size_t i = 0; i < kRowsPerReceive; i++) {
      vectors[i] = {&in_[i * kRowBytes], kRowBytes};
      headers[i] = {};
      headers[i].msg_hdr = {&senders[i], sizeof(senders[i]), &vectors[i], 1, nullptr, 0, 0};
    }
    int received = recvmmsg(fd_.get(), headers, kRowsPerReceive, MSG_DONTWAIT, nullptr);
    if (received < 0 && errno == ENOBUFS) {
      batch.overrun = true;
      continue;
    }
    if (received < 0) {
      batch.error = UnexpectedError(errno);
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(received); i++) {
      if (devices_.empty()) continue;
      if (!FromKernel(senders[i]) || (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        batch.malformed++;
        continue;
      }
      bool whole = ForEachMessage({&in_[i * kRowBytes], headers[i].msg_len}, [&](const Message& message) {
        Row row;
        if (message.type != RTM_NEWNEIGH && message.type != RTM_DELNEIGH) return;
        if (!DecodeRow(message.payload, &row)) {
          batch.malformed++;
        } else if (row.master == 0 ? devices_.count(row.ifindex) > 0 : Learned(message, row, &batch)) {
          batch.changes.push_back({message.type == RTM_DELNEIGH, std::move(row)});
        }
      });
      if (!whole) batch.malformed++;
    }
    drained += static_cast<size_t>(received);
    if (static_cast<size_t>(received) < kRowsPerReceive) break;
  }
  return batch;
}

bool Changes::Learned(const Message& message, const Row& row, ChangeBatch* batch) {
  constexpr uint16_t kConfigured = NUD_PERMANENT | NUD_NOARP;
  if (message.type != RTM_NEWNEIGH || devices_.count(row.master) == 0 || (row.state & kConfigured) != 0)
    return false;
  // A MAC behind the VXLAN device is a remote guest, which is no news.
  if (devices_.count(row.ifindex) > 0) return false;
  uint64_t second = Second();
  if (second != second_) learned_ = 0;
  second_ = second;
  if (learned_++ == kLearnedPerSecond) batch->learned_overrun = true;
  return learned_ <= kLearnedPerSecond;
}

}  // namespace missd
