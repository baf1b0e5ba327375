#include "js_packed.h"

namespace missd {

namespace {

/** Longer than any address as text. */
constexpr size_t kTextBytes = 64;

/** Walks a batch item by item. Throws a TypeError for a batch that is cut short. */
class Unpacker {
 public:
  Unpacker(const Napi::Value& numbers, const Napi::Value& texts, size_t numbers_each, size_t texts_each)
      : env_(numbers.Env()), texts_(texts) {
    if (!numbers.IsTypedArray() || !texts.IsArray()) throw Napi::TypeError::New(env_, "not a packed batch");
    auto array = numbers.As<Napi::Uint32Array>();
    if (array.TypedArrayType() != napi_uint32_array) throw Napi::TypeError::New(env_, "not a packed batch");
    numbers_ = array.Data();
    size_ = array.ElementLength() / numbers_each;
    if (texts.As<Napi::Array>().Length() < size_ * texts_each)
      throw Napi::TypeError::New(env_, "a packed batch lacks texts");
  }

  size_t size() const { return size_; }
  uint32_t Number() { return *numbers_++; }
  Mac LinkAddress() {
    Mac mac;
    if (!Parse(Text(), &mac)) throw Napi::TypeError::New(env_, "not a MAC address: " + std::string(buffer_));
    return mac;
  }
  Ip Address() {
    Ip ip;
    if (!Parse(Text(), &ip)) throw Napi::TypeError::New(env_, "not an IP address: " + std::string(buffer_));
    return ip;
  }
  /** An empty text is none. */
  template <typename Read>
  auto Optional(Read read) -> std::optional<decltype(read())> {
    uint32_t at = at_;
    if (Text().empty()) return std::nullopt;
    at_ = at;
    return read();
  }
  void SkipText() { at_++; }

 private:
  std::string_view Text() {
    napi_value value;
    size_t size = 0;
    if (napi_get_element(env_, texts_, at_++, &value) != napi_ok ||
        napi_get_value_string_latin1(env_, value, buffer_, sizeof(buffer_), &size) != napi_ok) {
      throw Napi::TypeError::New(env_, "not a string");
    }
    return {buffer_, size};
  }

  Napi::Env env_;
  napi_value texts_;
  const uint32_t* numbers_ = nullptr;
  size_t size_ = 0;
  uint32_t at_ = 0;
  char buffer_[kTextBytes];
};

napi_value String(napi_env env, const std::string& text) {
  napi_value value;
  if (napi_create_string_latin1(env, text.data(), text.size(), &value) != napi_ok)
    throw Napi::Error::New(env);
  return value;
}

}  // namespace

std::vector<EntryWrite> WritesFromJs(const Napi::Value& numbers, const Napi::Value& texts) {
  Unpacker in(numbers, texts, kNumbersPerWrite, kTextsPerWrite);
  std::vector<EntryWrite> writes(in.size());
  for (EntryWrite& write : writes) {
    Napi::HandleScope scope(numbers.Env());
    write.fdb = in.Number() != 0;
    uint32_t operation = in.Number();
    if (operation > static_cast<uint32_t>(WriteOperation::kProbe))
      throw Napi::TypeError::New(numbers.Env(), "not a write operation");
    write.operation = static_cast<WriteOperation>(operation);
    write.ifindex = in.Number();
    write.state = static_cast<uint16_t>(in.Number());
    write.flags = static_cast<uint8_t>(in.Number());
    write.protocol = static_cast<uint8_t>(in.Number());
    write.lladdr = in.LinkAddress();
    if (write.fdb) {
      write.ip = in.Optional([&] { return in.Address(); }).value_or(Ip{});
    } else {
      write.ip = in.Address();
    }
  }
  return writes;
}

std::vector<Announcement> AnnouncementsFromJs(const Napi::Value& numbers, const Napi::Value& texts) {
  Unpacker in(numbers, texts, kNumbersPerAnnouncement, kTextsPerAnnouncement);
  std::vector<Announcement> announcements(in.size());
  for (Announcement& announcement : announcements) {
    Napi::HandleScope scope(numbers.Env());
    announcement.port = in.Number();
    announcement.router = in.Number() != 0;
    announcement.ip = in.Address();
    announcement.lladdr = in.LinkAddress();
    std::optional<Mac> asker = in.Optional([&] { return in.LinkAddress(); });
    if (asker) {
      announcement.to = Announcement::To{*asker, in.Address()};
    } else {
      in.SkipText();
    }
  }
  return announcements;
}

Napi::Array MissesToJs(Napi::Env env, const Miss* misses, size_t count, uint32_t* numbers) {
  Napi::Array texts = Napi::Array::New(env, count * kTextsPerMiss);
  napi_value none = String(env, {});
  napi_value asker_lladdr = none;
  napi_value asker_ip = none;
  const Asker* last = nullptr;
  uint32_t at = 0;
  auto put = [&](napi_value text) { napi_set_element(env, texts, at++, text); };
  for (size_t i = 0; i < count; i++) {
    const Miss& miss = misses[i];
    const Asker* asker = miss.asker ? &*miss.asker : nullptr;
    *numbers++ = miss.IsLayer3() ? 3 : 2;
    *numbers++ = miss.ifindex;
    *numbers++ = miss.state;
    *numbers++ = miss.count;
    *numbers++ = asker ? asker->port : 0;
    put(String(env, miss.IsLayer3() ? ToString(miss.ip) : ToString(miss.lladdr)));
    // One guest asks for many things at once: its addresses are made into strings once.
    if (asker && !(last && last->lladdr == asker->lladdr && last->ip == asker->ip)) {
      last = asker;
      asker_lladdr = String(env, ToString(asker->lladdr));
      asker_ip = String(env, ToString(asker->ip));
    }
    put(asker ? asker_lladdr : none);
    put(asker ? asker_ip : none);
  }
  return texts;
}

}  // namespace missd
