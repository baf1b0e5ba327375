#include "asker.h"

#include <algorithm>

namespace missd {

namespace {

constexpr size_t kPages = 256;
constexpr size_t kSlotsPerPage = 256;
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

static_assert(kPages * kSlotsPerPage == 1 << 16, "Hash gives 16 bits");

AskerTable::AskerTable() : pages_(kPages) {}

AskerTable::Slot* AskerTable::Find(uint32_t vxlan, const Ip& target, bool make) {
  size_t hash = Hash(vxlan, target);
  std::unique_ptr<Slot[]>& page = pages_[hash / kSlotsPerPage];
  if (!page && make) page = std::make_unique<Slot[]>(kSlotsPerPage);
  return page ? &page[hash % kSlotsPerPage] : nullptr;
}

void AskerTable::Store(uint32_t vxlan, const Question& question, uint32_t port, uint64_t now) {
  Slot* slot = Find(vxlan, question.target, true);
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

std::optional<Asker> AskerTable::Newest(uint32_t vxlan, const Ip& target, uint64_t now, bool paired) {
  Slot* slot = Find(vxlan, target, false);
  if (slot == nullptr || slot->vxlan != vxlan || !(slot->target == target)) return std::nullopt;
  Entry* newest = nullptr;
  for (Entry& entry : slot->entries) {
    if (entry.paired != paired || !Fresh(entry.at, now)) continue;
    if (newest == nullptr || entry.at > newest->at) newest = &entry;
  }
  if (newest == nullptr) return std::nullopt;
  newest->paired = true;
  return newest->asker;
}

}  // namespace missd
