/** Conversions between JavaScript and C++ values. src/base/vocabulary.ts and src/kernel/kernel.ts declare the
 * shapes. */
#ifndef MISSD_JS_H_
#define MISSD_JS_H_

#include <napi.h>

#include <memory>
#include <vector>

#include "dump.h"
#include "encode.h"
#include "error.h"
#include "frames.h"
#include "namespace.h"

namespace missd {

Napi::Value ToJs(Napi::Env env, const Link& link);
Napi::Value ToJs(Napi::Env env, const InterfaceAddress& address);
/** A Neighbour, or an FdbEntry if the family is AF_BRIDGE. */
Napi::Value ToJs(Napi::Env env, const Row& row);
Napi::Value ToJs(Napi::Env env, const Route& route);
Napi::Value ToJs(Napi::Env env, const Refusal& refusal);
Napi::Value ToJs(Napi::Env env, const Sighting& sighting);
/** KernelEvent objects. Of a MissBatch these are the events other than misses, which MissesToJs packs. */
Napi::Array ToJs(Napi::Env env, const MissBatch& batch);
Napi::Array ToJs(Napi::Env env, const LinkBatch& batch);
Napi::Array ToJs(Napi::Env env, const ChangeBatch& batch);
Napi::Array ToJs(Napi::Env env, const SenderBatch& batch);
/** The KernelEvent of a socket that could not be read, or whose messages could not be delivered. */
Napi::Object FailedToJs(Napi::Env env, const char* socket, int error);
/** An error with `operation`, `errno` and `extack`. */
Napi::Error ToJs(Napi::Env env, const KernelError& error);

template <typename T>
Napi::Array ToJs(Napi::Env env, const std::vector<T>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); i++) array.Set(static_cast<uint32_t>(i), ToJs(env, values[i]));
  return array;
}

/** Each throws a TypeError for a value of another type. */
Ip IpFromJs(const Napi::Value& value);
Mac MacFromJs(const Napi::Value& value);
RouteWrite RouteWriteFromJs(const Napi::Value& value);
Bytes BytesFromJs(const Napi::Value& value);

template <typename T>
std::vector<T> VectorFromJs(const Napi::Value& value, T (*convert)(const Napi::Value&)) {
  Napi::Array array = value.As<Napi::Array>();
  std::vector<T> values;
  values.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) {
    Napi::HandleScope scope(value.Env());
    values.push_back(convert(array.Get(i)));
  }
  return values;
}

/** Runs `body` and turns a KernelError into a JavaScript error. */
template <typename Body>
auto Throwing(Napi::Env env, Body body) {
  try {
    return body();
  } catch (const KernelError& error) {
    throw ToJs(env, error);
  }
}

/** A promise of a function that returns the next rows: creating 200,000 objects at once would block the event
 * loop. */
Napi::Promise DumpToJs(Napi::Env env, std::shared_ptr<const Netns> netns, const DumpRequest& request,
                       std::shared_ptr<const std::atomic<bool>> cancelled);

void ExportNamespace(Napi::Env env, Napi::Object exports);
void ExportCodec(Napi::Env env, Napi::Object exports);

}  // namespace missd

#endif  // MISSD_JS_H_
