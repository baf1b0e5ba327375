/** IP and link-layer addresses, and their canonical text, which the TypeScript side compares with `===`. */
#ifndef MISSD_ADDRESS_H_
#define MISSD_ADDRESS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "bytes.h"

namespace missd {

struct Ip {
  /** 4, 16, or 0 for no address. */
  uint8_t size = 0;
  std::array<uint8_t, 16> bytes{};

  explicit operator bool() const { return size != 0; }
  bool IsUnspecified() const;
  /** AF_INET or AF_INET6. */
  uint8_t Family() const;
  bool operator==(const Ip& other) const { return size == other.size && bytes == other.bytes; }
};

struct Mac {
  std::array<uint8_t, 6> bytes{};

  bool IsUnicast() const;
  bool operator==(const Mac& other) const { return bytes == other.bytes; }
};

/** Copies 4 or 16 bytes; no address for any other length. */
Ip IpFrom(Bytes bytes);
/** False unless there are exactly six bytes. */
bool MacFrom(Bytes bytes, Mac* mac);

/** Dotted decimal, or the form of RFC 5952. */
std::string ToString(const Ip& ip);
/** Lower case with colons. */
std::string ToString(const Mac& mac);
/** A link-layer address of any length (tunnels have 4 or 16 bytes, tun none). */
std::string LinkAddressToString(Bytes bytes);

/** `text` has to be followed by a zero byte. */
bool Parse(std::string_view text, Ip* ip);
bool Parse(std::string_view text, Mac* mac);

}  // namespace missd

#endif  // MISSD_ADDRESS_H_
