/** Abstract unix sockets: names without a file, seen in one network namespace alone, gone with whoever bound
 * them. Call these in that namespace. */
#ifndef MISSD_NAMED_SOCKETS_H_
#define MISSD_NAMED_SOCKETS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "socket.h"

namespace missd {

/** A name of one kind is taken once; of the other kind it is another (unix_abstract_hash has the type in it).
 */
enum class NameKind { kDatagram, kListening };

/** Takes a name; no descriptor where it is taken already. @throws KernelError */
Fd BindName(const std::string& name, NameKind kind);

struct NamedSocket {
  std::string name;
  uint32_t inode = 0;
  /** Whose it is; none before Linux 5.3. */
  std::optional<uint32_t> uid;
  bool listening = false;
};

/** Every socket whose name begins so (unix_diag), without a word to its owner. @throws KernelError */
std::vector<NamedSocket> ListNames(const std::string& prefix);

}  // namespace missd

#endif  // MISSD_NAMED_SOCKETS_H_
