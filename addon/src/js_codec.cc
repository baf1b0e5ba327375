/** Exports the pure functions, for tests with byte tables. */
#include <linux/rtnetlink.h>

#include "fold.h"
#include "js.h"
#include "js_packed.h"

namespace missd {

namespace {

using Info = Napi::CallbackInfo;

/** Decodes every message of a buffer with `decode`. Returns `{ values, malformed }`. */
template <typename T>
Napi::Value DecodeAll(const Info& info, bool (*decode)(Bytes, T*)) {
  std::vector<T> values;
  uint32_t malformed = 0;
  bool whole = ForEachMessage(BytesFromJs(info[0]), [&](const Message& message) {
    T value;
    if (decode(message.payload, &value)) {
      values.push_back(std::move(value));
    } else {
      malformed++;
    }
  });
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("values", ToJs(info.Env(), values));
  result.Set("malformed", whole ? malformed : malformed + 1);
  return result;
}

Napi::Value DecodeMissesToJs(const Info& info) {
  std::vector<Miss> misses;
  uint32_t malformed = DecodeMisses(BytesFromJs(info[0]), &misses);
  std::vector<Miss> folded;
  Fold fold(&folded, misses.size());
  for (Miss& miss : misses) fold.Add(std::move(miss));
  Napi::Object result = Napi::Object::New(info.Env());
  Napi::Uint32Array numbers = Napi::Uint32Array::New(info.Env(), folded.size() * kNumbersPerMiss);
  result.Set("texts", MissesToJs(info.Env(), folded.data(), folded.size(), numbers.Data()));
  result.Set("numbers", numbers);
  result.Set("malformed", malformed);
  return result;
}

/** The answers (NLMSG_ERROR) in a buffer: `{ seq, errno, extack }`. */
Napi::Value DecodeAnswersToJs(const Info& info) {
  Napi::Env env = info.Env();
  Napi::Array answers = Napi::Array::New(env);
  ForEachMessage(BytesFromJs(info[0]), [&](const Message& message) {
    Answer answer;
    if (message.type != NLMSG_ERROR || !DecodeAnswer(message, &answer)) return;
    Napi::Object object = Napi::Object::New(env);
    object.Set("seq", message.seq);
    object.Set("errno", answer.error);
    object.Set("extack", answer.extack);
    answers.Set(answers.Length(), object);
  });
  return answers;
}

Napi::Value EncodeWritesToJs(const Info& info) {
  Writer out;
  uint32_t seq = 0;
  for (const EntryWrite& write : WritesFromJs(info[0], info[1])) EncodeWrite(write, ++seq, &out);
  if (seq > 0) out.AcknowledgeLast();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), out.bytes().data(), out.bytes().size());
}

Napi::Value EncodeRoutesToJs(const Info& info) {
  Writer out;
  uint32_t seq = 0;
  for (const RouteWrite& write : VectorFromJs(info[0], RouteWriteFromJs))
    EncodeRouteWrite(write, ++seq, &out);
  if (seq > 0) out.AcknowledgeLast();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), out.bytes().data(), out.bytes().size());
}

Napi::Value BuildAnnouncementToJs(const Info& info) {
  std::vector<uint8_t> frame;
  std::vector<Announcement> announcements = AnnouncementsFromJs(info[0], info[1]);
  if (announcements.empty() || !BuildAnnouncement(announcements[0], &frame)) return info.Env().Undefined();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), frame.data(), frame.size());
}

Napi::Value ParseQuestionToJs(const Info& info) {
  Question question;
  if (!ParseQuestion(BytesFromJs(info[0]), &question)) return info.Env().Undefined();
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("target", ToString(question.target));
  object.Set("lladdr", ToString(question.lladdr));
  object.Set("ip", ToString(question.ip));
  return object;
}

Napi::Value BuildProbeToJs(const Info& info) {
  std::vector<uint8_t> frame;
  std::vector<Probe> probes = ProbesFromJs(info[0], info[1]);
  if (probes.empty() || !BuildProbe(probes[0], &frame)) return info.Env().Undefined();
  return Napi::Buffer<uint8_t>::Copy(info.Env(), frame.data(), frame.size());
}

Napi::Value ParseSightingToJs(const Info& info) {
  Sighting sighting;
  return ParseSighting(BytesFromJs(info[0]), &sighting) ? ToJs(info.Env(), sighting) : info.Env().Undefined();
}

}  // namespace

void ExportCodec(Napi::Env env, Napi::Object exports) {
  auto put = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  put("decodeMisses", DecodeMissesToJs);
  put("decodeLinks", [](const Info& info) { return DecodeAll<Link>(info, DecodeLink); });
  put("decodeAddresses", [](const Info& info) { return DecodeAll<InterfaceAddress>(info, DecodeAddress); });
  put("decodeRows", [](const Info& info) { return DecodeAll<Row>(info, DecodeRow); });
  put("decodeRoutes", [](const Info& info) { return DecodeAll<Route>(info, DecodeRoute); });
  put("decodeAnswers", DecodeAnswersToJs);
  put("encodeWrites", EncodeWritesToJs);
  put("encodeRoutes", EncodeRoutesToJs);
  put("buildAnnouncement", BuildAnnouncementToJs);
  put("parseQuestion", ParseQuestionToJs);
  put("buildProbe", BuildProbeToJs);
  put("parseSighting", ParseSightingToJs);
}

}  // namespace missd
