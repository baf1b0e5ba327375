/** Runs dumps, one after the other, on one socket. */
#ifndef MISSD_DUMPER_H_
#define MISSD_DUMPER_H_

#include <atomic>
#include <functional>
#include <vector>

#include "bytes.h"
#include "encode.h"
#include "socket.h"

namespace missd {

class Dumper {
 public:
  /** Opens in the calling thread's namespace. @throws KernelError */
  explicit Dumper(const std::atomic<bool>& cancelled);
  /** @param fd a connected socket; @param sequence the sequence number before that of the first request */
  Dumper(Fd fd, uint32_t sequence, const std::atomic<bool>& cancelled);

  /**
   * Sends the request that `encode` writes, and visits every message. False if the kernel reports an
   * interruption.
   * @throws KernelError ECANCELED after `cancelled`, ETIMEDOUT without an answer, EMSGSIZE if a part does not
   * fit
   */
  bool Run(const std::function<void(uint32_t, Writer*)>& encode,
           const std::function<void(const Message&)>& visit);

 private:
  Fd fd_;
  std::vector<uint8_t> in_;
  const std::atomic<bool>& cancelled_;
  uint32_t seq_;
};

}  // namespace missd

#endif  // MISSD_DUMPER_H_
