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
};

class Changes {
 public:
  /**
   * Opens in the calling thread's namespace, deaf at first.
   * @param own_port netlink port of the socket that writes, whose neighbour writes are not told: they carry
   * it. Those of FDB entries carry none, so they are told like anybody's. @throws KernelError
   */
  explicit Changes(uint32_t own_port);

  /** Hears of rows of these devices from now on, of none without any. @throws KernelError */
  void Watch(std::unordered_set<uint32_t> devices);
  ChangeBatch Drain();

  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::unordered_set<uint32_t> devices_;
  std::vector<uint8_t> in_;
};

}  // namespace missd

#endif  // MISSD_CHANGES_H_
