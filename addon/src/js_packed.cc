#include "js_packed.h"

namespace missd {

namespace {

/** Reads the texts of a batch in order. Throws a TypeError for an invalid or missing text. */
class Texts {
 public:
  explicit Texts(const Napi::Value& joined) : env_(joined.Env()) {
    if (!joined.IsString()) throw Napi::TypeError::New(env_, "not a packed batch");
    size_t length = 0;
    napi_get_value_string_latin1(env_, joined, nullptr, 0, &length);
    bytes_.resize(length + 1);
    napi_get_value_string_latin1(env_, joined, bytes_.data(), bytes_.size(), &length);
  }

  Mac LinkAddress() {
    Mac mac;
    std::string_view text = Next();
    if (!Parse(text, &mac)) throw Napi::TypeError::New(env_, "not a MAC address: " + std::string(text));
    return mac;
  }
  Ip Address() {
    Ip ip;
    std::string_view text = Next();
    if (!Parse(text, &ip)) throw Napi::TypeError::New(env_, "not an IP address: " + std::string(text));
    return ip;
  }
  /** Skips the next text if it is empty, which means that the value is absent. */
  bool None() {
    if (at_ >= bytes_.size() || bytes_[at_] != 0) return false;
    at_++;
    return true;
  }
  bool AtEnd() const { return at_ >= bytes_.size(); }
  /** Throws if texts are left: the texts before may then have gone to the wrong items. */
  void End() {
    if (!AtEnd()) throw Napi::TypeError::New(env_, "a packed batch has too many texts");
  }

 private:
  /** The next text, which is followed by a zero byte. */
  std::string_view Next() {
    if (AtEnd()) throw Napi::TypeError::New(env_, "a packed batch lacks texts");
    std::string_view text(&bytes_[at_]);
    at_ += text.size() + 1;
    return text;
  }

  Napi::Env env_;
  std::vector<char> bytes_;
  size_t at_ = 0;
};

struct Numbers {
  const uint32_t* at;
  /** Number of items. */
  size_t count;

  uint32_t Next() { return *at++; }
};

Numbers NumbersFromJs(const Napi::Value& value, size_t each) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    throw Napi::TypeError::New(value.Env(), "not a packed batch");
  auto array = value.As<Napi::Uint32Array>();
  return {array.Data(), array.ElementLength() / each};
}

napi_value String(napi_env env, const std::string& text) {
  napi_value value;
  if (napi_create_string_latin1(env, text.data(), text.size(), &value) != napi_ok)
    throw Napi::Error::New(env);
  return value;
}

}  // namespace

std::vector<EntryWrite> WritesFromJs(const Napi::Value& numbers, const Napi::Value& texts) {
  Numbers in = NumbersFromJs(numbers, kNumbersPerWrite);
  std::vector<EntryWrite> writes(in.count);
  if (writes.empty()) return writes;
  Texts text(texts);
  for (EntryWrite& write : writes) {
    write.fdb = in.Next() != 0;
    uint32_t operation = in.Next();
    if (operation > static_cast<uint32_t>(WriteOperation::kProbe))
      throw Napi::TypeError::New(numbers.Env(), "not a write operation");
    write.operation = static_cast<WriteOperation>(operation);
    write.ifindex = in.Next();
    write.state = static_cast<uint16_t>(in.Next());
    write.flags = static_cast<uint8_t>(in.Next());
    write.protocol = static_cast<uint8_t>(in.Next());
    write.via = in.Next();
    write.portless = in.Next() != 0;
    write.lladdr = text.LinkAddress();
    if (!write.fdb || !text.None()) write.ip = text.Address();
  }
  text.End();
  return writes;
}

std::vector<Announcement> AnnouncementsFromJs(const Napi::Value& numbers, const Napi::Value& texts) {
  Numbers in = NumbersFromJs(numbers, kNumbersPerAnnouncement);
  std::vector<Announcement> announcements(in.count);
  if (announcements.empty()) return announcements;
  Texts text(texts);
  for (Announcement& announcement : announcements) {
    announcement.port = in.Next();
    announcement.router = in.Next() != 0;
    announcement.ip = text.Address();
    announcement.lladdr = text.LinkAddress();
    if (text.None()) {
      text.None();
    } else {
      Mac lladdr = text.LinkAddress();
      announcement.to = Announcement::To{lladdr, text.Address()};
    }
  }
  text.End();
  return announcements;
}

std::vector<Probe> ProbesFromJs(const Napi::Value& numbers, const Napi::Value& texts) {
  Numbers in = NumbersFromJs(numbers, kNumbersPerProbe);
  std::vector<Probe> probes(in.count);
  if (probes.empty()) return probes;
  Texts text(texts);
  for (Probe& probe : probes) {
    probe.port = in.Next();
    probe.ip = text.Address();
    probe.lladdr = text.LinkAddress();
    probe.from = text.LinkAddress();
  }
  text.End();
  return probes;
}

std::vector<Mac> LinkAddressesFromJs(const Napi::Value& texts) {
  std::vector<Mac> addresses;
  Texts text(texts);
  // An empty list is one empty text.
  while (!text.AtEnd() && !text.None()) addresses.push_back(text.LinkAddress());
  text.End();
  return addresses;
}

Napi::Array MissesToJs(Napi::Env env, const Miss* misses, size_t count, uint32_t* numbers) {
  Napi::Array texts = Napi::Array::New(env, count);
  const Asker* last = nullptr;
  uint32_t askers = 0;
  auto put = [&](uint32_t at, const std::string& text) {
    napi_set_element(env, texts, at, String(env, text));
  };
  for (uint32_t i = 0; i < count; i++) {
    const Miss& miss = misses[i];
    const Asker* asker = miss.asker ? &*miss.asker : nullptr;
    put(i, miss.IsLayer3() ? ToString(miss.ip) : ToString(miss.lladdr));
    // Consecutive misses often have the same asker, which is then written once.
    if (asker && !(last && last->lladdr == asker->lladdr && last->ip == asker->ip)) {
      last = asker;
      put(static_cast<uint32_t>(count) + askers * 2, ToString(asker->lladdr));
      put(static_cast<uint32_t>(count) + askers * 2 + 1, ToString(asker->ip));
      askers++;
    }
    *numbers++ = miss.IsLayer3() ? 3 : 2;
    *numbers++ = miss.ifindex;
    *numbers++ = miss.state;
    *numbers++ = miss.count;
    *numbers++ = asker ? asker->port : 0;
    *numbers++ = asker ? askers - 1 : 0;
  }
  return texts;
}

}  // namespace missd
