#include "request.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

namespace missd {

namespace {

/** With more messages the cost of a send per entry does not decrease further. */
constexpr size_t kWritesPerSend = 128;
/**
 * Each answer to an FDB get takes a page of the socket buffer (rtnl_fdb_get allocates NLMSG_DEFAULT_SIZE),
 * and an answer that does not fit is lost. 32 answers fit the default of net.core.rmem_max.
 */
constexpr size_t kGetsPerSend = 32;
constexpr int kReceiveBufferBytes = 1 << 20;

constexpr size_t kDatagrams = 32;
/** More than the message of any row. */
constexpr size_t kDatagramBytes = 16384;
/** One datagram of 512 KiB, for a link or a part of a dump: the alternative names of a link alone may take 64
 * KiB. */
constexpr size_t kOneLong = 1;

bool IsAbsent(int error) { return error == ENOENT || error == ENODEV || error == ENXIO; }

}  // namespace

RequestSocket::RequestSocket() : RequestSocket(OpenNetlink(false), FirstSequence()) {
  PrepareForRequests(fd_.get());
  SetReceiveBuffer(fd_.get(), kReceiveBufferBytes);
}

RequestSocket::RequestSocket(Fd fd, uint32_t sequence)
    : fd_(std::move(fd)), seq_(sequence), in_(kDatagrams * kDatagramBytes) {}

int RequestSocket::Send() {
  ssize_t sent;
  do {
    sent = send(fd_.get(), out_.bytes().data(), out_.bytes().size(), 0);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return 0;
  // ENOBUFS of a send means that there was no memory for the request (netlink_sendmsg). As the errno of a
  // write it would mean that the table is full.
  return errno == ENOBUFS ? ENOMEM : errno;
}

int RequestSocket::Receive(size_t places, const std::function<bool(const Message&)>& visit) {
  sockaddr_nl senders[kDatagrams];
  mmsghdr headers[kDatagrams];
  iovec vectors[kDatagrams];
  size_t place_bytes = in_.size() / places;
  for (bool more = true; more;) {
    for (size_t i = 0; i < places; i++) {
      senders[i] = {};
      vectors[i] = {&in_[i * place_bytes], place_bytes};
      headers[i] = {};
      headers[i].msg_hdr = {&senders[i], sizeof(senders[i]), &vectors[i], 1, nullptr, 0, 0};
    }
    int received = recvmmsg(fd_.get(), headers, static_cast<unsigned>(places), MSG_WAITFORONE, nullptr);
    if (received < 0) {
      if (errno == EINTR) continue;
      // ENOBUFS of a receive means that an answer was lost because the buffer was full. As the errno of a
      // write it would mean that the table is full.
      return errno == EAGAIN || errno == ENOBUFS ? ETIMEDOUT : errno;
    }
    for (size_t i = 0; i < static_cast<size_t>(received); i++) {
      if (!FromKernel(senders[i])) continue;
      // The truncated datagram may contain the expected answer. Later requests ignore the remaining answers,
      // which have older sequence numbers.
      if (headers[i].msg_hdr.msg_flags & MSG_TRUNC) return EMSGSIZE;
      Bytes datagram{&in_[i * place_bytes], headers[i].msg_len};
      ForEachMessage(datagram, [&](const Message& message) { more = more && visit(message); });
    }
  }
  return 0;
}

std::vector<Refusal> RequestSocket::Write(const std::vector<EntryWrite>& writes) {
  return WriteAll(writes, EncodeWrite);
}

std::vector<Refusal> RequestSocket::WriteRoutes(const std::vector<RouteWrite>& writes) {
  return WriteAll(writes, EncodeRouteWrite);
}

template <typename T>
std::vector<Refusal> RequestSocket::WriteAll(const std::vector<T>& writes,
                                             void (*encode)(const T&, uint32_t, Writer*)) {
  std::vector<Refusal> refusals;
  for (size_t at = 0; at < writes.size(); at += kWritesPerSend) {
    WriteSome(
        at, std::min(kWritesPerSend, writes.size() - at),
        [&](size_t index, uint32_t seq) { encode(writes[index], seq, &out_); }, &refusals);
  }
  return refusals;
}

void RequestSocket::WriteSome(size_t offset, size_t count,
                              const std::function<void(size_t, uint32_t)>& encode,
                              std::vector<Refusal>* refusals) {
  uint32_t first = seq_ + 1;
  out_.Clear();
  for (size_t i = 0; i < count; i++) encode(offset + i, ++seq_);
  out_.AcknowledgeLast();
  std::vector<bool> refused(count);
  int error = Send();
  if (error == 0) {
    error = Receive(kDatagrams, [&](const Message& message) {
      uint32_t index = message.seq - first;
      Answer answer;
      // A late answer to an earlier request, which timed out, has an older sequence number.
      if (message.type != NLMSG_ERROR || index >= count || !DecodeAnswer(message, &answer)) return true;
      if (answer.error != 0) {
        refused[index] = true;
        refusals->push_back({offset + index, answer.error, std::move(answer.extack)});
      }
      return index != count - 1;
    });
  }
  // Without the acknowledgement of the last write the state of the other writes is unknown, so all count as
  // refused.
  for (size_t i = 0; error != 0 && i < count; i++) {
    if (!refused[i]) refusals->push_back({offset + i, error, {}});
  }
}

std::vector<std::optional<Row>> RequestSocket::Get(const std::vector<RowKey>& keys) {
  std::vector<std::optional<Row>> rows;
  rows.reserve(keys.size());
  for (size_t at = 0; at < keys.size(); at += kGetsPerSend) {
    GetSome(&keys[at], std::min(kGetsPerSend, keys.size() - at), &rows);
  }
  return rows;
}

void RequestSocket::GetSome(const RowKey* keys, size_t count, std::vector<std::optional<Row>>* rows) {
  uint32_t first = seq_ + 1;
  size_t offset = rows->size();
  rows->resize(offset + count);
  out_.Clear();
  for (size_t i = 0; i < count; i++) EncodeGet(keys[i], ++seq_, &out_);
  size_t unanswered = count;
  Answer refusal;
  int error = Send();
  if (error == 0) {
    error = Receive(kDatagrams, [&](const Message& message) {
      uint32_t index = message.seq - first;
      if (index >= count) return true;
      Answer answer;
      Row row;
      if (message.type == RTM_NEWNEIGH && DecodeRow(message.payload, &row)) {
        (*rows)[offset + index] = row;
      } else if (message.type == NLMSG_ERROR && DecodeAnswer(message, &answer) && !IsAbsent(answer.error)) {
        refusal = std::move(answer);
      }
      return --unanswered > 0;
    });
  }
  if (error != 0) throw KernelError("get", error);
  if (refusal.error != 0) throw KernelError("get", refusal.error, refusal.extack);
}

std::optional<Link> RequestSocket::GetLink(uint32_t ifindex) {
  std::optional<Link> link;
  Answer answer;
  out_.Clear();
  EncodeGetLink(ifindex, ++seq_, &out_);
  int error = Send();
  if (error == 0) {
    error = Receive(kOneLong, [&](const Message& message) {
      if (message.seq != seq_) return true;
      if (message.type == NLMSG_ERROR) DecodeAnswer(message, &answer);
      if (message.type == RTM_NEWLINK && !DecodeLink(message.payload, &link.emplace())) link.reset();
      return false;
    });
  }
  if (error != 0) throw KernelError("get link", error);
  if (answer.error != 0 && !IsAbsent(answer.error))
    throw KernelError("get link", answer.error, answer.extack);
  return link;
}

void RequestSocket::Do(const char* what) {
  Answer answer;
  int error = Send();
  if (error == 0) {
    error = Receive(kDatagrams, [&](const Message& message) {
      return message.seq != seq_ || message.type != NLMSG_ERROR || !DecodeAnswer(message, &answer);
    });
  }
  if (error != 0) throw KernelError(what, error);
  if (answer.error != 0) throw KernelError(what, answer.error, answer.extack);
}

void RequestSocket::SetMulticastRouter(uint32_t port, uint8_t value) {
  out_.Clear();
  EncodeSetMulticastRouter(port, value, ++seq_, &out_);
  Do("set multicast router");
}

void RequestSocket::Dump(const char* what, const std::function<void(const Message&)>& visit) {
  Answer answer;
  int error = Send();
  if (error == 0) {
    error = Receive(kOneLong, [&](const Message& message) {
      if (message.seq != seq_) return true;
      if (message.type == NLMSG_ERROR) DecodeAnswer(message, &answer);
      visit(message);
      return message.type != NLMSG_DONE && message.type != NLMSG_ERROR;
    });
  }
  if (error != 0) throw KernelError(what, error);
  if (answer.error != 0) throw KernelError(what, answer.error, answer.extack);
}

std::optional<uint32_t> RequestSocket::GetAppSolicit(uint8_t family, uint32_t ifindex) {
  std::optional<uint32_t> probes;
  out_.Clear();
  EncodeDumpSoliciting(family, ++seq_, &out_);
  Dump("get app_solicit", [&](const Message& message) {
    Soliciting soliciting;
    if (message.type == RTM_NEWNEIGHTBL && DecodeSoliciting(message.payload, &soliciting) &&
        soliciting.family == family && soliciting.ifindex == ifindex) {
      probes = soliciting.app_probes;
    }
  });
  return probes;
}

std::optional<NeighbourTable> RequestSocket::GetNeighbourTable(uint8_t family) {
  std::optional<NeighbourTable> found;
  out_.Clear();
  EncodeDumpSoliciting(family, ++seq_, &out_);
  Dump("get neighbour table", [&](const Message& message) {
    NeighbourTable table;
    if (message.type == RTM_NEWNEIGHTBL && DecodeNeighbourTable(message.payload, &table) &&
        table.family == family) {
      found = table;
    }
  });
  return found;
}

void RequestSocket::SetAppSolicit(uint8_t family, uint32_t ifindex, uint32_t probes) {
  out_.Clear();
  EncodeSetAppSolicit(family, ifindex, probes, ++seq_, &out_);
  Do("set app_solicit");
}

}  // namespace missd
