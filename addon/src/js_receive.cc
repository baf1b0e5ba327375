/** Reading from somebody else's socket. */
#include <poll.h>
#include <sys/socket.h>

#include "js.h"

namespace missd {

namespace {

constexpr int64_t kNanosecondsPerMicrosecond = 1000;
constexpr int64_t kNanosecondsPerSecond = 1000000000;

/**
 * `(fd, into, microseconds)`: bytes received, 0 where none came in time. The end of the stream and errors are
 * left to whoever owns the socket: it hears of them by itself.
 */
Napi::Value ReceiveWithin(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber() || !info[1].IsTypedArray() || !info[2].IsNumber())
    throw Napi::TypeError::New(info.Env(), "not (fd, into, microseconds)");
  pollfd ready{info[0].As<Napi::Number>().Int32Value(), POLLIN, 0};
  auto into = info[1].As<Napi::Uint8Array>();
  int64_t patience = info[2].As<Napi::Number>().Int64Value() * kNanosecondsPerMicrosecond;
  timespec timeout{patience / kNanosecondsPerSecond, patience % kNanosecondsPerSecond};
  ssize_t size = 0;
  if (ppoll(&ready, 1, &timeout, nullptr) > 0)
    size = recv(ready.fd, into.Data(), into.ByteLength(), MSG_DONTWAIT);
  return Napi::Number::New(info.Env(), static_cast<double>(size > 0 ? size : 0));
}

}  // namespace

void ExportReceive(Napi::Env env, Napi::Object exports) {
  exports.Set("receiveWithin", Napi::Function::New(env, ReceiveWithin, "receiveWithin"));
}

}  // namespace missd
