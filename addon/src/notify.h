/** Sends a datagram to the unix socket of a service manager (sd_notify(3)), which Node cannot do. */
#ifndef MISSD_NOTIFY_H_
#define MISSD_NOTIFY_H_

#include <string>

namespace missd {

/**
 * Never blocks, also if the service manager does not read.
 * @param path of the socket, or '@' and its name in the abstract namespace
 * @throws KernelError
 */
void Notify(const std::string& path, const std::string& text);

}  // namespace missd

#endif  // MISSD_NOTIFY_H_
