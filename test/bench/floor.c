/*
 * The floor: what a miss costs at least. Answers from no store, by the rule of rule.h, or with one MGET per
 * drain, and batches the whole way: drain, one send for all entries, one sendmmsg for all announcements.
 *
 *   floor [--redis SOCKET] [--vtep IP] [--tap PORT]… DEVICE=VNI…
 *
 * Says "ready" once it is subscribed, and its counters at SIGTERM.
 */
#define _GNU_SOURCE
#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "redis.h"
#include "wire.h"

enum { kDrain = 1024, kReceive = 64, kMissBytes = 512, kAskers = 1 << 16, kDevices = 8, kTaps = 8 };

typedef struct {
  int ifindex;
  uint32_t ip;
  Mac mac;
  uint32_t vtep;
  bool guest, known;
} Miss;

static struct {
  int ifindex;
  unsigned vni;
  bool has_lease_mac;
} devices[kDevices];
static int device_count;

static struct {
  uint32_t target, ip;
  Mac mac;
  int port;
} askers[kAskers];

static Miss misses[kDrain];
static Batch batch;
static int miss_fd, write_fd, announce_fd, taps[kTaps], tap_count;
static bool asks_redis;
static uint32_t vtep;
static unsigned long long seen, resolved, refused, overruns, announced;

/* ETH_P_ALL: what enters by a bridge port is the bridge's before anybody else is asked. */
static int OpenTap(int ifindex) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, sizeof(struct Arp)), BPF_STMT(BPF_RET | BPF_K, 0),
  };
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) Die("packet socket");
  struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
  int size = kBuffer, on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) Die("filter");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) Die("SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0) Die("ignore outgoing");
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
  if (bind(fd, (struct sockaddr*)&address, sizeof(address)) != 0) Die("bind tap");
  return fd;
}

static void DrainTap(int fd) {
  static struct Arp frames[kReceive];
  struct sockaddr_ll from[kReceive];
  struct iovec vectors[kReceive];
  struct mmsghdr headers[kReceive];
  for (;;) {
    for (int i = 0; i < kReceive; i++) {
      vectors[i] = (struct iovec){&frames[i], sizeof(frames[i])};
      headers[i] = (struct mmsghdr){{&from[i], sizeof(from[i]), &vectors[i], 1, NULL, 0, 0}, 0};
    }
    int count = recvmmsg(fd, headers, kReceive, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
      uint32_t target = frames[i].target_ip;
      uint32_t at = ntohl(target) % kAskers;
      askers[at].target = target;
      askers[at].ip = frames[i].sender_ip;
      askers[at].mac = frames[i].sender;
      askers[at].port = from[i].sll_ifindex;
    }
    if (count < kReceive) return;
  }
}

static int DeviceOf(int ifindex) {
  for (int i = 0; i < device_count; i++) {
    if (devices[i].ifindex == ifindex) return i;
  }
  return -1;
}

static int Decode(const char* bytes, size_t size, int count) {
  int left = (int)size;
  for (struct nlmsghdr* h = (struct nlmsghdr*)bytes; NLMSG_OK(h, left) && count < kDrain;
       h = NLMSG_NEXT(h, left)) {
    struct ndmsg* entry = NLMSG_DATA(h);
    if (h->nlmsg_type != RTM_GETNEIGH || entry->ndm_family != AF_INET) continue;
    int length = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*entry));
    struct rtattr* a = (struct rtattr*)((char*)entry + NLMSG_ALIGN(sizeof(*entry)));
    for (; RTA_OK(a, length); a = RTA_NEXT(a, length)) {
      if (a->rta_type != NDA_DST || RTA_PAYLOAD(a) != 4) continue;
      Miss* miss = &misses[count];
      *miss = (Miss){.ifindex = entry->ndm_ifindex, .vtep = vtep, .guest = entry->ndm_state == NUD_STALE};
      memcpy(&miss->ip, RTA_DATA(a), 4);
      if (DeviceOf(miss->ifindex) >= 0) count++;
      break;
    }
  }
  return count;
}

static int DrainMisses(void) {
  static char bytes[kReceive][kMissBytes];
  struct iovec vectors[kReceive];
  struct mmsghdr headers[kReceive];
  int count = 0;
  while (count + kReceive <= kDrain) {
    for (int i = 0; i < kReceive; i++) {
      vectors[i] = (struct iovec){bytes[i], kMissBytes};
      headers[i] = (struct mmsghdr){{NULL, 0, &vectors[i], 1, NULL, 0, 0}, 0};
    }
    int received = recvmmsg(miss_fd, headers, kReceive, MSG_DONTWAIT, NULL);
    if (received < 0 && errno == ENOBUFS) {
      overruns++;
      continue;
    }
    for (int i = 0; i < received; i++) count = Decode(bytes[i], headers[i].msg_len, count);
    if (received < kReceive) break;
  }
  return count;
}

