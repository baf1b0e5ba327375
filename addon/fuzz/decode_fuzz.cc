/**
 * Everything that reads what others wrote, in one libFuzzer target: an input is a netlink datagram to each of
 * the decoders, a frame to ParseQuestion, what is written and read again, the life of the table of askers,
 * and the answers to a request and to a dump. What comes out is looked at, too, so that a value that only
 * later would turn out broken counts. test/full/fuzz.test.ts builds and runs it;
 * test/unit/addon/corpus.test.ts runs the corpus alone.
 */
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "asker.h"
#include "decode.h"
#include "dumper.h"
#include "encode.h"
#include "error.h"
#include "fold.h"
#include "frames.h"
#include "request.h"
#include "sighting.h"

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
  NeighbourTable table;
  DecodeNeighbourTable(message.payload, &table);
  Soliciting soliciting;
  DecodeSoliciting(message.payload, &soliciting);
  Answer answer;
  if (DecodeAnswer(message, &answer)) Require(answer.extack.size() <= size, "no words beyond the message");
}

/** A write made of the input is a message that says what was written. */
void Encode(Bytes input) {
  uint8_t shape = input.As<uint8_t>();
  EntryWrite write;
  write.fdb = shape & 1;
  write.operation = static_cast<WriteOperation>((shape >> 1) % 5);
  write.ip = IpFrom({input.data, std::min<size_t>(input.size, shape & 16 ? 16 : 4)});
  if (!write.ip && !write.fdb) return;
  MacFrom({input.data, std::min<size_t>(input.size, 6)}, &write.lladdr);
  write.ifindex = shape;
  write.via = write.fdb && (shape & 32) ? shape : 0;
  write.portless = write.fdb && (shape & 64);
  Writer out;
  EncodeWrite(write, 7, &out);
  EncodeWrite(write, 8, &out);
  out.AcknowledgeLast();
  uint32_t seq = 6;
  bool whole = ForEachMessage({out.bytes().data(), out.bytes().size()}, [&](const Message& message) {
    Require(message.seq == ++seq, "messages are in the order in which they were written");
    Row row;
    bool bare = !write.fdb && write.operation == WriteOperation::kDelete;
    Require(DecodeRow(message.payload, &row), "a written row is read");
    Require(row.ip == write.ip && row.ifindex == write.ifindex && row.via == write.via,
            "it says what was written");
    Require(bare || row.lladdr == write.lladdr, "it names the MAC that was written");
  });
  Require(whole && seq == 8, "all that was written is read");
}

/** Six bytes at a time: who asks for what when, or whose question it was. */
void Ask(AskerTable* askers, Bytes input) {
  // One clock for all inputs, as the table is one.
  static uint64_t now = 1;
  for (size_t at = 0; at + 6 <= input.size; at += 6) {
    const uint8_t* step = input.data + at;
    Question question;
    question.target = IpFrom({step, 4});
    question.ip = question.target;
    question.lladdr.bytes[5] = step[4];
    now += step[5] * 16u;
    uint32_t vxlan = step[4] & 3;
    if (step[5] & 1) {
      askers->Store(vxlan, question, step[4], now);
      Require(askers->LastAsked(vxlan, question.target) == now, "what is asked is known");
      std::optional<Asker> asker = askers->Pair(vxlan, question.target, now);
      Require(asker && asker->port == step[4], "the newest asker is found first");
    } else {
      askers->Pair(vxlan, question.target, now);
      askers->PairAgain(vxlan, question.target, now);
    }
  }
}

/** A socket that has these datagrams to be read, each behind its length in two bytes, and nobody who sends
 * more. */
Fd Answers(Bytes input, Fd* kernel) {
  int ends[2];
  Require(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0, "a pair of sockets");
  *kernel = Fd(ends[1]);
  // The kernel queues ten.
  for (int count = 0; count < 8 && input.size > 2; count++) {
    size_t size = std::min<size_t>(input.As<uint16_t>() % 1024, input.size - 2);
    Require(send(ends[1], input.data + 2, size, 0) >= 0, "an answer is sent");
    input = input.From(2 + size);
  }
  return Fd(ends[0]);
}

/** Whatever is answered: it comes to an end, and what nobody acknowledged has failed. */
void HearAnswers(Bytes input) {
  {
    Fd kernel;
    RequestSocket request(Answers(input, &kernel), 0);
    EntryWrite write;
    write.fdb = true;
    std::vector<Refusal> refusals = request.Write({write, write, write});
    for (const Refusal& refusal : refusals)
      Require(refusal.index < 3 && refusal.error > 0, "a refusal is of a write");
  }
  {
    Fd kernel;
    RequestSocket request(Answers(input, &kernel), 0);
    try {
      Require(request.Get({RowKey{}, RowKey{}}).size() == 2, "as many rows as were asked for");
    } catch (const KernelError& error) {
      Require(error.error > 0, "an errno is positive");
    }
  }
  {
    Fd kernel;
    RequestSocket request(Answers(input, &kernel), 0);
    try {
      std::optional<Link> link = request.GetLink(1);
      if (link) Look(*link, input.size);
    } catch (const KernelError& error) {
      Require(error.error > 0, "an errno is positive");
    }
  }
  {
    Fd kernel;
    std::atomic<bool> cancelled{false};
    Dumper dumper(Answers(input, &kernel), 0, cancelled);
    try {
      dumper.Run([](uint32_t seq, Writer* out) { EncodeDumpLinks(0, seq, out); },
                 [&](const Message& message) { DecodePayload(message, input.size); });
    } catch (const KernelError& error) {
      Require(error.error > 0, "an errno is positive");
    }
  }
}

/** A frame as the sender tap reads it, and a probe of the guest that it names. */
void Sight(Bytes input) {
  // One clock for all inputs, as the table is one.
  static Sightings sightings;
  static uint64_t now = 0;
  Sighting sighting;
  sighting.port = input.As<uint8_t>() & 3;
  sightings.Floods(sighting.port, ++now);
  if (!ParseSighting(input, &sighting)) return;
  Require(sighting.lladdr.IsUnicast(), "a guest is unicast");
  Look(sighting.lladdr);
  Require((sighting.kind == SightingKind::kRarp) == !sighting.ip, "only RARP names no address");
  if (!sighting.ip) return;
  Look(sighting.ip);
  Require(!sighting.ip.IsUnspecified(), "a guest has no unspecified address");
  bool told = sightings.Note(sighting, now);
  Require(!told || !sightings.Note(sighting, now), "what was told is not told again");
  sightings.Forget(sighting.port, sighting.lladdr, sighting.ip);
  Probe probe{sighting.port, sighting.ip, sighting.lladdr, sighting.lladdr};
  std::vector<uint8_t> frame;
  Require(BuildProbe(probe, &frame), "a guest can be probed");
  Question question;
  Require(ParseQuestion({frame.data(), frame.size()}, &question) && question.target == sighting.ip,
          "a probe asks for the address");
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

  Sight(input);
  Encode(input);
  static AskerTable askers;
  Ask(&askers, input);
  // Sockets cost a hundred times what the rest does.
  if (size > 0 && data[0] % 16 == 0) HearAnswers(input.From(1));
  return 0;
}
