/** Remembers who asked for what lately, so that a miss, which names only the target, can be paired with its
 * asker. */
#ifndef MISSD_ASKER_H_
#define MISSD_ASKER_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

#include "decode.h"
#include "frames.h"

namespace missd {

/**
 * A set-associative table by (VXLAN device, target) of fixed size: a guest that scans a whole subnet evicts
 * other questions, those already paired first, but cannot make the table grow. Each target keeps the last few
 * askers, since guests of one host often want the same server at the same moment, and every one of them waits
 * for its own answer.
 */
class AskerTable {
 public:
  AskerTable();

  /** Times are milliseconds of any one clock. */
  void Store(uint32_t vxlan, const Question& question, uint32_t port, uint64_t now);
  /** The newest asker not paired with a miss yet; none when all are paired or too long ago. */
  std::optional<Asker> Pair(uint32_t vxlan, const Ip& target, uint64_t now) {
    return Newest(vxlan, target, now, false);
  }
  /** The newest asker paired before: a miss without a question of its own is most likely its again. */
  std::optional<Asker> PairAgain(uint32_t vxlan, const Ip& target, uint64_t now) {
    return Newest(vxlan, target, now, true);
  }
  /** When anybody was last seen to ask for it, duplicate address detection included. */
  std::optional<uint64_t> LastAsked(uint32_t vxlan, const Ip& target);

 private:
  static constexpr size_t kAskers = 4;

  struct Entry {
    Asker asker;
    uint64_t at = 0;
    bool paired = false;
  };
  struct Slot {
    uint32_t vxlan = 0;
    Ip target;
    Entry entries[kAskers];
    /** Counts up with every question; the clock is too coarse to tell which slot is older. */
    uint64_t order = 0;

    bool Is(uint32_t device, const Ip& ip) const { return vxlan == device && target == ip; }
    bool Waits() const;
  };

  std::optional<Asker> Newest(uint32_t vxlan, const Ip& target, uint64_t now, bool paired);
  /** The slots a target may be in. */
  Slot* Set(uint32_t vxlan, const Ip& target);
  static Slot* Find(Slot* set, uint32_t vxlan, const Ip& target);
  /** The slot to give to a new target. */
  static Slot* Victim(Slot* set);

  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  /** 12 MiB of zeroes, which the kernel gives page by page as they are needed: all zeroes is an empty slot.
   */
  std::unique_ptr<Slot, Free> slots_;
  uint64_t order_ = 0;
};

}  // namespace missd

#endif  // MISSD_ASKER_H_
