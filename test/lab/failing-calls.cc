/**
 * System calls of the addon that fail as MISSD_FAILS says, once it has said so: loaded before libc. The names are those of
 * the calls, and an exception of the standard library may come out of one as it may out of any allocation.
 */
#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

/** Whether a call is to fail now; if so only this time. */
bool Fails(const char* call) {
  const char* wanted = std::getenv("MISSD_FAILS");
  if (wanted == nullptr || std::strcmp(wanted, call) != 0) return false;
  unsetenv("MISSD_FAILS");
  return true;
}

template <typename Call>
Call* Next(const char* name) {
  return reinterpret_cast<Call*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int recvmmsg(int fd, mmsghdr* headers, unsigned count, int flags, timespec* timeout) {
  if ((flags & MSG_DONTWAIT) && Fails("bad_alloc")) throw std::bad_alloc();
  if ((flags & MSG_DONTWAIT) && Fails("recvmmsg")) {
    errno = EIO;
    return -1;
  }
  return Next<decltype(recvmmsg)>("recvmmsg")(fd, headers, count, flags, timeout);
}

ssize_t recvfrom(int fd, void* bytes, size_t size, int flags, sockaddr* from, socklen_t* from_size) {
  if ((flags & MSG_DONTWAIT) && Fails("recvfrom")) {
    errno = EIO;
    return -1;
  }
  return Next<decltype(recvfrom)>("recvfrom")(fd, bytes, size, flags, from, from_size);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  if (Fails("send")) {
    errno = ENOBUFS;
    return -1;
  }
  return Next<decltype(send)>("send")(fd, bytes, size, flags);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  if (Fails("epoll_ctl")) {
    errno = ENOSPC;
    return -1;
  }
  return Next<int(int, int, int, epoll_event*)>("epoll_ctl")(epoll, operation, fd, event);
}
}
