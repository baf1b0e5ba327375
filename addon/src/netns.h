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
   * Runs `body` in the namespace, on a temporary thread that is joined, so that no other thread ever changes
   * its namespace. In the namespace of the process `body` runs on the calling thread and needs no
   * CAP_SYS_ADMIN. Sockets that `body` opens stay in the namespace and keep it alive until they are closed.
   */
  void Run(const std::function<void()>& body) const;

 private:
  Fd fd_;
};

}  // namespace missd

#endif  // MISSD_NETNS_H_
