#include <sys/socket.h>

#include "js.h"

namespace missd {

namespace {

Napi::Object Event(Napi::Env env, const char* type) {
  Napi::Object event = Napi::Object::New(env);
  event.Set("type", type);
  return event;
}

void PutOverrun(Napi::Array events, const char* socket) {
  Napi::Object event = Event(events.Env(), "overrun");
  event.Set("socket", socket);
  events.Set(events.Length(), event);
}

void PutMalformed(Napi::Array events, uint32_t count) {
  Napi::Object event = Event(events.Env(), "malformed");
  event.Set("count", count);
  events.Set(events.Length(), event);
}

void PutFailed(Napi::Array events, const char* socket, int error) {
  if (error != 0) events.Set(events.Length(), FailedToJs(events.Env(), socket, error));
}

Napi::Object ToJs(Napi::Env env, const Vxlan& vxlan) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("vni", vxlan.vni);
  object.Set("dstport", static_cast<uint32_t>(vxlan.dstport));
  if (vxlan.local) object.Set("local", ToString(vxlan.local));
  if (vxlan.group) object.Set("group", ToString(vxlan.group));
  object.Set("link", vxlan.link);
  object.Set("learning", vxlan.learning);
  object.Set("proxy", vxlan.proxy);
  object.Set("l2miss", vxlan.l2miss);
  object.Set("l3miss", vxlan.l3miss);
  object.Set("external", vxlan.external);
  object.Set("ipv6", vxlan.ipv6);
  return object;
}

Napi::Object ToJs(Napi::Env env, const BridgePort& port) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("multicastRouter", static_cast<uint32_t>(port.multicast_router));
  object.Set("bcastFlood", port.bcast_flood);
  object.Set("mcastFlood", port.mcast_flood);
  object.Set("neighSuppress", port.neigh_suppress);
  return object;
}

Napi::Value FdbToJs(Napi::Env env, const Row& row) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("ifindex", row.ifindex);
  object.Set("lladdr", ToString(*row.lladdr));
  if (row.ip) object.Set("vtep", ToString(row.ip));
  object.Set("state", static_cast<uint32_t>(row.state));
  object.Set("flags", static_cast<uint32_t>(row.flags));
  object.Set("master", row.master);
  if (row.via != 0) object.Set("via", row.via);
  object.Set("usedAgo", static_cast<double>(row.used_ago));
  object.Set("updatedAgo", static_cast<double>(row.updated_ago));
  return object;
}

const char* NameOf(SightingKind kind) {
  switch (kind) {
    case SightingKind::kArp:
      return "arp";
    case SightingKind::kNd:
      return "nd";
    case SightingKind::kRarp:
      return "rarp";
    default:
      return "dad";
  }
}

}  // namespace

Napi::Value ToJs(Napi::Env env, const Sighting& sighting) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("port", sighting.port);
  object.Set("mac", ToString(sighting.lladdr));
  if (sighting.ip) object.Set("ip", ToString(sighting.ip));
  object.Set("kind", NameOf(sighting.kind));
  return object;
}

Napi::Object FailedToJs(Napi::Env env, const char* socket, int error) {
  Napi::Object event = Event(env, "failed");
  event.Set("socket", socket);
  event.Set("errno", error);
  return event;
}

Napi::Value ToJs(Napi::Env env, const Link& link) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("ifindex", link.ifindex);
  object.Set("name", link.name);
  object.Set("kind", link.kind);
  object.Set("up", link.up);
  if (link.no_carrier) object.Set("noCarrier", true);
  object.Set("lladdr", link.lladdr);
  object.Set("mtu", link.mtu);
  object.Set("master", link.master);
  if (link.link_netnsid) object.Set("linkNetnsid", *link.link_netnsid);
  if (link.vxlan) object.Set("vxlan", ToJs(env, *link.vxlan));
  if (link.vlan_filtering) {
    Napi::Object bridge = Napi::Object::New(env);
    bridge.Set("vlanFiltering", *link.vlan_filtering);
    object.Set("bridge", bridge);
  }
  if (link.bridge_port) object.Set("bridgePort", ToJs(env, *link.bridge_port));
  return object;
}

Napi::Value ToJs(Napi::Env env, const InterfaceAddress& address) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("ifindex", address.ifindex);
  object.Set("ip", ToString(address.ip));
  object.Set("prefixLength", static_cast<uint32_t>(address.prefix_length));
  return object;
}

