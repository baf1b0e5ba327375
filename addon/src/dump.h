/** Dumps of whole tables, on a worker thread with a socket of its own. */
#ifndef MISSD_DUMP_H_
#define MISSD_DUMP_H_

#include <atomic>
#include <vector>

#include "decode.h"
#include "netns.h"

namespace missd {

enum class DumpTable { kLinks, kAddresses, kNeighbours, kFdb, kBridgeFdb, kRoutes };

struct DumpRequest {
  DumpTable table;
  /** ifindex of the device or bridge; for addresses the netns id, negative for none. */
  int32_t key;
  /** Only for routes. */
  uint8_t protocol = 0;
};

/** One of the four is filled. */
struct DumpResult {
  std::vector<Link> links;
  std::vector<InterfaceAddress> addresses;
  std::vector<Row> rows;
  std::vector<Route> routes;
};

/**
 * Repeats a dump that the kernel reports as interrupted (NLM_F_DUMP_INTR: the table changed meanwhile).
 * @throws KernelError; ECANCELED after `cancelled`, EINTR if the table changed during every attempt
 */
DumpResult Dump(const Netns& netns, const DumpRequest& request, const std::atomic<bool>& cancelled);

/** Processor time of all dumps since the start, seconds. Nearly all of it is spent in the kernel. */
double DumpSeconds();

}  // namespace missd

#endif  // MISSD_DUMP_H_
