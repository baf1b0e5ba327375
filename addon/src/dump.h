/** Whole tables. Runs on a worker thread with a socket of its own. */
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
  /** ifindex of the device or bridge; the netns id for addresses, negative for none. */
  int32_t key;
  /** Of routes. */
  uint8_t protocol = 0;
};

/** One of them is filled. */
struct DumpResult {
  std::vector<Link> links;
  std::vector<InterfaceAddress> addresses;
  std::vector<Row> rows;
  std::vector<Route> routes;
};

/**
 * Repeats a dump the kernel reports as interrupted (NLM_F_DUMP_INTR: the table changed under it).
 * @throws KernelError; ECANCELED once `cancelled`, EINTR when the table never holds still
 */
DumpResult Dump(const Netns& netns, const DumpRequest& request, const std::atomic<bool>& cancelled);

/** Processor time that dumps have taken since the start, all namespaces together: nearly all is the kernel's.
 */
double DumpSeconds();

}  // namespace missd

#endif  // MISSD_DUMP_H_
