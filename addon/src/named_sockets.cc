#include "named_sockets.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "bytes.h"
#include "error.h"

namespace missd {

namespace {

constexpr size_t kDatagramBytes = 1 << 16;
/** The parts of a dump come within microseconds; the timeout only prevents waiting for ever. */
constexpr timeval kReceiveTimeout = {5, 0};
/** UDIAG_SHOW_UID and UNIX_DIAG_UID, which headers older than Linux 5.3 lack. */
constexpr uint32_t kShowUid = 0x40;
constexpr uint16_t kUid = 7;
constexpr size_t kAttributes = 8;
/** TCP_LISTEN, which unix sockets share (unix_listen). */
constexpr uint8_t kListen = 10;

struct Request {
  nlmsghdr header;
  unix_diag_req body;
};

void Consider(const Message& message, const std::string& prefix, std::vector<NamedSocket>* found) {
  unix_diag_msg head;
  Attributes<kAttributes> attributes;
  if (!message.payload.Read(0, &head) || !attributes.Parse(message.payload.From(NLMSG_ALIGN(sizeof(head)))))
    return;
  Bytes name = attributes[UNIX_DIAG_NAME];
  // An abstract name begins with a zero byte.
  if (name.size <= prefix.size() || name.data[0] != 0 ||
      std::memcmp(name.data + 1, prefix.data(), prefix.size()) != 0)
    return;
  NamedSocket socket;
  socket.name.assign(reinterpret_cast<const char*>(name.data) + 1, name.size - 1);
  socket.inode = head.udiag_ino;
  socket.listening = head.udiag_state == kListen;
  if (attributes[kUid]) socket.uid = attributes[kUid].As<uint32_t>();
  found->push_back(std::move(socket));
}

}  // namespace

Fd BindName(const std::string& name, NameKind kind) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof(address.sun_path))
    throw KernelError("lock " + name, ENAMETOOLONG);
  name.copy(address.sun_path + 1, name.size());
  int type = kind == NameKind::kListening ? SOCK_STREAM : SOCK_DGRAM;
  Fd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) throw KernelError("lock " + name, errno);
  socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    if (errno == EADDRINUSE) return Fd();
    throw KernelError("lock " + name, errno);
  }
  if (kind == NameKind::kListening && listen(fd.get(), 0) != 0) throw KernelError("lock " + name, errno);
  return fd;
}

std::vector<NamedSocket> ListNames(const std::string& prefix) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) throw KernelError("list unix sockets", errno);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kReceiveTimeout, sizeof(kReceiveTimeout));
  Request request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = ~0u;
  request.body.udiag_show = UDIAG_SHOW_NAME | kShowUid;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd.get(), &request, sizeof(request), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof(kernel)) <
      0)
    throw KernelError("list unix sockets", errno);
  std::vector<NamedSocket> found;
  std::vector<uint8_t> in(kDatagramBytes);
  int error = 0;
  for (bool more = true; more;) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof(sender);
    ssize_t size =
        recvfrom(fd.get(), in.data(), in.size(), 0, reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) throw KernelError("list unix sockets", size == 0 ? EPROTO : errno);
    // Only the kernel's port is 0.
    if (sender.nl_pid != 0) continue;
    bool whole = ForEachMessage({in.data(), static_cast<size_t>(size)}, [&](const Message& message) {
      if (message.type == NLMSG_ERROR) error = -message.payload.As<int32_t>(-EPROTO);
      if (message.type == NLMSG_DONE || message.type == NLMSG_ERROR) {
        more = false;
      } else if (message.type == SOCK_DIAG_BY_FAMILY) {
        Consider(message, prefix, &found);
      }
    });
    if (!whole) throw KernelError("list unix sockets", EPROTO);
  }
  if (error != 0) throw KernelError("list unix sockets", error);
  return found;
}

}  // namespace missd
