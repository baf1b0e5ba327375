#include "asker.h"

#include <algorithm>
#include <new>
#include <type_traits>

namespace missd {

namespace {

constexpr size_t kSets = 1 << 14;
/** With one, two questions of a storm collided often enough to leave 1 miss in 300 unpaired, at 75,000 a
 * second. */
constexpr size_t kWays = 4;
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
  return hash >> 50;
}

bool Fresh(uint64_t at, uint64_t now) { return at != 0 && now - at <= kFreshMilliseconds; }

}  // namespace

static_assert(kSets == 1 << 14, "Hash gives 14 bits");

AskerTable::AskerTable() : slots_(static_cast<Slot*>(std::calloc(kSets * kWays, sizeof(Slot)))) {
  static_assert(std::is_trivially_copyable_v<Slot> && std::is_trivially_destructible_v<Slot>);
  if (!slots_) throw std::bad_alloc();
}

bool AskerTable::Slot::Waits() const {
  return std::any_of(entries, entries + kAskers,
                     [](const Entry& entry) { return entry.at != 0 && !entry.paired; });
}

AskerTable::Slot* AskerTable::Set(uint32_t vxlan, const Ip& target) {
  return &slots_.get()[Hash(vxlan, target) * kWays];
}

AskerTable::Slot* AskerTable::Find(Slot* set, uint32_t vxlan, const Ip& target) {
  Slot* found = std::find_if(set, set + kWays, [&](const Slot& slot) { return slot.Is(vxlan, target); });
  return found == set + kWays ? nullptr : found;
}

AskerTable::Slot* AskerTable::Victim(Slot* set) {
  return std::min_element(set, set + kWays, [](const Slot& a, const Slot& b) {
    bool a_waits = a.Waits();
    bool b_waits = b.Waits();
    return a_waits != b_waits ? b_waits : a.order < b.order;
  });
}

void AskerTable::Store(uint32_t vxlan, const Question& question, uint32_t port, uint64_t now) {
  Slot* set = Set(vxlan, question.target);
  Slot* slot = Find(set, vxlan, question.target);
  if (slot == nullptr) {
    slot = Victim(set);
    *slot = Slot{};
    slot->vxlan = vxlan;
    slot->target = question.target;
  }
  slot->order = ++order_;
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
  Slot* slot = Find(Set(vxlan, target), vxlan, target);
  if (slot == nullptr) return std::nullopt;
  Entry* newest = nullptr;
  for (Entry& entry : slot->entries) {
    if (entry.paired != paired || !Fresh(entry.at, now)) continue;
    if (newest == nullptr || entry.at > newest->at) newest = &entry;
  }
  if (newest == nullptr) return std::nullopt;
  newest->paired = true;
  return newest->asker;
}

std::optional<uint64_t> AskerTable::LastAsked(uint32_t vxlan, const Ip& target) {
  Slot* slot = Find(Set(vxlan, target), vxlan, target);
  if (slot == nullptr) return std::nullopt;
  uint64_t last = 0;
  for (const Entry& entry : slot->entries) last = std::max(last, entry.at);
  return last;
}

}  // namespace missd
