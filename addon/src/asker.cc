#include "asker.h"

#include <algorithm>

namespace missd {

namespace {

constexpr size_t kSlots = 1 << 16;
/** A guest asks again after a second (ARP and neighbour discovery both): older than two is no longer the
 * cause. */
constexpr uint64_t kFreshMilliseconds = 2000;

size_t Hash(uint32_t vxlan, const Ip& target) {
  uint64_t high;
  uint64_t low;
  std::memcpy(&high, target.bytes.data(), 8);
  std::memcpy(&low, target.bytes.data() + 8, 8);
  uint64_t hash = (high ^ vxlan) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 32) ^ low) * 0x9e3779b97f4a7c15u;
  return hash >> 48;
}

bool Fresh(uint64_t at, uint64_t now) { return at != 0 && now - at <= kFreshMilliseconds; }

}  // namespace

static_assert(kSlots == 1 << 16, "Hash gives 16 bits");

AskerTable::AskerTable() : slots_(kSlots) {}

AskerTable::Slot* AskerTable::Find(uint32_t vxlan, const Ip& target) { return &slots_[Hash(vxlan, target)]; }

void AskerTable::Store(uint32_t vxlan, const Question& question, uint32_t port, uint64_t now) {
  Slot* slot = Find(vxlan, question.target);
  if (slot->vxlan != vxlan || !(slot->target == question.target)) {
    *slot = Slot{};
    slot->vxlan = vxlan;
    slot->target = question.target;
  }
  auto same = [&](const Entry& entry) {
    return entry.at != 0 && entry.asker.port == port && entry.asker.lladdr == question.lladdr;
  };
  auto older = [](const Entry& a, const Entry& b) { return a.at < b.at; };
  Entry* end = slot->entries + kAskers;
  Entry* entry = std::find_if(slot->entries, end, same);
  if (entry == end) entry = std::min_element(slot->entries, end, older);
  *entry = Entry{Asker{port, question.lladdr, question.ip}, now, false};
}

std::optional<Asker> AskerTable::Pair(uint32_t vxlan, const Ip& target, uint64_t now) {
  Slot* slot = Find(vxlan, target);
  if (slot->vxlan != vxlan || !(slot->target == target)) return std::nullopt;
  Entry* best = nullptr;
  for (Entry& entry : slot->entries) {
    if (!Fresh(entry.at, now)) continue;
    bool better = best == nullptr || (best->paired && !entry.paired) ||
                  (best->paired == entry.paired && entry.at > best->at);
    if (better) best = &entry;
  }
  if (best == nullptr) return std::nullopt;
  best->paired = true;
  return best->asker;
}

}  // namespace missd
