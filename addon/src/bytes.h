/** Reading bytes that somebody else wrote: every read is bounded, nothing is assumed to be aligned. */
#ifndef MISSD_BYTES_H_
#define MISSD_BYTES_H_

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace missd {

/** A view. `data` is null where there is nothing, which is how an absent attribute looks. */
struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;

  explicit operator bool() const { return data != nullptr; }

  /** The rest from `offset` on; empty when there is none. */
  Bytes From(size_t offset) const { return offset < size ? Bytes{data + offset, size - offset} : Bytes{}; }

  template <typename T>
  bool Read(size_t offset, T* out) const {
    if (offset > size || size - offset < sizeof(T)) return false;
    std::memcpy(out, data + offset, sizeof(T));
    return true;
  }

  /** The value of a scalar attribute, or `fallback` where it is absent or too short. */
  template <typename T>
  T As(T fallback = {}) const {
    T value;
    return Read(0, &value) ? value : fallback;
  }
};

/** Walks the attributes of a message. False when a length does not fit: the message is not to be trusted. */
template <typename Visit>
bool ForEachAttribute(Bytes area, Visit visit) {
  // A signed rest, as in libmnl: the padding of the last attribute may lie past the end, and an unsigned one
  // wraps.
  int rest = static_cast<int>(area.size);
  const uint8_t* at = area.data;
  while (rest > 0) {
    nlattr header;
    if (rest < NLA_HDRLEN) return false;
    std::memcpy(&header, at, sizeof(header));
    if (header.nla_len < NLA_HDRLEN || header.nla_len > rest) return false;
    visit(static_cast<uint16_t>(header.nla_type & NLA_TYPE_MASK),
          Bytes{at + NLA_HDRLEN, static_cast<size_t>(header.nla_len - NLA_HDRLEN)});
    at += NLA_ALIGN(header.nla_len);
    rest -= static_cast<int>(NLA_ALIGN(header.nla_len));
  }
  return true;
}

/** Attributes by type; the last of a type wins, types past the table are newer than we are and skipped. */
template <size_t kCount>
class Attributes {
 public:
  bool Parse(Bytes area) {
    return ForEachAttribute(area, [this](uint16_t type, Bytes value) {
      if (type < kCount) values_[type] = value;
    });
  }
  const Bytes& operator[](size_t type) const { return values_[type]; }

 private:
  Bytes values_[kCount] = {};
};

/** A netlink message; `payload` excludes the header. */
struct Message {
  uint16_t type;
  uint16_t flags;
  uint32_t seq;
  Bytes payload;
};

/** Walks the messages of a datagram. False when one is cut short or a length does not fit. */
template <typename Visit>
bool ForEachMessage(Bytes datagram, Visit visit) {
  int rest = static_cast<int>(datagram.size);
  const uint8_t* at = datagram.data;
  while (rest > 0) {
    nlmsghdr header;
    if (rest < NLMSG_HDRLEN) return false;
    std::memcpy(&header, at, sizeof(header));
    if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > static_cast<uint32_t>(rest)) return false;
    visit(Message{header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq,
                  Bytes{at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN}});
    at += NLMSG_ALIGN(header.nlmsg_len);
    rest -= static_cast<int>(NLMSG_ALIGN(header.nlmsg_len));
  }
  return true;
}

}  // namespace missd

#endif  // MISSD_BYTES_H_
