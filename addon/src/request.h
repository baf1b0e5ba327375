/** Synchronous requests on the main thread: writes and gets of single rows, many per send. */
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
  /** @param fd a connected socket; @param sequence the sequence number before that of the first request */
  RequestSocket(Fd fd, uint32_t sequence);

  /** Writes in order, in as few sends as possible. After a refusal the other writes go on. */
  std::vector<Refusal> Write(const std::vector<EntryWrite>& writes);
  /** The same for routes. */
  std::vector<Refusal> WriteRoutes(const std::vector<RouteWrite>& writes);
  /** No value if the row or its device does not exist. @throws KernelError on any other refusal */
  std::vector<std::optional<Row>> Get(const std::vector<RowKey>& keys);
  /** No value if there is no such link. @throws KernelError */
  std::optional<Link> GetLink(uint32_t ifindex);
  /** The netlink port of the socket, which messages about its writes carry. */
  uint32_t port() const { return PortOf(fd_.get()); }
  /** @throws KernelError */
  void SetMulticastRouter(uint32_t port, uint8_t value);
  /** `app_solicit` of a device; no value if the device has no neighbours of that family. @throws KernelError
   */
  std::optional<uint32_t> GetAppSolicit(uint8_t family, uint32_t ifindex);
  /** No value if the kernel lacks the family. @throws KernelError */
  std::optional<NeighbourTable> GetNeighbourTable(uint8_t family);
  /** @throws KernelError */
  void SetAppSolicit(uint8_t family, uint32_t ifindex, uint32_t probes);

 private:
  template <typename T>
  std::vector<Refusal> WriteAll(const std::vector<T>& writes, void (*encode)(const T&, uint32_t, Writer*));
  /** Encodes and sends `count` writes from `offset` on, and receives the refusals. */
  void WriteSome(size_t offset, size_t count, const std::function<void(size_t index, uint32_t seq)>& encode,
                 std::vector<Refusal>* refusals);
  void GetSome(const RowKey* keys, size_t count, std::vector<std::optional<Row>>* rows);
  /** Sends the request in `out_` and visits every message of the dump. @throws KernelError */
  void Dump(const char* what, const std::function<void(const Message&)>& visit);
  /** Sends the request in `out_` and waits for its acknowledgement. @throws KernelError */
  void Do(const char* what);
  /** Sends the requests in `out_`. Returns 0 or an errno. */
  int Send();
  /**
   * Receives until `visit` returns false. Returns 0 or an errno (ETIMEDOUT: an answer is missing, EMSGSIZE:
   * an answer did not fit).
   * @param places number of datagrams in one receive; they share the buffer, so fewer may be longer
   */
  int Receive(size_t places, const std::function<bool(const Message&)>& visit);

  Fd fd_;
  Writer out_;
  uint32_t seq_;
  std::vector<uint8_t> in_;
};

}  // namespace missd

#endif  // MISSD_REQUEST_H_
