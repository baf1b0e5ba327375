/** The sockets of one served network namespace. System calls only: neither N-API nor an event loop. */
#ifndef MISSD_NAMESPACE_H_
#define MISSD_NAMESPACE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "changes.h"
#include "decode.h"
#include "named_sockets.h"
#include "netns.h"
#include "request.h"
#include "sender_tap.h"
#include "tap.h"

namespace missd {

/** What one drain of the miss socket found. */
struct MissBatch {
  std::vector<Miss> misses;
  /** As much as one drain may take was there: there may be more. */
  bool more = false;
  uint32_t malformed = 0;
  bool overrun = false;
  /** Errno of a receive that failed for no known reason, 0 for none; of the miss socket and of the tap. */
  int error = 0;
  int tap_error = 0;
};

struct LinkEvent {
  bool removed;
  std::variant<Link, InterfaceAddress> subject;
};

/** What one drain of the link socket found, in the kernel's order. */
struct LinkBatch {
  std::vector<LinkEvent> events;
  uint32_t malformed = 0;
  bool overrun = false;
  int error = 0;
};

class Namespace {
 public:
  /** @throws KernelError */
  Namespace(const std::optional<std::string>& path, int receive_buffer);

  /**
   * Reads a bounded number of messages, pairs them with their askers and folds those that say the same.
   * Without any, it empties the tap.
   */
  MissBatch DrainMisses();
  LinkBatch DrainLinks();
  /** Whether misses wait that waited at the last call already, and nobody has read any meanwhile. */
  bool Neglected();
  Changes& changes() { return *changes_; }

  /** Takes a name for as long as this is open; false when it is taken. @throws KernelError */
  bool Lock(const std::string& name, NameKind kind);
  void Unlock(const std::string& name, NameKind kind) { locks_.erase({name, kind}); }
  /** Who has names that begin so. @throws KernelError */
  std::vector<NamedSocket> NamedSockets(const std::string& prefix) const;

  const ReceiveBuffer& receive_buffer() const { return receive_buffer_; }
  const std::shared_ptr<const Netns>& netns() const { return netns_; }
  RequestSocket& request() { return *request_; }
  /** Null where AF_PACKET was refused. */
  Tap* tap() { return tap_.get(); }
  /** Null where AF_PACKET was refused. */
  SenderTap* sender_tap() { return sender_tap_.get(); }
  int miss_fd() const { return misses_.get(); }
  int link_fd() const { return links_.get(); }

 private:
  /** Shared with the dumps under way. */
  std::shared_ptr<const Netns> netns_;
  ReceiveBuffer receive_buffer_;
  Fd misses_;
  Fd links_;
  std::unique_ptr<RequestSocket> request_;
  std::unique_ptr<Changes> changes_;
  std::unique_ptr<Tap> tap_;
  std::unique_ptr<SenderTap> sender_tap_;
  std::map<std::pair<std::string, NameKind>, Fd> locks_;
  std::vector<uint8_t> in_;
  /** Drains of the miss socket, and what the last look of `Neglected` found. */
  uint64_t drains_ = 0;
  uint64_t drains_seen_ = 0;
  bool waited_ = false;
};

}  // namespace missd

#endif  // MISSD_NAMESPACE_H_
