/**
 * Batches between JavaScript and C++ as an array of numbers, and texts: an object with its named properties
 * costs a microsecond here, and a storm brings a hundred thousand. The mirror of src/kernel/packed.ts.
 */
#ifndef MISSD_JS_PACKED_H_
#define MISSD_JS_PACKED_H_

#include <napi.h>

#include <vector>

#include "encode.h"
#include "frames.h"
#include "namespace.h"

namespace missd {

// What goes to C++ has its texts in one string, each but the last with a zero byte behind it: reading an
// element of an array takes longer than the parsing.

/** table, operation, ifindex, state, flags, protocol, via, portless; texts: lladdr, IP or VTEP or nothing. */
constexpr size_t kNumbersPerWrite = 8;
/** port, router; texts: IP, lladdr, and the asker's lladdr and IP or nothing twice. */
constexpr size_t kNumbersPerAnnouncement = 2;
/** port; texts: IP, the guest's lladdr, the lladdr that asks. */
constexpr size_t kNumbersPerProbe = 1;
/**
 * layer, ifindex, state, count, the asker's port or 0, its place among the askers; texts: an address each,
 * and behind them the askers, lladdr and IP.
 */
constexpr size_t kNumbersPerMiss = 6;

/** Each throws a TypeError for what is no such batch. */
std::vector<EntryWrite> WritesFromJs(const Napi::Value& numbers, const Napi::Value& texts);
std::vector<Announcement> AnnouncementsFromJs(const Napi::Value& numbers, const Napi::Value& texts);
std::vector<Probe> ProbesFromJs(const Napi::Value& numbers, const Napi::Value& texts);
std::vector<Mac> LinkAddressesFromJs(const Napi::Value& texts);

/** Fills `numbers`, which has room for them, and returns the texts. */
Napi::Array MissesToJs(Napi::Env env, const Miss* misses, size_t count, uint32_t* numbers);

}  // namespace missd

#endif  // MISSD_JS_PACKED_H_
