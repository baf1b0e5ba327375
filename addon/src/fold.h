/** Folds equal misses into one miss with a count. */
#ifndef MISSD_FOLD_H_
#define MISSD_FOLD_H_

#include <vector>

#include "decode.h"

namespace missd {

/** The misses of one drain. Misses are equal if device, layer, address and asker are. The state of the first
 * one stays. */
class Fold {
 public:
  /** @param most misses that may be added */
  Fold(std::vector<Miss>* out, size_t most) : out_(out) {
    size_t places = 16;
    while (places < most * 2) places *= 2;
    places_.resize(places);
  }

  void Add(Miss miss) {
    // Half of the places stay empty, so the search ends soon.
    size_t at = Hash(miss) & (places_.size() - 1);
    for (; places_[at] != 0; at = (at + 1) & (places_.size() - 1)) {
      Miss& seen = (*out_)[places_[at] - 1];
      if (!Same(seen, miss)) continue;
      seen.count++;
      return;
    }
    out_->push_back(std::move(miss));
    places_[at] = static_cast<uint32_t>(out_->size());
  }

 private:
  static uint64_t Hash(const Miss& miss) {
    uint64_t words[2];
    std::memcpy(words, miss.ip.bytes.data(), sizeof(words));
    uint64_t mac = 0;
    std::memcpy(&mac, miss.lladdr.bytes.data(), miss.lladdr.bytes.size());
    return (words[0] ^ words[1] * 31 ^ mac * 131 ^ miss.ifindex) * 0x9e3779b97f4a7c15u >> 20;
  }

  static bool Same(const Miss& a, const Miss& b) {
    if (a.ifindex != b.ifindex || !(a.ip == b.ip) || !(a.lladdr == b.lladdr)) return false;
    if (a.asker.has_value() != b.asker.has_value()) return false;
    return !a.asker || (a.asker->port == b.asker->port && a.asker->lladdr == b.asker->lladdr &&
                        a.asker->ip == b.asker->ip);
  }

  std::vector<Miss>* out_;
  /** A hash table of positions in `out_`, plus one. The nodes of a std::unordered_map took 0.1 µs a miss. */
  std::vector<uint32_t> places_;
};

}  // namespace missd

#endif  // MISSD_FOLD_H_
