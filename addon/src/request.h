/** Requests that are answered at once: writes and single-row gets, many per send. Main thread, synchronous.
 */
#ifndef MISSD_REQUEST_H_
#define MISSD_REQUEST_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "decode.h"
#include "encode.h"
#include "socket.h"

namespace missd {

struct Refusal {
  size_t index;
  int error;
  std::string extack;
};

class RequestSocket {
 public:
  /** Opens in the calling thread's namespace. @throws KernelError */
  RequestSocket();
  /** @param fd connected to who answers; @param sequence the one before the first request's */
  RequestSocket(Fd fd, uint32_t sequence);

  /** In order, in as few sends as possible; a refusal stops nothing. */
  std::vector<Refusal> Write(const std::vector<EntryWrite>& writes);
  /** The same for routes. */
  std::vector<Refusal> WriteRoutes(const std::vector<RouteWrite>& writes);
  /** None where the row or its device is not there. @throws KernelError on any other refusal */
  std::vector<std::optional<Row>> Get(const std::vector<RowKey>& keys);
  /** None where there is no such link. @throws KernelError */
  std::optional<Link> GetLink(uint32_t ifindex);
  /** Netlink port, which what it writes carries. */
  uint32_t port() const { return PortOf(fd_.get()); }
  /** @throws KernelError */
  void SetMulticastRouter(uint32_t port, uint8_t value);
  /** `app_solicit` of a device; none where it has no neighbours of that family. @throws KernelError */
  std::optional<uint32_t> GetAppSolicit(uint8_t family, uint32_t ifindex);
  /** None where the kernel has no such family. @throws KernelError */
  std::optional<NeighbourTable> GetNeighbourTable(uint8_t family);
  /** @throws KernelError */
  void SetAppSolicit(uint8_t family, uint32_t ifindex, uint32_t probes);

 private:
  template <typename T>
  std::vector<Refusal> WriteAll(const std::vector<T>& writes, void (*encode)(const T&, uint32_t, Writer*));
  /** Sends what `encode` makes of the writes from `offset` on. */
  void WriteSome(size_t offset, size_t count, const std::function<void(size_t index, uint32_t seq)>& encode,
                 std::vector<Refusal>* refusals);
  void GetSome(const RowKey* keys, size_t count, std::vector<std::optional<Row>>* rows);
  /** Every message of the dump that answers what `out_` holds. @throws KernelError */
  void Dump(const char* what, const std::function<void(const Message&)>& visit);
  /** Sends what `out_` holds and waits for its acknowledgement. @throws KernelError */
  void Do(const char* what);
  /** Sends what `out_` holds. Returns 0 or an errno. */
  int Send();
  /**
   * Receives until `visit` returns false. Returns 0, or the errno that ended it (ETIMEDOUT: an answer is
   * missing, EMSGSIZE: one was longer than its place).
   * @param places answers that may come at once; the fewer, the longer each may be
   */
  int Receive(size_t places, const std::function<bool(const Message&)>& visit);

  Fd fd_;
  Writer out_;
  uint32_t seq_;
  std::vector<uint8_t> in_;
};

}  // namespace missd

#endif  // MISSD_REQUEST_H_
