#include "js.h"

namespace missd {

namespace {

std::string Text(const Napi::Value& value) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), "not a string");
  return value.As<Napi::String>().Utf8Value();
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

Bytes BytesFromJs(const Napi::Value& value) {
  if (!value.IsBuffer()) throw Napi::TypeError::New(value.Env(), "not a buffer");
  auto buffer = value.As<Napi::Buffer<uint8_t>>();
  return {buffer.Data(), buffer.Length()};
}

}  // namespace missd
