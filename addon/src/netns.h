/** A network namespace to open sockets in. */
#ifndef MISSD_NETNS_H_
#define MISSD_NETNS_H_

#include <functional>
#include <optional>
#include <string>

#include "socket.h"

namespace missd {

class Netns {
 public:
  /** `path` such as /run/netns/blue, or none for the process's own. @throws KernelError */
  explicit Netns(const std::optional<std::string>& path);

  /**
   * Runs `body` in the namespace: on a thread of its own that is joined, so no thread that lives on ever
   * changes its namespace. In the process's own namespace it runs right here, and needs no CAP_SYS_ADMIN.
   * What it opens stays in the namespace, and keeps the namespace alive until it is closed.
   */
  void Run(const std::function<void()>& body) const;

 private:
  Fd fd_;
};

}  // namespace missd

#endif  // MISSD_NETNS_H_
