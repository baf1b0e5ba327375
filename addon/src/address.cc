#include "address.h"

#include <arpa/inet.h>

namespace missd {

namespace {

constexpr char kHex[] = "0123456789abcdef";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/** inet_ntop formats IPv4 with printf, which takes ten times as long. */
std::string Dotted(const uint8_t* bytes) {
  std::string text;
  for (size_t i = 0; i < 4; i++) {
    if (i != 0) text += '.';
    uint8_t byte = bytes[i];
    if (byte >= 100) text += static_cast<char>('0' + byte / 100);
    if (byte >= 10) text += static_cast<char>('0' + byte / 10 % 10);
    text += static_cast<char>('0' + byte % 10);
  }
  return text;
}

}  // namespace

bool Ip::IsUnspecified() const { return bytes == std::array<uint8_t, 16>{}; }

uint8_t Ip::Family() const { return size == 4 ? AF_INET : AF_INET6; }

bool Mac::IsUnicast() const { return (bytes[0] & 1) == 0 && bytes != std::array<uint8_t, 6>{}; }

Ip IpFrom(Bytes bytes) {
  Ip ip;
  if (bytes.size != 4 && bytes.size != 16) return ip;
  ip.size = static_cast<uint8_t>(bytes.size);
  std::memcpy(ip.bytes.data(), bytes.data, bytes.size);
  return ip;
}

bool MacFrom(Bytes bytes, Mac* mac) {
  if (bytes.size != mac->bytes.size()) return false;
  std::memcpy(mac->bytes.data(), bytes.data, bytes.size);
  return true;
}

std::string ToString(const Ip& ip) {
  if (ip.size == 4) return Dotted(ip.bytes.data());
  char text[INET6_ADDRSTRLEN];
  // inet_ntop of glibc and of musl writes the form of RFC 5952.
  if (inet_ntop(ip.Family(), ip.bytes.data(), text, sizeof(text)) == nullptr) return {};
  return text;
}

std::string LinkAddressToString(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size * 3);
  for (size_t i = 0; i < bytes.size; i++) {
    if (i != 0) text += ':';
    text += kHex[bytes.data[i] >> 4];
    text += kHex[bytes.data[i] & 15];
  }
  return text;
}

std::string ToString(const Mac& mac) {
  return LinkAddressToString(Bytes{mac.bytes.data(), mac.bytes.size()});
}

bool Parse(std::string_view text, Ip* ip) {
  *ip = Ip{};
  bool v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, text.data(), ip->bytes.data()) != 1) return false;
  ip->size = v6 ? 16 : 4;
  return true;
}

bool Parse(std::string_view text, Mac* mac) {
  if (text.size() != 17) return false;
  for (size_t i = 0; i < 6; i++) {
    int high = HexDigit(text[i * 3]);
    int low = HexDigit(text[i * 3 + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':')) return false;
    mac->bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace missd
