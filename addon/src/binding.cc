#include "js.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  missd::ExportNamespace(env, exports);
  missd::ExportCodec(env, exports);
  return exports;
}

NODE_API_MODULE(missd, Init)
