#include <sys/socket.h>

#include "js.h"
#include "js_packed.h"
#include "poll.h"

namespace missd {

namespace {

using Info = Napi::CallbackInfo;

/** More than one drain finds, unless misses come many to a datagram. */
constexpr size_t kMissesPerCall = 2048;

/** The JavaScript face of a Namespace. Main thread only, but for the dumps. */
class NamespaceObject : public Napi::ObjectWrap<NamespaceObject> {
 public:
  explicit NamespaceObject(const Info& info);
  static Napi::Function Define(Napi::Env env);

 private:
  void Start(const Info& info);
  void Close(const Info&) { CloseAll(); }
  Napi::Value DumpTo(const Info& info);
  Napi::Value GetNeighbours(const Info& info);
  Napi::Value GetFdb(const Info& info);
  Napi::Value GetBridgeFdb(const Info& info);
  Napi::Value Write(const Info& info);
  Napi::Value WriteRoutes(const Info& info);
  Napi::Value Announce(const Info& info);
  void SetPorts(const Info& info);
  void WatchTables(const Info& info);
  Napi::Value LastAsked(const Info& info);
  void SetMulticastRouter(const Info& info);
  Napi::Value GetAppSolicit(const Info& info);
  void SetAppSolicit(const Info& info);
  Napi::Value Lock(const Info& info);
  void Unlock(const Info& info);

  Namespace& Open(const Info& info);
  Napi::Value Get(const Info& info, const std::vector<RowKey>& keys);
  void EmitMisses();
  template <typename Batch>
  void Emit(const Batch& batch);
  template <typename Body>
  void Calling(Body body);
  void CloseAll();

  std::unique_ptr<Namespace> namespace_;
  std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
  Polls* polls_ = nullptr;
  Napi::FunctionReference listener_;
  Napi::FunctionReference miss_listener_;
  /** Of the misses of one call, used over and over. */
  Napi::Reference<Napi::Uint32Array> numbers_;
  std::unique_ptr<Napi::AsyncContext> context_;
};

RowKey KeyFromJs(const Napi::Value& value, Table table) {
  Napi::Object object = value.As<Napi::Object>();
  RowKey key;
  key.table = table;
  key.ifindex = object.Get("ifindex").As<Napi::Number>().Uint32Value();
  if (table == Table::kNeighbour) {
    key.ip = IpFromJs(object.Get("ip"));
  } else {
    key.lladdr = MacFromJs(object.Get("lladdr"));
  }
  return key;
}

std::pair<uint32_t, uint32_t> PortFromJs(const Napi::Value& value) {
  Napi::Object object = value.As<Napi::Object>();
  return {object.Get("port").As<Napi::Number>().Uint32Value(),
          object.Get("vxlan").As<Napi::Number>().Uint32Value()};
}

/** 4 or 6, as the vocabulary has families. */
uint8_t FamilyFromJs(const Napi::Value& value) {
  return value.As<Napi::Number>().Uint32Value() == 6 ? AF_INET6 : AF_INET;
}

DumpTable TableFromJs(const Napi::Value& value) {
  std::string name = value.As<Napi::String>().Utf8Value();
  if (name == "links") return DumpTable::kLinks;
  if (name == "addresses") return DumpTable::kAddresses;
  if (name == "neighbours") return DumpTable::kNeighbours;
  if (name == "fdb") return DumpTable::kFdb;
  if (name == "bridgeFdb") return DumpTable::kBridgeFdb;
  if (name == "routes") return DumpTable::kRoutes;
  throw Napi::TypeError::New(value.Env(), "not a table: " + name);
}

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
      {open.miss_fd(), misses},
      {open.link_fd(), [this] { Emit(namespace_->DrainLinks()); }},
      {open.changes().fd(), [this] { Emit(namespace_->changes().Drain()); }},
  };
  if (open.tap() != nullptr) watches.push_back({open.tap()->fd(), misses});
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

Napi::Value NamespaceObject::DumpTo(const Info& info) {
  Namespace& open = Open(info);
  DumpRequest request{TableFromJs(info[0]), info[1].As<Napi::Number>().Int32Value()};
  if (info[2].IsNumber()) request.protocol = static_cast<uint8_t>(info[2].As<Napi::Number>().Uint32Value());
  return DumpToJs(info.Env(), open.netns(), request, closed_);
}

Napi::Value NamespaceObject::Get(const Info& info, const std::vector<RowKey>& keys) {
  Napi::Env env = info.Env();
  Namespace& open = Open(info);
  auto rows = Throwing(env, [&] { return open.request().Get(keys); });
  Napi::Array array = Napi::Array::New(env, rows.size());
  Napi::Value none = env.Undefined();
  for (uint32_t i = 0; i < rows.size(); i++) {
    Napi::HandleScope scope(env);
    array.Set(i, rows[i] ? ToJs(env, *rows[i]) : none);
  }
  return array;
}

Napi::Value NamespaceObject::GetNeighbours(const Info& info) {
  return Get(info, VectorFromJs<RowKey>(info[0], [](const Napi::Value& value) {
               return KeyFromJs(value, Table::kNeighbour);
             }));
}

Napi::Value NamespaceObject::GetFdb(const Info& info) {
  return Get(info, VectorFromJs<RowKey>(
                       info[0], [](const Napi::Value& value) { return KeyFromJs(value, Table::kFdb); }));
}

Napi::Value NamespaceObject::GetBridgeFdb(const Info& info) {
  uint32_t bridge = info[0].As<Napi::Number>().Uint32Value();
  std::vector<RowKey> keys;
  for (const Mac& lladdr : VectorFromJs(info[1], MacFromJs)) {
    RowKey key;
    key.table = Table::kBridgeFdb;
    key.ifindex = bridge;
    key.lladdr = lladdr;
    keys.push_back(key);
  }
  return Get(info, keys);
}

Napi::Value NamespaceObject::Write(const Info& info) {
  Namespace& open = Open(info);
  return ToJs(info.Env(), open.request().Write(WritesFromJs(info[0], info[1])));
}

Napi::Value NamespaceObject::WriteRoutes(const Info& info) {
  Namespace& open = Open(info);
  return ToJs(info.Env(), open.request().WriteRoutes(VectorFromJs(info[0], RouteWriteFromJs)));
}

Napi::Value NamespaceObject::Announce(const Info& info) {
  Namespace& open = Open(info);
  std::vector<Announcement> announcements = AnnouncementsFromJs(info[0], info[1]);
  size_t failed = open.tap() ? open.tap()->Announce(announcements) : announcements.size();
  return Napi::Number::New(info.Env(), static_cast<double>(failed));
}

void NamespaceObject::SetPorts(const Info& info) {
  Namespace& open = Open(info);
  auto ports = VectorFromJs(info[0], PortFromJs);
  Throwing(info.Env(), [&] {
    if (open.tap()) open.tap()->SetPorts(ports);
  });
}

void NamespaceObject::WatchTables(const Info& info) {
  Namespace& open = Open(info);
  auto devices = VectorFromJs<uint32_t>(
      info[0], [](const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); });
  Throwing(info.Env(), [&] { open.changes().Watch({devices.begin(), devices.end()}); });
}

