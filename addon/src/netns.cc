#include "netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>

#include "error.h"

namespace missd {

Netns::Netns(const std::optional<std::string>& path) {
  if (!path) return;
  fd_ = Fd(open(path->c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) throw KernelError("open network namespace " + *path, errno);
  // setns fails here for an ordinary file (EINVAL) and without CAP_SYS_ADMIN (EPERM).
  Run([] {});
}

void Netns::Run(const std::function<void()>& body) const {
  if (!fd_) {
    body();
    return;
  }
  std::exception_ptr failure;
  auto inside = [&] {
    try {
      if (setns(fd_.get(), CLONE_NEWNET) != 0) throw KernelError("enter network namespace", errno);
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  };
  try {
    std::thread(inside).join();
  } catch (const std::system_error& error) {
    throw KernelError("start thread", error.code().value());
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace missd
