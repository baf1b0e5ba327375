#include "sender.h"

#include <cstring>

namespace missd {

namespace {

/** A second of 60,000 frames. */
constexpr size_t kSlots = 1 << 16;
/** A backlog of misses may be read this much later than the frames. A later frame to the same MAC replaces
 * the sender. */
constexpr uint64_t kFreshMilliseconds = 10000;

size_t SlotOf(uint32_t vxlan, const Mac& destination) {
  uint64_t hash = vxlan;
  std::memcpy(reinterpret_cast<uint8_t*>(&hash) + 2, destination.bytes.data(), 6);
  hash = (hash ^ vxlan) * 0x9e3779b97f4a7c15u;
  return (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15u >> 48;
}

}  // namespace

static_assert(kSlots == 1 << 16, "SlotOf gives 16 bits");

void SenderTable::Store(uint32_t vxlan, const Mac& destination, const Mac& source, uint32_t port,
                        uint64_t now) {
  if (slots_.empty()) slots_.resize(kSlots);
  slots_[SlotOf(vxlan, destination)] = {vxlan, port, destination, source, now};
}

std::optional<Asker> SenderTable::Find(uint32_t vxlan, const Mac& destination, uint64_t now) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[SlotOf(vxlan, destination)];
  bool same = slot.vxlan == vxlan && slot.destination == destination;
  if (!same || slot.port == 0 || now - slot.at > kFreshMilliseconds) return std::nullopt;
  Asker asker{slot.port, slot.source, {}};
  // The IP address of the sender is unknown and not used.
  asker.ip.size = 4;
  return asker;
}

}  // namespace missd
