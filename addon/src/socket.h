/** Opening netlink sockets, and what every socket here has in common. */
#ifndef MISSD_SOCKET_H_
#define MISSD_SOCKET_H_

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cstdint>
#include <initializer_list>

namespace missd {

/** A file descriptor with an owner. */
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Close(); }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  void Close();

 private:
  int Release();

  int fd_ = -1;
};

struct ReceiveBuffer {
  /** Comparable with what was asked for; smaller where net.core.rmem_max capped it. */
  int bytes = 0;
  /** Whether it took SO_RCVBUFFORCE, i.e. whether net.core.rmem_max was overruled. */
  bool forced = false;
};

/** Asks with SO_RCVBUFFORCE, and where that is refused (a user namespace) with SO_RCVBUF, which rmem_max
 * caps. */
ReceiveBuffer SetReceiveBuffer(int fd, int bytes);

/**
 * A NETLINK_ROUTE socket bound in the calling thread's namespace and connected to the kernel, which then
 * refuses what other processes send to it alone (net/netlink, netlink_getsockbyportid). @throws KernelError
 */
Fd OpenNetlink(bool nonblocking);

/** Only the kernel's port is 0. A process with CAP_NET_ADMIN could send to a group, connected or not. */
inline bool FromKernel(const sockaddr_nl& sender) { return sender.nl_pid == 0; }

/** What a failed receive without waiting says that is out of the ordinary: its errno, or 0. */
int UnexpectedError(int error);

/** Where the sequence numbers of a socket begin, so that nobody can tell the next one. */
uint32_t FirstSequence();

/** Joins or leaves a group. @throws KernelError */
void SetGroup(int fd, int group, bool member);

/** The port the kernel gave the socket, which its requests carry. */
uint32_t PortOf(int fd);

/** @throws KernelError */
void JoinGroups(int fd, std::initializer_list<int> groups);

/**
 * Lets only RTM_GETNEIGH pass, in the kernel: the group also carries an RTM_NEWNEIGH for every entry written,
 * and those echoes alone overflowed 64 MiB at 100,000 misses. @throws KernelError
 */
void PassOnlyMisses(int fd);

/** Lets only RTM_NEWNEIGH and RTM_DELNEIGH pass that do not carry `own_port`. @throws KernelError */
void PassOnlyChanges(int fd, uint32_t own_port);

/** Strict requests (dumps filtered by the kernel), extended acks, and a receive timeout. @throws KernelError
 */
void PrepareForRequests(int fd);

}  // namespace missd

#endif  // MISSD_SOCKET_H_
