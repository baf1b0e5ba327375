#include <malloc.h>

#include "dump.h"
#include "js.h"
#include "notify.h"

/**
 * Collections run on several threads and leave each one's arena as large as it ever was; by itself malloc
 * returns only what lies at an arena's end.
 */
static void TrimMemory(const Napi::CallbackInfo&) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

static Napi::Value DumpSeconds(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), missd::DumpSeconds());
}

/** `path` and text, as src/service/notify.ts has them. */
static void Notify(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  std::string text = info[1].As<Napi::String>().Utf8Value();
  missd::Throwing(info.Env(), [&] { missd::Notify(path, text); });
}

/** A dump of many rows is megabytes; glibc would learn from the first to keep the next ones. */
static void ReturnLargeBlocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
#endif
}

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  ReturnLargeBlocks();
  missd::ExportNamespace(env, exports);
  missd::ExportCodec(env, exports);
  exports.Set("trimMemory", Napi::Function::New(env, TrimMemory, "trimMemory"));
  exports.Set("dumpSeconds", Napi::Function::New(env, DumpSeconds, "dumpSeconds"));
  exports.Set("notify", Napi::Function::New(env, Notify, "notify"));
  return exports;
}

NODE_API_MODULE(missd, Init)
