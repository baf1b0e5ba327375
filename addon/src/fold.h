/** Folds misses that say the same into one with a count. */
#ifndef MISSD_FOLD_H_
#define MISSD_FOLD_H_

#include <unordered_map>
#include <vector>

#include "decode.h"

namespace missd {

/** One drain's worth: same device, layer, address and asker. The first one's state stays. */
class Fold {
 public:
  explicit Fold(std::vector<Miss>* out) : out_(out) {}

  void Add(Miss miss) {
    auto [at, end] = index_.equal_range(Hash(miss));
    for (; at != end; ++at) {
      Miss& seen = (*out_)[at->second];
      if (Same(seen, miss)) {
        seen.count++;
        return;
      }
    }
    index_.emplace(Hash(miss), out_->size());
    out_->push_back(std::move(miss));
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
  std::unordered_multimap<uint64_t, size_t> index_;
};

}  // namespace missd

#endif  // MISSD_FOLD_H_
