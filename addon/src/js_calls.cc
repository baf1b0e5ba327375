#include <sys/socket.h>

#include "js_namespace.h"
#include "js_packed.h"

namespace missd {

namespace {

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

/** TypeScript writes a family as 4 or 6. */
uint8_t FamilyFromJs(const Napi::Value& value) {
  return value.As<Napi::Number>().Uint32Value() == 6 ? AF_INET6 : AF_INET;
}

NameKind KindFromJs(const Napi::Value& value) {
  return value.As<Napi::String>().Utf8Value() == "datagram" ? NameKind::kDatagram : NameKind::kListening;
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

}  // namespace

Napi::Value NamespaceObject::Neglected(const Info& info) {
  return Napi::Boolean::New(info.Env(), Open(info).Neglected());
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
  // Elements that are not set are undefined.
  Napi::Array array = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) {
    if (!rows[i]) continue;
    Napi::HandleScope scope(env);
    array.Set(i, ToJs(env, *rows[i]));
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
  for (const Mac& lladdr : LinkAddressesFromJs(info[1])) {
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

void NamespaceObject::FollowFrames(const Info& info) {
  Namespace& open = Open(info);
  bool follow = info[0].ToBoolean();
  Throwing(info.Env(), [&] {
    if (open.tap()) open.tap()->FollowFrames(follow);
  });
}

void NamespaceObject::WatchSenders(const Info& info) {
  Namespace& open = Open(info);
  auto ports = VectorFromJs<uint32_t>(
      info[0], [](const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); });
  Throwing(info.Env(), [&] {
    if (open.sender_tap()) open.sender_tap()->Watch(ports);
  });
}

Napi::Value NamespaceObject::SendProbes(const Info& info) {
  Namespace& open = Open(info);
  std::vector<Probe> probes = ProbesFromJs(info[0], info[1]);
  size_t failed = probes.size();
  if (open.tap() && open.sender_tap()) {
    for (const Probe& probe : probes) open.sender_tap()->Expect(probe.port, probe.lladdr, probe.ip);
    failed = open.tap()->SendProbes(probes);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(failed));
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

Napi::Value NamespaceObject::GetNeighbourTable(const Info& info) {
  Napi::Env env = info.Env();
  Namespace& open = Open(info);
  uint8_t family = FamilyFromJs(info[0]);
  auto table = Throwing(env, [&] { return open.request().GetNeighbourTable(family); });
  if (!table) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object.Set("entries", table->entries);
  Napi::Array thresholds = Napi::Array::New(env, 3);
  for (uint32_t i = 0; i < 3; i++) thresholds.Set(i, table->thresholds[i]);
  object.Set("thresholds", thresholds);
  object.Set("fulls", static_cast<double>(table->fulls));
  return object;
}

Napi::Value NamespaceObject::Lock(const Info& info) {
  Namespace& open = Open(info);
  std::string name = info[0].As<Napi::String>().Utf8Value();
  NameKind kind = KindFromJs(info[1]);
  return Napi::Boolean::New(info.Env(), Throwing(info.Env(), [&] { return open.Lock(name, kind); }));
}

void NamespaceObject::Unlock(const Info& info) {
  Open(info).Unlock(info[0].As<Napi::String>().Utf8Value(), KindFromJs(info[1]));
}

Napi::Value NamespaceObject::NamedSockets(const Info& info) {
  Napi::Env env = info.Env();
  Namespace& open = Open(info);
  std::string prefix = info[0].As<Napi::String>().Utf8Value();
  auto found = Throwing(env, [&] { return open.NamedSockets(prefix); });
  Napi::Array array = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", found[i].name);
    object.Set("inode", found[i].inode);
    object.Set("listening", found[i].listening);
    if (found[i].uid) object.Set("uid", *found[i].uid);
    array.Set(i, object);
  }
  return array;
}

}  // namespace missd
