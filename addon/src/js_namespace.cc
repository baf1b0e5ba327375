#include "js_namespace.h"

#include "js_packed.h"

namespace missd {

namespace {

/** More than one drain finds, unless misses come many to a datagram. */
constexpr size_t kMissesPerCall = 2048;
/**
 * So many misses at once, so soon after the last: more are coming, and they are let gather for a millisecond.
 * At 25,000 a second that is half the batches and a fifth of the processor time. A single miss never waits,
 * nor does a backlog.
 */
constexpr size_t kCrowd = 8;
constexpr uint64_t kRestNanoseconds = 2'000'000;

}  // namespace

NamespaceObject::NamespaceObject(const Info& info) : Napi::ObjectWrap<NamespaceObject>(info) {
  std::optional<std::string> path;
  if (info[0].IsString()) path = info[0].As<Napi::String>().Utf8Value();
  int receive_buffer = info[1].As<Napi::Number>().Int32Value();
  namespace_ = Throwing(info.Env(), [&] { return std::make_unique<Namespace>(path, receive_buffer); });
  Napi::Object buffer = Napi::Object::New(info.Env());
  buffer.Set("bytes", namespace_->receive_buffer().bytes);
  buffer.Set("forced", namespace_->receive_buffer().forced);
  Napi::Object self = info.This().As<Napi::Object>();
  self.Set("receiveBuffer", buffer);
  self.Set("canAnnounce", namespace_->tap() != nullptr);
}

Namespace& NamespaceObject::Open(const Info& info) {
  if (!namespace_) throw Napi::Error::New(info.Env(), "the namespace is closed");
  return *namespace_;
}

void NamespaceObject::Start(const Info& info) {
  Namespace& open = Open(info);
  if (polls_ != nullptr) throw Napi::Error::New(info.Env(), "the namespace has a listener already");
  if (!info[0].IsFunction() || !info[1].IsFunction())
    throw Napi::TypeError::New(info.Env(), "not a listener");
  auto misses = [this] { EmitMisses(); };
  std::vector<Polls::Watch> watches = {
      {open.miss_fd(), misses, true},
      {open.link_fd(), [this] { Emit(namespace_->DrainLinks()); }},
      {open.changes().fd(), [this] { Emit(namespace_->changes().Drain()); }},
  };
  if (open.tap() != nullptr) watches.push_back({open.tap()->fd(), misses, true});
  polls_ = Polls::Start(info.Env(), std::move(watches), [this] { CloseAll(); });
  if (polls_ == nullptr) throw Napi::Error::New(info.Env(), "the event loop cannot be watched");
  listener_ = Napi::Persistent(info[0].As<Napi::Function>());
  miss_listener_ = Napi::Persistent(info[1].As<Napi::Function>());
  numbers_ = Napi::Persistent(Napi::Uint32Array::New(info.Env(), kMissesPerCall * kNumbersPerMiss));
  context_ = std::make_unique<Napi::AsyncContext>(info.Env(), "missd");
  // Collected only after it is closed, whatever JavaScript still holds.
  Ref();
}

void NamespaceObject::EmitMisses() {
  MissBatch batch = namespace_->DrainMisses();
  for (size_t at = 0; at < batch.misses.size(); at += kMissesPerCall) {
    Calling([&](Napi::Env env) {
      // What was heard before may have made the listener close.
      if (!namespace_) return;
      size_t count = std::min(kMissesPerCall, batch.misses.size() - at);
      Napi::Uint32Array numbers = numbers_.Value();
      Napi::Array texts = MissesToJs(env, &batch.misses[at], count, numbers.Data());
      miss_listener_.MakeCallback(env.Global(), {numbers, texts, Napi::Number::New(env, count)}, *context_);
    });
  }
  if (namespace_ && (batch.overrun || batch.malformed > 0)) Emit(batch);
  if (polls_ != nullptr && Crowded(batch)) polls_->Rest();
}

bool NamespaceObject::Crowded(const MissBatch& batch) {
  uint64_t now = uv_hrtime();
  uint64_t since = now - drained_at_;
  if (batch.misses.size() > 0) drained_at_ = now;
  return batch.misses.size() >= kCrowd && !batch.more && since < kRestNanoseconds;
}

template <typename Batch>
void NamespaceObject::Emit(const Batch& batch) {
  Calling([&](Napi::Env env) {
    Napi::Array events = ToJs(env, batch);
    if (events.Length() > 0) listener_.MakeCallback(env.Global(), {events}, *context_);
  });
}

template <typename Body>
void NamespaceObject::Calling(Body body) {
  Napi::Env env = Env();
  Napi::HandleScope scope(env);
  try {
    body(env);
  } catch (const Napi::Error& error) {
    // What the listener threw is nobody's to catch here. There is nothing to report where a worker was
    // terminated.
    if (!error.IsEmpty()) napi_fatal_exception(env, error.Value());
  }
}

void NamespaceObject::CloseAll() {
  if (!namespace_) return;
  *closed_ = true;
  if (polls_ != nullptr) {
    polls_->Close();
    polls_ = nullptr;
    // Or the listener, and through it all that it knows, would be held for ever. The context has to stay:
    // this may be a call from within the listener.
    listener_.Reset();
    miss_listener_.Reset();
    Unref();
  }
  namespace_.reset();
}

Napi::Function NamespaceObject::Define(Napi::Env env) {
  using Self = NamespaceObject;
  return DefineClass(env, "Namespace",
                     {
                         InstanceMethod<&Self::Start>("start"),
                         InstanceMethod<&Self::Close>("close"),
                         InstanceMethod<&Self::Neglected>("neglected"),
                         InstanceMethod<&Self::DumpTo>("dump"),
                         InstanceMethod<&Self::GetNeighbours>("getNeighbours"),
                         InstanceMethod<&Self::GetFdb>("getFdb"),
                         InstanceMethod<&Self::GetBridgeFdb>("getBridgeFdb"),
                         InstanceMethod<&Self::Write>("write"),
                         InstanceMethod<&Self::WriteRoutes>("writeRoutes"),
                         InstanceMethod<&Self::Announce>("announce"),
                         InstanceMethod<&Self::SetPorts>("setPorts"),
                         InstanceMethod<&Self::WatchTables>("watchTables"),
                         InstanceMethod<&Self::LastAsked>("lastAsked"),
                         InstanceMethod<&Self::SetMulticastRouter>("setMulticastRouter"),
                         InstanceMethod<&Self::GetAppSolicit>("getAppSolicit"),
                         InstanceMethod<&Self::SetAppSolicit>("setAppSolicit"),
                         InstanceMethod<&Self::GetNeighbourTable>("getNeighbourTable"),
                         InstanceMethod<&Self::Lock>("lock"),
                         InstanceMethod<&Self::Unlock>("unlock"),
                         InstanceMethod<&Self::NamedSockets>("namedSockets"),
                     });
}

void ExportNamespace(Napi::Env env, Napi::Object exports) {
  exports.Set("Namespace", NamespaceObject::Define(env));
}

}  // namespace missd
