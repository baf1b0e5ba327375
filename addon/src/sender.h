/** Remembers the port that last sent to a MAC, because an L2 miss names only the destination. */
#ifndef MISSD_SENDER_H_
#define MISSD_SENDER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "decode.h"

namespace missd {

/** A hash table of fixed size, keyed by VXLAN device and destination. The latest frame has the slot.
 * Allocated at first use. */
class SenderTable {
 public:
  /** @param now milliseconds; Store and Find must use the same clock */
  void Store(uint32_t vxlan, const Mac& destination, const Mac& source, uint32_t port, uint64_t now);
  std::optional<Asker> Find(uint32_t vxlan, const Mac& destination, uint64_t now) const;
  void Clear() { slots_.clear(); }

 private:
  struct Slot {
    uint32_t vxlan = 0;
    uint32_t port = 0;
    Mac destination;
    Mac source;
    uint64_t at = 0;
  };

  std::vector<Slot> slots_;
};

}  // namespace missd

#endif  // MISSD_SENDER_H_
