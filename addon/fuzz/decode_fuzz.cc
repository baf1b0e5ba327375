/**
 * Everything that reads what others wrote, in one libFuzzer target: an input is a netlink datagram to each of
 * the decoders, and a frame to ParseQuestion. What comes out is looked at, too, so that a value that only
 * later would turn out broken counts.
 * test/full/fuzz.test.ts builds and runs it; test/unit/addon/corpus.test.ts runs the corpus alone.
 */
#include <cstdio>
#include <cstdlib>

#include "decode.h"
#include "fold.h"
#include "frames.h"

namespace {

using namespace missd;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/** The text of an address must be one that is read back as the same. */
void Look(const Ip& ip) {
  if (!ip) return;
  Require(ip.size == 4 || ip.size == 16, "an address has 4 or 16 bytes");
  Ip again;
  Require(Parse(ToString(ip), &again) && again == ip, "an address is read back");
}

void Look(const Mac& mac) {
  Mac again;
  Require(Parse(ToString(mac), &again) && again == mac, "a MAC is read back");
}

void Look(const Link& link, size_t size) {
  Require(link.name.size() <= size && link.kind.size() <= size, "no text is longer than its message");
  Require(link.lladdr.size() <= size * 3, "no link-layer address is longer than its message");
  if (!link.vxlan) return;
  Look(link.vxlan->local);
  Look(link.vxlan->group);
}

void DecodePayload(const Message& message, size_t size) {
  Row row;
  if (DecodeRow(message.payload, &row)) {
    Look(row.ip);
    if (row.lladdr) Look(*row.lladdr);
  }
  Link link;
  if (DecodeLink(message.payload, &link)) Look(link, size);
  InterfaceAddress address;
  if (DecodeAddress(message.payload, &address)) Look(address.ip);
  Route route;
  if (DecodeRoute(message.payload, &route)) {
    Look(route.destination);
    Look(route.gateway);
    Require(route.length <= route.destination.size * 8, "no prefix is longer than its address");
  }
  Soliciting soliciting;
  DecodeSoliciting(message.payload, &soliciting);
  Answer answer;
  if (DecodeAnswer(message, &answer)) Require(answer.extack.size() <= size, "no words beyond the message");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input{data, size};

  std::vector<Miss> misses;
  DecodeMisses(input, &misses);
  std::vector<Miss> folded;
  Fold fold(&folded, misses.size());
  for (Miss& miss : misses) {
    Look(miss.ip);
    Look(miss.lladdr);
    fold.Add(miss);
  }
  uint32_t count = 0;
  for (const Miss& miss : folded) count += miss.count;
  Require(count == misses.size(), "folding loses no miss");

  ForEachMessage(input, [size](const Message& message) { DecodePayload(message, size); });

  Question question;
  if (ParseQuestion(input, &question)) {
    Require(question.lladdr.IsUnicast(), "an asker is unicast");
    Require(question.target.size == question.ip.size, "an asker has the family of its question");
    Look(question.target);
    Look(question.ip);
    Announcement announcement;
    announcement.ip = question.target;
    announcement.to = Announcement::To{question.lladdr, question.ip};
    std::vector<uint8_t> frame;
    Require(BuildAnnouncement(announcement, &frame) != question.ip.IsUnspecified(),
            "nowhere is not answered");
  }
  return 0;
}
