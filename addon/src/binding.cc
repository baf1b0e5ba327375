#include <malloc.h>

#include "dump.h"
#include "js.h"
#include "notify.h"

/**
 * Garbage collections run on several threads, and the arena of each thread keeps its largest size: malloc by
 * itself returns only memory at the end of an arena.
 */
static void TrimMemory(const Napi::CallbackInfo&) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

static Napi::Value DumpSeconds(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), missd::DumpSeconds());
}

/** Arguments: path and text, see src/service/notify.ts. */
static void Notify(const Napi::CallbackInfo& info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  std::string text = info[1].As<Napi::String>().Utf8Value();
  missd::Throwing(info.Env(), [&] { missd::Notify(path, text); });
}

/** A fixed threshold: glibc would otherwise raise it after the first dump of megabytes, and keep the memory
 * of later dumps. */
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
