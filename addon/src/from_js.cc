#include "js.h"

namespace missd {

namespace {

uint32_t Number(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsNumber()) throw Napi::TypeError::New(object.Env(), std::string(name) + " is not a number");
  return value.As<Napi::Number>().Uint32Value();
}

std::string Text(const Napi::Value& value) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), "not a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object Object(const Napi::Value& value) {
  if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), "not an object");
  return value.As<Napi::Object>();
}

WriteOperation OperationFromJs(const Napi::Value& value) {
  std::string text = Text(value);
  if (text == "create") return WriteOperation::kCreate;
  if (text == "replace") return WriteOperation::kReplace;
  if (text == "append") return WriteOperation::kAppend;
  if (text == "delete") return WriteOperation::kDelete;
  throw Napi::TypeError::New(value.Env(), "not a write operation: " + text);
}

}  // namespace

Ip IpFromJs(const Napi::Value& value) {
  Ip ip;
  std::string text = Text(value);
  if (!Parse(text, &ip)) throw Napi::TypeError::New(value.Env(), "not an IP address: " + text);
  return ip;
}

Mac MacFromJs(const Napi::Value& value) {
  Mac mac;
  std::string text = Text(value);
  if (!Parse(text, &mac)) throw Napi::TypeError::New(value.Env(), "not a MAC address: " + text);
  return mac;
}

EntryWrite WriteFromJs(const Napi::Value& value) {
  Napi::Object object = Object(value);
  EntryWrite write;
  write.fdb = Text(object.Get("table")) == "fdb";
  write.operation = OperationFromJs(object.Get("op"));
  write.ifindex = Number(object, "ifindex");
  write.state = static_cast<uint16_t>(Number(object, "state"));
  write.flags = static_cast<uint8_t>(Number(object, "flags"));
  write.lladdr = MacFromJs(object.Get("lladdr"));
  if (!write.fdb) {
    write.ip = IpFromJs(object.Get("ip"));
    write.protocol = static_cast<uint8_t>(Number(object, "protocol"));
  } else if (Napi::Value vtep = object.Get("vtep"); !vtep.IsUndefined()) {
    write.ip = IpFromJs(vtep);
  }
  return write;
}

RouteWrite RouteWriteFromJs(const Napi::Value& value) {
  Napi::Object object = Object(value);
  RouteWrite write;
  write.operation = OperationFromJs(object.Get("op"));
  write.ifindex = Number(object, "ifindex");
  write.protocol = static_cast<uint8_t>(Number(object, "protocol"));
  write.gateway = IpFromJs(object.Get("gateway"));
  std::string cidr = Text(object.Get("cidr"));
  size_t slash = cidr.find('/');
  std::string digits = slash == std::string::npos ? "" : cidr.substr(slash + 1);
  bool number =
      !digits.empty() && digits.size() <= 3 && digits.find_first_not_of("0123456789") == digits.npos;
  int length = number ? std::stoi(digits) : -1;
  if (length < 0 || !Parse(cidr.substr(0, slash), &write.destination) ||
      length > write.destination.size * 8 || write.gateway.size != write.destination.size) {
    throw Napi::TypeError::New(value.Env(), "not a prefix of the gateway's family: " + cidr);
  }
  write.length = static_cast<uint8_t>(length);
  return write;
}

Announcement AnnouncementFromJs(const Napi::Value& value) {
  Napi::Object object = Object(value);
  Announcement announcement;
  announcement.port = Number(object, "port");
  announcement.ip = IpFromJs(object.Get("ip"));
  announcement.lladdr = MacFromJs(object.Get("lladdr"));
  announcement.router = object.Get("router").ToBoolean();
  if (Napi::Value to = object.Get("to"); !to.IsUndefined()) {
    Napi::Object asker = Object(to);
    announcement.to = Announcement::To{MacFromJs(asker.Get("lladdr")), IpFromJs(asker.Get("ip"))};
  }
  return announcement;
}

Bytes BytesFromJs(const Napi::Value& value) {
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "not a buffer");
  auto buffer = value.As<Napi::Buffer<uint8_t>>();
  return {buffer.Data(), buffer.Length()};
}

}  // namespace missd
