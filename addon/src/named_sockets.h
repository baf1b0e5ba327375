/** Abstract unix sockets: names without a file that are visible in one network namespace only and end with
 * their socket. The functions act in the namespace of the calling thread. */
#ifndef MISSD_NAMED_SOCKETS_H_
#define MISSD_NAMED_SOCKETS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "socket.h"

namespace missd {

/** A name can be bound once for each kind, because unix_abstract_hash includes the socket type. */
enum class NameKind { kDatagram, kListening };

/** Binds a name; no descriptor if it is already bound. @throws KernelError */
Fd BindName(const std::string& name, NameKind kind);

struct NamedSocket {
  std::string name;
  uint32_t inode = 0;
  /** User that owns the socket; none before Linux 5.3. */
  std::optional<uint32_t> uid;
  bool listening = false;
};

/** Every socket whose name begins with the prefix (unix_diag), without a connection to it. @throws
 * KernelError */
std::vector<NamedSocket> ListNames(const std::string& prefix);

}  // namespace missd

#endif  // MISSD_NAMED_SOCKETS_H_
