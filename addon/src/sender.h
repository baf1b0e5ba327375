/** Remembers which port sent to which MAC lately: an L2 miss names only the destination. */
#ifndef MISSD_SENDER_H_
#define MISSD_SENDER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "decode.h"

namespace missd {

/** By (VXLAN device, destination), one slot each, of fixed size: the latest frame has it. Empty until used.
 */
class SenderTable {
 public:
  /** Milliseconds of any one clock. */
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
