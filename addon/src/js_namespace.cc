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
/** A guest's question is also word of the guest. What it raises a miss for comes first. */
constexpr uint64_t kGatherMilliseconds = 2;

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
      {open.link_fd(), [this] { EmitLinks(); }},
      {open.changes().fd(), [this] { EmitChanges(); }},
  };
  if (open.tap() != nullptr) watches.push_back({open.tap()->fd(), misses, true});
  if (open.sender_tap() != nullptr) {
    auto senders = [this] { EmitSenders(); };
    watches.push_back({open.sender_tap()->fd(), senders, false, kGatherMilliseconds});
    watches.push_back({open.sender_tap()->timer_fd(), senders});
  }
  polls_ = Throwing(info.Env(),
                    [&] { return Polls::Start(info.Env(), std::move(watches), [this] { CloseAll(); }); });
  listener_ = Napi::Persistent(info[0].As<Napi::Function>());
  miss_listener_ = Napi::Persistent(info[1].As<Napi::Function>());
  numbers_ = Napi::Persistent(Napi::Uint32Array::New(info.Env(), kMissesPerCall * kNumbersPerMiss));
  context_ = std::make_unique<Napi::AsyncContext>(info.Env(), "missd");
  // Collected only after it is closed, whatever JavaScript still holds.
  Ref();
}

template <typename Batch, typename Drain>
Batch NamespaceObject::Drained(int fd, Drain drain) {
  Batch batch;
  try {
    batch = drain();
  } catch (const KernelError& error) {
    batch.error = error.error;
  } catch (const std::bad_alloc&) {
    batch.error = ENOMEM;
  } catch (const std::exception&) {
    batch.error = EIO;
  }
  if (batch.error == 0) return batch;
  // What was read before is lost, or what is there cannot be read.
  batch.overrun = true;
  if (polls_ != nullptr) polls_->Pause(fd);
  return batch;
}

void NamespaceObject::EmitLinks() {
  Emit("link", Drained<LinkBatch>(namespace_->link_fd(), [this] { return namespace_->DrainLinks(); }));
}

void NamespaceObject::EmitChanges() {
  Changes& changes = namespace_->changes();
  Emit("table", Drained<ChangeBatch>(changes.fd(), [&] { return changes.Drain(); }));
}

void NamespaceObject::EmitSenders() {
  SenderTap& tap = *namespace_->sender_tap();
  Emit("tap", Drained<SenderBatch>(tap.fd(), [&] { return tap.Drain(); }));
}

void NamespaceObject::EmitMisses() {
  auto batch = Drained<MissBatch>(namespace_->miss_fd(), [this] { return namespace_->DrainMisses(); });
  if (batch.tap_error != 0 && polls_ != nullptr) polls_->Pause(namespace_->tap()->fd());
  for (size_t at = 0; at < batch.misses.size(); at += kMissesPerCall) {
    Calling("miss", [&](Napi::Env env) {
      // What was heard before may have made the listener close.
      if (!namespace_) return;
      size_t count = std::min(kMissesPerCall, batch.misses.size() - at);
      Napi::Uint32Array numbers = numbers_.Value();
      Napi::Array texts = MissesToJs(env, &batch.misses[at], count, numbers.Data());
      miss_listener_.MakeCallback(
          env.Global(), {numbers, texts, Napi::Number::New(env, static_cast<double>(count))}, *context_);
    });
  }
  if (namespace_) Emit("miss", batch);
  if (polls_ != nullptr && Crowded(batch)) polls_->Rest();
}

bool NamespaceObject::Crowded(const MissBatch& batch) {
  uint64_t now = uv_hrtime();
  uint64_t since = now - drained_at_;
  if (batch.misses.size() > 0) drained_at_ = now;
  return batch.misses.size() >= kCrowd && !batch.more && since < kRestNanoseconds;
}

template <typename Batch>
void NamespaceObject::Emit(const char* socket, const Batch& batch) {
  Calling(socket, [&](Napi::Env env) {
    Napi::Array events = ToJs(env, batch);
    if (events.Length() > 0) listener_.MakeCallback(env.Global(), {events}, *context_);
  });
}

template <typename Body>
void NamespaceObject::Calling(const char* socket, Body body) {
  int error = 0;
  try {
    CallingOnce(body);
    return;
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  } catch (const std::exception&) {
    error = EIO;
  }
  if (!namespace_) return;
  try {
    CallingOnce([&](Napi::Env env) {
      Napi::Array events = Napi::Array::New(env, 1);
      events.Set(0u, FailedToJs(env, socket, error));
      listener_.MakeCallback(env.Global(), {events}, *context_);
    });
  } catch (const std::exception&) {
    // Not even that can be told.
  }
}

template <typename Body>
void NamespaceObject::CallingOnce(Body body) {
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
                         InstanceMethod<&Self::FollowFrames>("followFrames"),
                         InstanceMethod<&Self::WatchSenders>("watchSenders"),
                         InstanceMethod<&Self::SendProbes>("probe"),
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
