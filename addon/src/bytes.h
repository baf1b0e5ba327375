/** Reads untrusted bytes: every read is bounded, and no alignment is assumed. */
#ifndef MISSD_BYTES_H_
#define MISSD_BYTES_H_

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace missd {

/** A view of bytes. `data` is null for an absent attribute. */
struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;

  explicit operator bool() const { return data != nullptr; }

  /** The bytes from `offset` on; empty at or past the end. */
  Bytes From(size_t offset) const { return offset < size ? Bytes{data + offset, size - offset} : Bytes{}; }

  template <typename T>
  bool Read(size_t offset, T* out) const {
    if (offset > size || size - offset < sizeof(T)) return false;
    std::memcpy(out, data + offset, sizeof(T));
    return true;
  }

  /** The value of a scalar attribute; `fallback` if the attribute is absent or too short. */
  template <typename T>
  T As(T fallback = {}) const {
    T value;
    return Read(0, &value) ? value : fallback;
  }
};

/** Visits the attributes of a message. False if a length does not fit: the message is malformed. */
template <typename Visit>
bool ForEachAttribute(Bytes area, Visit visit) {
  // `rest` is signed, as in libmnl: the padding of the last attribute may lie past the end, and an unsigned
  // value would wrap.
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

/** Attributes by type. The last attribute of a type counts; unknown types of newer kernels are skipped. */
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

/** Visits the messages of a datagram. False if a message is truncated or a length does not fit. */
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
