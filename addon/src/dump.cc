#include "dump.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>
#include <functional>

#include "encode.h"
#include "error.h"
#include "socket.h"

namespace missd {

namespace {

/** A table that changes under each of this many dumps is changing faster than anybody can follow. */
constexpr int kAttempts = 16;
/** The kernel fills dump parts of up to 32 KiB when the reader's buffer is that large (netlink_dump). */
constexpr size_t kPartBytes = 65536;
constexpr int kReceiveBufferBytes = 1 << 20;

std::atomic<uint64_t> dump_nanoseconds{0};

/** Adds up the processor time that this thread takes while it lives. */
class Metered {
 public:
  Metered() = default;
  Metered(const Metered&) = delete;
  Metered& operator=(const Metered&) = delete;
  ~Metered() { dump_nanoseconds += Taken() - began_; }

 private:
  static uint64_t Taken() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
  }

  uint64_t began_ = Taken();
};

/** One multipart conversation on one socket. */
class Dumper {
 public:
  explicit Dumper(const std::atomic<bool>& cancelled)
      : fd_(OpenNetlink(false)), in_(kPartBytes), cancelled_(cancelled) {
    PrepareForRequests(fd_.get());
    SetReceiveBuffer(fd_.get(), kReceiveBufferBytes);
  }

  /** Sends what `encode` writes and visits every part. False when the kernel says it was interrupted. */
  bool Run(const std::function<void(uint32_t, Writer*)>& encode,
           const std::function<void(const Message&)>& visit) {
    Writer out;
    encode(++seq_, &out);
    if (send(fd_.get(), out.bytes().data(), out.bytes().size(), 0) < 0) throw KernelError("dump", errno);
    bool interrupted = false;
    bool done = false;
    Answer answer;
    while (!done) {
      if (cancelled_) throw KernelError("dump", ECANCELED);
      ssize_t size = recv(fd_.get(), in_.data(), in_.size(), MSG_TRUNC);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) throw KernelError("dump", errno == EAGAIN ? ETIMEDOUT : errno);
      if (static_cast<size_t>(size) > in_.size()) throw KernelError("dump", EMSGSIZE);
      ForEachMessage(Bytes{in_.data(), static_cast<size_t>(size)}, [&](const Message& message) {
        if (message.seq != seq_) return;
        interrupted = interrupted || (message.flags & NLM_F_DUMP_INTR);
        // NLMSG_DONE carries the error of a dump that failed half-way, in an error message's place.
        if (message.type == NLMSG_DONE) answer.error = ErrnoFrom(message.payload.As<int32_t>());
        if (message.type == NLMSG_ERROR) DecodeAnswer(message, &answer);
        done = done || message.type == NLMSG_DONE || message.type == NLMSG_ERROR;
        if (!done) visit(message);
      });
    }
    if (answer.error != 0) throw KernelError("dump", answer.error, answer.extack);
    return !interrupted;
  }

 private:
  Fd fd_;
  std::vector<uint8_t> in_;
  const std::atomic<bool>& cancelled_;
  uint32_t seq_ = 0;
};

bool DumpLinks(Dumper* dumper, uint32_t master, std::vector<Link>* links) {
  return dumper->Run([&](uint32_t seq, Writer* out) { EncodeDumpLinks(master, seq, out); },
                     [&](const Message& message) {
                       Link link;
                       if (DecodeLink(message.payload, &link)) links->push_back(std::move(link));
                     });
}

bool DumpAddresses(Dumper* dumper, int32_t netnsid, std::vector<InterfaceAddress>* addresses) {
  return dumper->Run([&](uint32_t seq, Writer* out) { EncodeDumpAddresses(netnsid, seq, out); },
                     [&](const Message& message) {
                       InterfaceAddress address;
                       if (DecodeAddress(message.payload, &address)) addresses->push_back(address);
                     });
}

/** Rows of a device: its neighbours, its own FDB entries, or those of bridge `master` behind it. */
bool DumpRows(Dumper* dumper, bool fdb, uint32_t ifindex, uint32_t master, std::vector<Row>* rows) {
  auto encode = [&](uint32_t seq, Writer* out) {
    if (fdb) {
      EncodeDumpFdb(ifindex, seq, out);
    } else {
      EncodeDumpNeighbours(ifindex, seq, out);
    }
  };
  return dumper->Run(encode, [&](const Message& message) {
    Row row;
    // A bridge's entries name it in NDA_MASTER; a device's own say NTF_SELF, and so does nothing of a
    // bridge's that matters here.
    if (!DecodeRow(message.payload, &row) || (fdb && row.master != master)) return;
    if (row.ifindex == ifindex) rows->push_back(std::move(row));
  });
}

/**
 * Port by port, because the dump of a bridge (NDA_MASTER) would walk the own FDB of its VXLAN ports as
 * well: 2.8 s at 200,000 entries. For the same reason the bridge's entries behind a VXLAN port are left out.
 */
bool DumpBridge(Dumper* dumper, uint32_t bridge, std::vector<Row>* rows) {
  std::vector<Link> ports;
  bool whole = DumpLinks(dumper, bridge, &ports);
  for (const Link& port : ports) {
    if (port.kind != "vxlan") whole = DumpRows(dumper, true, port.ifindex, bridge, rows) && whole;
  }
  return DumpRows(dumper, true, bridge, bridge, rows) && whole;
}

/** One dump per family: asked for both at once, the kernel lists other families' as well. */
bool DumpRoutes(Dumper* dumper, uint32_t ifindex, uint8_t protocol, std::vector<Route>* routes) {
  bool whole = true;
  for (uint8_t family : {AF_INET, AF_INET6}) {
    whole =
        dumper->Run([&](uint32_t seq, Writer* out) { EncodeDumpRoutes(family, ifindex, protocol, seq, out); },
                    [&](const Message& message) {
                      Route route;
                      if (!DecodeRoute(message.payload, &route)) return;
                      if (route.ifindex == ifindex && route.protocol == protocol) routes->push_back(route);
                    }) &&
        whole;
  }
  return whole;
}

bool DumpOnce(Dumper* dumper, const DumpRequest& request, DumpResult* result) {
  uint32_t ifindex = static_cast<uint32_t>(request.key);
  switch (request.table) {
    case DumpTable::kLinks:
      return DumpLinks(dumper, 0, &result->links);
    case DumpTable::kAddresses:
      return DumpAddresses(dumper, request.key, &result->addresses);
    case DumpTable::kNeighbours:
      return DumpRows(dumper, false, ifindex, 0, &result->rows);
    case DumpTable::kFdb:
      return DumpRows(dumper, true, ifindex, 0, &result->rows);
    case DumpTable::kBridgeFdb:
      return DumpBridge(dumper, ifindex, &result->rows);
    case DumpTable::kRoutes:
      return DumpRoutes(dumper, ifindex, request.protocol, &result->routes);
  }
  return true;
}

}  // namespace

double DumpSeconds() { return static_cast<double>(dump_nanoseconds) / 1e9; }

DumpResult Dump(const Netns& netns, const DumpRequest& request, const std::atomic<bool>& cancelled) {
  Metered metered;
  std::optional<Dumper> dumper;
  netns.Run([&] { dumper.emplace(cancelled); });
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    DumpResult result;
    if (DumpOnce(&*dumper, request, &result)) return result;
  }
  throw KernelError("dump", EINTR, "the table changed under every attempt");
}

}  // namespace missd
