/** Encodes rtnetlink requests. Pure functions, the counterpart of decode.h. */
#ifndef MISSD_ENCODE_H_
#define MISSD_ENCODE_H_

#include <cstdint>
#include <vector>

#include "address.h"

namespace missd {

/** Appends netlink messages to one buffer, so that one send transmits many. */
class Writer {
 public:
  /** Begins a message; `header` is the header of its type (ndmsg, ifinfomsg, …). */
  void Begin(uint16_t type, uint16_t flags, uint32_t seq, const void* header, size_t size);
  void Put(uint16_t type, const void* value, size_t size);
  template <typename T>
  void Put(uint16_t type, const T& value) {
    Put(type, &value, sizeof(value));
  }
  size_t BeginNest(uint16_t type);
  void EndNest(size_t nest);
  void End();

  /** Sets NLM_F_ACK on the last message. */
  void AcknowledgeLast();
  void Clear() { bytes_.clear(); }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  void Pad();

  std::vector<uint8_t> bytes_;
  size_t begun_ = 0;
};

enum class WriteOperation { kCreate, kReplace, kAppend, kDelete, kProbe };

/** A write to a neighbour table, or with `fdb` to a forwarding database. */
struct EntryWrite {
  bool fdb = false;
  WriteOperation operation = WriteOperation::kCreate;
  uint32_t ifindex = 0;
  uint16_t state = 0;
  uint8_t flags = 0;
  /** The neighbour's address; the VTEP of an FDB entry, or none. */
  Ip ip;
  Mac lladdr;
  uint8_t protocol = 0;
  /** ifindex of the interface that the VTEP is reached by; 0 if routes decide. */
  uint32_t via = 0;
  /** The remote of an FDB entry has port 0, which stands for the port of the device. */
  bool portless = false;
};

/** A route through a gateway on the device itself, without a route to the gateway (`onlink`). */
struct RouteWrite {
  WriteOperation operation = WriteOperation::kCreate;
  uint32_t ifindex = 0;
  Ip destination;
  uint8_t length = 0;
  Ip gateway;
  uint8_t protocol = 0;
};

enum class Table { kNeighbour, kFdb, kBridgeFdb };

/** Names one row: a neighbour by address, an FDB entry by MAC; `ifindex` is the bridge for kBridgeFdb. */
struct RowKey {
  Table table = Table::kNeighbour;
  uint32_t ifindex = 0;
  Ip ip;
  Mac lladdr;
};

void EncodeWrite(const EntryWrite& write, uint32_t seq, Writer* out);
void EncodeRouteWrite(const RouteWrite& write, uint32_t seq, Writer* out);
void EncodeGet(const RowKey& key, uint32_t seq, Writer* out);
void EncodeGetLink(uint32_t ifindex, uint32_t seq, Writer* out);
void EncodeSetMulticastRouter(uint32_t port, uint8_t value, uint32_t seq, Writer* out);
/** `app_solicit` of one device's neighbours of one family. */
void EncodeSetAppSolicit(uint8_t family, uint32_t ifindex, uint32_t probes, uint32_t seq, Writer* out);

/** Dumps. Each needs NETLINK_GET_STRICT_CHK; otherwise the kernel ignores the filter. */
void EncodeDumpLinks(uint32_t master, uint32_t seq, Writer* out);
void EncodeDumpAddresses(int32_t netnsid, uint32_t seq, Writer* out);
/** The neighbour table of one family, and `app_solicit` of every device. */
void EncodeDumpSoliciting(uint8_t family, uint32_t seq, Writer* out);
void EncodeDumpNeighbours(uint32_t ifindex, uint32_t seq, Writer* out);
/** The FDB entries of one device, and for a bridge port also the bridge's entries on it. */
void EncodeDumpFdb(uint32_t ifindex, uint32_t seq, Writer* out);
/** Routes of the main table through one device, with this protocol. */
void EncodeDumpRoutes(uint8_t family, uint32_t ifindex, uint8_t protocol, uint32_t seq, Writer* out);

}  // namespace missd

#endif  // MISSD_ENCODE_H_
