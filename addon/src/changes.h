/** Listens for changes of the tables, so that whoever wants to know need not read them whole. */
#ifndef MISSD_CHANGES_H_
#define MISSD_CHANGES_H_

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "decode.h"
#include "socket.h"

namespace missd {

struct RowChange {
  bool removed;
  Row row;
};

/** What one drain of the socket found. */
struct ChangeBatch {
  std::vector<RowChange> changes;
  uint32_t malformed = 0;
  bool overrun = false;
  /** Errno of a receive that failed for no known reason, 0 for none. */
  int error = 0;
  /** Bridges learned more than is told. */
  bool learned_overrun = false;
};

class Changes {
 public:
  /**
   * Opens in the calling thread's namespace, deaf at first.
   * @param own_port netlink port of the socket that writes, whose neighbour writes are not told: they carry
   * it. Those of FDB entries carry none, so they are told like anybody's. @throws KernelError
   */
  explicit Changes(uint32_t own_port);

  /**
   * Hears of rows of these devices from now on, of none without any. A bridge among them is one whose learned
   * rows are told of, but for those behind a device that is named, too. @throws KernelError
   */
  void Watch(std::unordered_set<uint32_t> devices);
  ChangeBatch Drain();

  int fd() const { return fd_.get(); }

 private:
  /** Whether it is a row that a bridge has just learned, and one of no more than can be told in a second. */
  bool Learned(const Message& message, const Row& row, ChangeBatch* batch);

  Fd fd_;
  std::unordered_set<uint32_t> devices_;
  /** Rows that bridges learned in that second of the monotonic clock. */
  uint64_t second_ = 0;
  uint32_t learned_ = 0;
  std::vector<uint8_t> in_;
};

}  // namespace missd

#endif  // MISSD_CHANGES_H_