Napi::Value NamespaceObject::LastAsked(const Info& info) {
  Napi::Env env = info.Env();
  Namespace& open = Open(info);
  auto keys = info[0].As<Napi::Array>();
  Napi::Array ages = Napi::Array::New(env, keys.Length());
  for (uint32_t i = 0; i < keys.Length(); i++) {
    auto key = keys.Get(i).As<Napi::Object>();
    uint32_t vxlan = key.Get("vxlan").As<Napi::Number>().Uint32Value();
    std::optional<uint64_t> age;
    if (open.tap()) age = open.tap()->LastAsked(vxlan, IpFromJs(key.Get("ip")));
    ages.Set(i, age ? Napi::Number::New(env, static_cast<double>(*age)) : env.Undefined());
  }
  return ages;
}

void NamespaceObject::SetMulticastRouter(const Info& info) {
  Namespace& open = Open(info);
  uint32_t port = info[0].As<Napi::Number>().Uint32Value();
  auto value = static_cast<uint8_t>(info[1].As<Napi::Number>().Uint32Value());
  Throwing(info.Env(), [&] { open.request().SetMulticastRouter(port, value); });
}

Napi::Value NamespaceObject::GetAppSolicit(const Info& info) {
  Namespace& open = Open(info);
  uint32_t ifindex = info[0].As<Napi::Number>().Uint32Value();
  uint8_t family = FamilyFromJs(info[1]);
  auto probes = Throwing(info.Env(), [&] { return open.request().GetAppSolicit(family, ifindex); });
  return probes ? Napi::Number::New(info.Env(), *probes) : info.Env().Undefined();
}

void NamespaceObject::SetAppSolicit(const Info& info) {
  Namespace& open = Open(info);
  uint32_t ifindex = info[0].As<Napi::Number>().Uint32Value();
  uint8_t family = FamilyFromJs(info[1]);
  uint32_t probes = info[2].As<Napi::Number>().Uint32Value();
  Throwing(info.Env(), [&] { open.request().SetAppSolicit(family, ifindex, probes); });
}

Napi::Value NamespaceObject::Lock(const Info& info) {
  Namespace& open = Open(info);
  std::string name = info[0].As<Napi::String>().Utf8Value();
  return Napi::Boolean::New(info.Env(), Throwing(info.Env(), [&] { return open.Lock(name); }));
}

void NamespaceObject::Unlock(const Info& info) { Open(info).Unlock(info[0].As<Napi::String>().Utf8Value()); }

Napi::Function NamespaceObject::Define(Napi::Env env) {
  using Self = NamespaceObject;
  return DefineClass(env, "Namespace",
                     {
                         InstanceMethod<&Self::Start>("start"),
                         InstanceMethod<&Self::Close>("close"),
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
                         InstanceMethod<&Self::Lock>("lock"),
                         InstanceMethod<&Self::Unlock>("unlock"),
                     });
}

}  // namespace

void ExportNamespace(Napi::Env env, Napi::Object exports) {
  exports.Set("Namespace", NamespaceObject::Define(env));
}

}  // namespace missd
