/** The error of a failed system call or a refused request. The binding turns it into a JavaScript error. */
#ifndef MISSD_ERROR_H_
#define MISSD_ERROR_H_

#include <stdexcept>
#include <string>

namespace missd {

class KernelError : public std::runtime_error {
 public:
  KernelError(const std::string& operation, int number, const std::string& words = {})
      : std::runtime_error(operation), error(number), extack(words) {}

  /** Positive errno. */
  int error;
  /** The kernel's text; empty if there is none. */
  std::string extack;
};

}  // namespace missd

#endif  // MISSD_ERROR_H_
