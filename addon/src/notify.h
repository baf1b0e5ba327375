/** One datagram to a unix socket, which Node cannot send: how a service manager is told (sd_notify(3)). */
#ifndef MISSD_NOTIFY_H_
#define MISSD_NOTIFY_H_

#include <string>

namespace missd {

/**
 * Never waits: a service manager that does not read costs this process nothing.
 * @param path of the socket, or '@' and its name in the abstract namespace
 * @throws KernelError
 */
void Notify(const std::string& path, const std::string& text);

}  // namespace missd

#endif  // MISSD_NOTIFY_H_
