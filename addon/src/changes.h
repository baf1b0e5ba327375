/** Reports changes of neighbour tables and FDBs, so that missd need not dump them. */
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

/** The result of one drain of the socket. */
struct ChangeBatch {
  std::vector<RowChange> changes;
  uint32_t malformed = 0;
  bool overrun = false;
  /** Errno of a receive that failed for an unexpected reason; 0 for none. */
  int error = 0;
  /** Bridges learned more rows than the limit, and some were not reported. */
  bool learned_overrun = false;
};

class Changes {
 public:
  /**
   * Opens in the calling thread's namespace, and reports nothing before Watch.
   * @param own_port netlink port of the socket that writes. Its writes of neighbours are not reported,
   * because their messages carry the port; messages of FDB writes carry no port and are reported. @throws
   * KernelError
   */
  explicit Changes(uint32_t own_port);

  /**
   * Reports rows of these devices from now on. For a bridge among them these are the rows that it learns,
   * except on ports that are among the devices. @throws KernelError
   */
  void Watch(std::unordered_set<uint32_t> devices);
  ChangeBatch Drain();

  int fd() const { return fd_.get(); }

 private:
  /** Whether a bridge has just learned the row, and the limit of a second is not exceeded. */
  bool Learned(const Message& message, const Row& row, ChangeBatch* batch);

  Fd fd_;
  std::unordered_set<uint32_t> devices_;
  /** A second of the monotonic clock, and the rows that bridges learned in it. */
  uint64_t second_ = 0;
  uint32_t learned_ = 0;
  std::vector<uint8_t> in_;
};

}  // namespace missd

#endif  // MISSD_CHANGES_H_