Napi::Value ToJs(Napi::Env env, const Row& row) {
  if (row.family == AF_BRIDGE) return FdbToJs(env, row);
  Napi::Object object = Napi::Object::New(env);
  object.Set("ifindex", row.ifindex);
  object.Set("ip", ToString(row.ip));
  if (row.lladdr) object.Set("lladdr", ToString(*row.lladdr));
  object.Set("state", static_cast<uint32_t>(row.state));
  object.Set("flags", static_cast<uint32_t>(row.flags));
  object.Set("protocol", static_cast<uint32_t>(row.protocol));
  return object;
}

Napi::Value ToJs(Napi::Env env, const Route& route) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("ifindex", route.ifindex);
  object.Set("cidr", ToString(route.destination) + "/" + std::to_string(route.length));
  if (route.gateway) object.Set("gateway", ToString(route.gateway));
  object.Set("protocol", static_cast<uint32_t>(route.protocol));
  return object;
}

Napi::Value ToJs(Napi::Env env, const Refusal& refusal) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", static_cast<double>(refusal.index));
  object.Set("errno", refusal.error);
  object.Set("extack", refusal.extack);
  return object;
}

Napi::Array ToJs(Napi::Env env, const MissBatch& batch) {
  Napi::Array events = Napi::Array::New(env);
  if (batch.overrun) PutOverrun(events, "miss");
  PutFailed(events, "miss", batch.error);
  PutFailed(events, "tap", batch.tap_error);
  if (batch.malformed > 0) PutMalformed(events, batch.malformed);
  return events;
}

Napi::Array ToJs(Napi::Env env, const LinkBatch& batch) {
  Napi::Array events = Napi::Array::New(env);
  for (const LinkEvent& change : batch.events) {
    const Link* link = std::get_if<Link>(&change.subject);
    Napi::Object event = Event(env, link ? "link" : "address");
    event.Set("removed", change.removed);
    if (link) {
      event.Set("link", ToJs(env, *link));
    } else {
      event.Set("address", ToJs(env, std::get<InterfaceAddress>(change.subject)));
    }
    events.Set(events.Length(), event);
  }
  if (batch.overrun) PutOverrun(events, "link");
  PutFailed(events, "link", batch.error);
  if (batch.malformed > 0) PutMalformed(events, batch.malformed);
  return events;
}

Napi::Array ToJs(Napi::Env env, const ChangeBatch& batch) {
  Napi::Array events = Napi::Array::New(env);
  if (!batch.changes.empty()) {
    Napi::Array changes = Napi::Array::New(env, batch.changes.size());
    for (uint32_t i = 0; i < batch.changes.size(); i++) {
      Napi::Object change = Napi::Object::New(env);
      change.Set("removed", batch.changes[i].removed);
      change.Set("row", ToJs(env, batch.changes[i].row));
      changes.Set(i, change);
    }
    Napi::Object event = Event(env, "rows");
    event.Set("changes", changes);
    events.Set(events.Length(), event);
  }
  if (batch.overrun) PutOverrun(events, "table");
  PutFailed(events, "table", batch.error);
  if (batch.learned_overrun) PutOverrun(events, "bridge");
  if (batch.malformed > 0) PutMalformed(events, batch.malformed);
  return events;
}

Napi::Array ToJs(Napi::Env env, const SenderBatch& batch) {
  Napi::Array events = Napi::Array::New(env);
  PutFailed(events, "tap", batch.error);
  if (batch.sightings.empty() && batch.passed_over.empty() && batch.lost == 0) return events;
  Napi::Array senders = Napi::Array::New(env, batch.sightings.size());
  for (uint32_t i = 0; i < batch.sightings.size(); i++) senders.Set(i, ToJs(env, batch.sightings[i]));
  Napi::Array passed_over = Napi::Array::New(env, batch.passed_over.size());
  for (uint32_t i = 0; i < batch.passed_over.size(); i++) {
    const PassedOver& port = batch.passed_over[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("port", port.port);
    object.Set("mac", ToString(port.lladdr));
    object.Set("count", port.count);
    passed_over.Set(i, object);
  }
  Napi::Object event = Event(env, "senders");
  event.Set("senders", senders);
  event.Set("passedOver", passed_over);
  event.Set("lost", batch.lost);
  events.Set(events.Length(), event);
  return events;
}

Napi::Error ToJs(Napi::Env env, const KernelError& error) {
  Napi::Error object = Napi::Error::New(env, error.what());
  object.Set("operation", Napi::String::New(env, error.what()));
  object.Set("errno", Napi::Number::New(env, error.error));
  object.Set("extack", Napi::String::New(env, error.extack));
  return object;
}

}  // namespace missd
