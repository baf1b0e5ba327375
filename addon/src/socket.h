/** Opens netlink sockets; functions that all sockets of the addon use. */
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
  /** The granted size; smaller than requested if net.core.rmem_max limits it. */
  int bytes = 0;
  /** Whether SO_RCVBUFFORCE was permitted, which ignores net.core.rmem_max. */
  bool forced = false;
};

/** Sets the size with SO_RCVBUFFORCE; if that is refused (in a user namespace), with SO_RCVBUF, which
 * rmem_max limits. */
ReceiveBuffer SetReceiveBuffer(int fd, int bytes);

/**
 * A NETLINK_ROUTE socket, bound in the calling thread's namespace and connected to the kernel, so that
 * unicasts of other processes to it are refused (net/netlink, netlink_getsockbyportid). @throws KernelError
 */
Fd OpenNetlink(bool nonblocking);

/** Only the kernel has port 0. A process with CAP_NET_ADMIN can send to a group, and a connected socket
 * receives it. */
inline bool FromKernel(const sockaddr_nl& sender) { return sender.nl_pid == 0; }

/** The errno of a failed non-blocking receive; 0 for EAGAIN and EINTR. */
int UnexpectedError(int error);

/** A random first sequence number, so that other processes cannot guess the next one. */
uint32_t FirstSequence();

/** Joins or leaves a group. @throws KernelError */
void SetGroup(int fd, int group, bool member);

/** The netlink port of the socket, which its requests carry. */
uint32_t PortOf(int fd);

/** @throws KernelError */
void JoinGroups(int fd, std::initializer_list<int> groups);

/**
 * Attaches a filter that passes only RTM_GETNEIGH. The group also carries an RTM_NEWNEIGH for every written
 * entry, and these alone overflowed 64 MiB at 100,000 misses. @throws KernelError
 */
void PassOnlyMisses(int fd);

/** Attaches a filter that passes RTM_NEWNEIGH and RTM_DELNEIGH without those that carry `own_port`. @throws
 * KernelError */
void PassOnlyChanges(int fd, uint32_t own_port);

/** Sets strict requests (the kernel filters dumps), extended acks, and a receive timeout. @throws KernelError
 */
void PrepareForRequests(int fd);

}  // namespace missd

#endif  // MISSD_SOCKET_H_
