/**
 * Batches between JavaScript and C++ as an array of numbers, and texts: an object with named properties costs
 * 1 µs, and a storm has a hundred thousand misses. The counterpart of src/kernel/packed.ts.
 */
#ifndef MISSD_JS_PACKED_H_
#define MISSD_JS_PACKED_H_

#include <napi.h>

#include <vector>

#include "encode.h"
#include "frames.h"
#include "namespace.h"

namespace missd {

// Batches to C++ have their texts in one string, separated by zero bytes, because reading an element of an
// array takes longer than parsing a text.

/** table, operation, ifindex, state, flags, protocol, via, portless; texts: lladdr, and IP, VTEP or an empty
 * text. */
constexpr size_t kNumbersPerWrite = 8;
/** port, router; texts: IP, lladdr, and the asker's lladdr and IP or two empty texts. */
constexpr size_t kNumbersPerAnnouncement = 2;
/** port; texts: IP, the guest's lladdr, the source lladdr of the probe. */
constexpr size_t kNumbersPerProbe = 1;
/**
 * layer, ifindex, state, count, the asker's port or 0, the index of the asker; texts: an address per miss,
 * and after all addresses lladdr and IP of each asker.
 */
constexpr size_t kNumbersPerMiss = 6;

/** Each throws a TypeError for an invalid batch. */
std::vector<EntryWrite> WritesFromJs(const Napi::Value& numbers, const Napi::Value& texts);
std::vector<Announcement> AnnouncementsFromJs(const Napi::Value& numbers, const Napi::Value& texts);
std::vector<Probe> ProbesFromJs(const Napi::Value& numbers, const Napi::Value& texts);
std::vector<Mac> LinkAddressesFromJs(const Napi::Value& texts);

/** Fills `numbers`, which has room for them, and returns the texts. */
Napi::Array MissesToJs(Napi::Env env, const Miss* misses, size_t count, uint32_t* numbers);

}  // namespace missd

#endif  // MISSD_JS_PACKED_H_
