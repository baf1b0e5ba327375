#include "js.h"

namespace missd {

namespace {

std::string Text(const Napi::Value& value) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), "not a string");
  return value.As<Napi::String>().Utf8Value();
}

uint32_t Number(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsNumber()) throw Napi::TypeError::New(object.Env(), std::string(name) + " is not a number");
  return value.As<Napi::Number>().Uint32Value();
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

RouteWrite RouteWriteFromJs(const Napi::Value& value) {
  if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), "not an object");
  auto object = value.As<Napi::Object>();
  RouteWrite write;
  std::string operation = Text(object.Get("op"));
  if (operation != "create" && operation != "delete") {
    throw Napi::TypeError::New(value.Env(), "not an operation on a route: " + operation);
  }
  write.operation = operation == "delete" ? WriteOperation::kDelete : WriteOperation::kCreate;
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

Bytes BytesFromJs(const Napi::Value& value) {
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "not a buffer");
  auto buffer = value.As<Napi::Buffer<uint8_t>>();
  return {buffer.Data(), buffer.Length()};
}

}  // namespace missd
