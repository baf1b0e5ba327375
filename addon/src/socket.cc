#include "socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "error.h"

namespace missd {

namespace {

/** Parts of dumps and answers to requests come within microseconds; the timeout only prevents waiting for
 * ever. */
constexpr timeval kReceiveTimeout = {5, 0};

void SetNetlinkOption(int fd, int option, int value, const char* name) {
  if (setsockopt(fd, SOL_NETLINK, option, &value, sizeof(value)) != 0) throw KernelError(name, errno);
}

template <size_t kCount>
void AttachFilter(int fd, sock_filter (&code)[kCount]) {
  sock_fprog program{kCount, code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    throw KernelError("attach netlink filter", errno);
  }
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

void Fd::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int Fd::Release() { return std::exchange(fd_, -1); }

ReceiveBuffer SetReceiveBuffer(int fd, int bytes) {
  ReceiveBuffer granted;
  granted.forced = setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0;
  if (!granted.forced) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  socklen_t size = sizeof(granted.bytes);
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted.bytes, &size);
  // The kernel doubles the size for its own overhead (__sock_set_rcvbuf), and reports the doubled size.
  granted.bytes /= 2;
  return granted;
}

Fd OpenNetlink(bool nonblocking) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), NETLINK_ROUTE));
  if (!fd) throw KernelError("open netlink socket", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    throw KernelError("bind netlink socket", errno);
  }
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    throw KernelError("connect netlink socket", errno);
  }
  return fd;
}

int UnexpectedError(int error) { return error == EAGAIN || error == EINTR ? 0 : error; }

uint32_t FirstSequence() {
  uint32_t sequence;
  if (getrandom(&sequence, sizeof(sequence), GRND_NONBLOCK) == sizeof(sequence)) return sequence;
  // No random numbers are available early in the boot. The check of the sender's port still rejects forged
  // answers.
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint32_t>(time.tv_nsec);
}

void SetGroup(int fd, int group, bool member) {
  if (member) {
    SetNetlinkOption(fd, NETLINK_ADD_MEMBERSHIP, group, "join netlink group");
  } else {
    SetNetlinkOption(fd, NETLINK_DROP_MEMBERSHIP, group, "leave netlink group");
  }
}

uint32_t PortOf(int fd) {
  sockaddr_nl address{};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return address.nl_pid;
}

void JoinGroups(int fd, std::initializer_list<int> groups) {
  for (int group : groups) SetGroup(fd, group, true);
}

void PassOnlyMisses(int fd) {
  // BPF_H loads a value in network order, and netlink writes it in host order, hence htons.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_GETNEIGH), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  AttachFilter(fd, code);
}

void PassOnlyChanges(int fd, uint32_t own_port) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(nlmsghdr, nlmsg_pid)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  AttachFilter(fd, code);
}

void PrepareForRequests(int fd) {
  SetNetlinkOption(fd, NETLINK_EXT_ACK, 1, "set NETLINK_EXT_ACK");
  SetNetlinkOption(fd, NETLINK_CAP_ACK, 1, "set NETLINK_CAP_ACK");
  SetNetlinkOption(fd, NETLINK_GET_STRICT_CHK, 1, "set NETLINK_GET_STRICT_CHK");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kReceiveTimeout, sizeof(kReceiveTimeout)) != 0) {
    throw KernelError("set receive timeout", errno);
  }
}

}  // namespace missd