static void LookUp(int count) {
  BeginLookup(count);
  for (int i = 0; i < count; i++) AddLookup(devices[DeviceOf(misses[i].ifindex)].vni, misses[i].ip);
  SendLookup();
  for (int i = 0; i < count; i++) misses[i].known = ReadRecord(&misses[i].mac, &misses[i].vtep);
}

static void Write(int count) {
  for (int i = 0; i < count; i++) {
    if (!misses[i].known) continue;
    // One MAC for all of a lease is remembered, as anybody would who writes it.
    bool lease = memcmp(&misses[i].mac, &kLeaseMac, sizeof(Mac)) == 0;
    bool* written = &devices[DeviceOf(misses[i].ifindex)].has_lease_mac;
    if (lease && *written) continue;
    *written |= lease;
    PutFdb(&batch, RTM_NEWNEIGH, misses[i].ifindex, misses[i].mac, misses[i].vtep);
  }
  for (int i = 0; i < count; i++) {
    if (!misses[i].known) continue;
    PutNeighbour(&batch, RTM_NEWNEIGH, misses[i].ifindex, misses[i].ip, misses[i].mac);
    resolved++;
  }
  refused += (unsigned)Send(write_fd, &batch);
}

static void Announce(int count) {
  static struct Arp frames[kDrain];
  static struct sockaddr_ll to[kDrain];
  static struct iovec vectors[kDrain];
  static struct mmsghdr headers[kDrain];
  int frame_count = 0;
  for (int i = 0; i < count; i++) {
    uint32_t at = ntohl(misses[i].ip) % kAskers;
    if (!misses[i].known || !misses[i].guest || askers[at].target != misses[i].ip) continue;
    int n = frame_count++;
    frames[n] = ArpFrame(2, askers[at].mac, misses[i].mac, misses[i].ip, askers[at].mac, askers[at].ip);
    to[n] = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                 .sll_protocol = htons(ETH_P_ARP),
                                 .sll_ifindex = askers[at].port,
                                 .sll_halen = 6};
    memcpy(to[n].sll_addr, &askers[at].mac, 6);
    vectors[n] = (struct iovec){&frames[n], sizeof(frames[n])};
    headers[n] = (struct mmsghdr){{&to[n], sizeof(to[n]), &vectors[n], 1, NULL, 0, 0}, 0};
  }
  for (int at = 0; at < frame_count;) {
    int sent = sendmmsg(announce_fd, headers + at, (unsigned)(frame_count - at), 0);
    at += sent > 0 ? sent : 1;
    announced += sent > 0 ? (unsigned)sent : 0;
  }
}

static void Tell(int signal) {
  (void)signal;
  printf("misses %llu resolved %llu refused %llu overruns %llu announced %llu\n", seen, resolved, refused,
         overruns, announced);
  exit(0);
}

static void ReadArguments(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--redis") == 0) {
      OpenRedis(argv[++i]);
      asks_redis = true;
    } else if (strcmp(argv[i], "--vtep") == 0) {
      vtep = ParseIp(argv[++i]);
    } else if (strcmp(argv[i], "--tap") == 0) {
      taps[tap_count++ % kTaps] = OpenTap(IfIndex(argv[++i]));
    } else {
      char* equals = strchr(argv[i], '=');
      if (equals == NULL || device_count == kDevices) exit(2);
      *equals = 0;
      devices[device_count].ifindex = IfIndex(argv[i]);
      devices[device_count++].vni = (unsigned)atoi(equals + 1);
    }
  }
}

int main(int argc, char** argv) {
  struct sock_filter only_misses[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_GETNEIGH), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  announce_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  ReadArguments(argc, argv);
  write_fd = OpenNetlink(0, NULL, 0);
  miss_fd = OpenNetlink(1 << (RTNLGRP_NEIGH - 1), only_misses, sizeof(only_misses) / sizeof(*only_misses));
  signal(SIGTERM, Tell);
  puts("ready");
  fflush(stdout);
  struct pollfd ready = {.fd = miss_fd, .events = POLLIN};
  for (;;) {
    if (poll(&ready, 1, -1) < 0) continue;
    int count = DrainMisses();
    if (count == 0) continue;
    seen += (unsigned)count;
    for (int i = 0; i < tap_count; i++) DrainTap(taps[i]);
    if (asks_redis) {
      LookUp(count);
    } else {
      for (int i = 0; i < count; i++) misses[i].known = AnswerByRule(misses[i].ip, &misses[i].mac);
    }
    Write(count);
    Announce(count);
  }
}
