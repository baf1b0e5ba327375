/*
 * Many distinct misses, and when the last of them is resolved.
 *
 *   storm bridged|routed HOST DEVICE FIRST DISTINCT TOTAL RATE SOURCE
 *
 * Asks for FIRST, FIRST+1, … up to DISTINCT addresses and then from the start again, TOTAL times in all: with
 * ARP requests of SOURCE out of eth0 (bridged), or with a datagram each (routed). RATE per second, 0 for as
 * fast as one core goes. Watches the rows appear on DEVICE in the namespace HOST (a path), which is the same
 * for every responder. Where TOTAL exceeds DISTINCT it removes rows again, half a round behind, so that each
 * question is a miss.
 *
 * Prints `{"at":ms,"sent":…,"resolved":…}` every second and a last line with "done".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "wire.h"

enum { kSend = 256, kReceive = 64, kNewsBytes = 256, kReap = 256 };
static const int64_t kSecond = 1000000000, kTick = 1000000;
/* Without any news for so long it is over. */
static const int64_t kPatience = 10000000000;

static bool bridged;
static uint32_t first, distinct, source;
static long total, rate;
static int news_fd, request_fd, ifindex;
static atomic_long sent;
static long resolved;
static int64_t started, last;

/* Of each address: whether its row stands. */
static uint8_t* standing;
/* Addresses in the order of their rows, as a ring of `distinct`. */
static uint32_t* queue;
static uint32_t queue_at, queue_size;

static void EnterNetns(const char* path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) Die(path);
  close(fd);
}

static void OpenSockets(const char* host, const char* device) {
  // ndm_state follows the netlink header, the family with its padding, and the index.
  const size_t state = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_state);
  struct sock_filter rows[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 0, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, state),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NUD_NOARP), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  EnterNetns(host);
  news_fd = OpenNetlink(1 << (RTNLGRP_NEIGH - 1), rows, sizeof(rows) / sizeof(*rows));
  request_fd = OpenNetlink(0, NULL, 0);
  ifindex = IfIndex(device);
  if (setns(own, CLONE_NEWNET) != 0) Die("setns");
  close(own);
}

static Mac OwnMac(int fd) {
  struct ifreq request = {.ifr_name = "eth0"};
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) Die("eth0");
  Mac mac;
  memcpy(&mac, request.ifr_hwaddr.sa_data, sizeof(mac));
  return mac;
}

static void Await(int64_t until) {
  struct timespec at = {until / kSecond, until % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void* SendAll(void* unused) {
  static struct Arp frames[kSend];
  static char datagram[8];
  struct sockaddr_ll to_all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_halen = 6};
  struct sockaddr_in to_one[kSend];
  struct iovec vectors[kSend];
  struct mmsghdr headers[kSend];
  int fd = bridged ? socket(AF_PACKET, SOCK_RAW, 0) : socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) Die("socket");
  Mac mac = bridged ? OwnMac(fd) : kLeaseMac, everybody = {{255, 255, 255, 255, 255, 255}}, nobody = {{0}};
  if (bridged) to_all.sll_ifindex = IfIndex("eth0");
  long done = 0;
  while (done < total) {
    long due = total;
    if (rate > 0) due = (NowNs() - started + kTick) * rate / kSecond;
    if (due > total) due = total;
    while (done < due) {
      int count = due - done < kSend ? (int)(due - done) : kSend;
      for (int i = 0; i < count; i++) {
        uint32_t ip = Nth(first, (uint32_t)((done + i) % distinct));
        if (bridged) {
          frames[i] = ArpFrame(1, everybody, mac, source, nobody, ip);
          vectors[i] = (struct iovec){&frames[i], sizeof(frames[i])};
          headers[i] = (struct mmsghdr){{&to_all, sizeof(to_all), &vectors[i], 1, NULL, 0, 0}, 0};
        } else {
          to_one[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {ip}};
          vectors[i] = (struct iovec){datagram, sizeof(datagram)};
          headers[i] = (struct mmsghdr){{&to_one[i], sizeof(to_one[i]), &vectors[i], 1, NULL, 0, 0}, 0};
        }
      }
      for (int at = 0; at < count;) {
        int some = sendmmsg(fd, headers + at, (unsigned)(count - at), 0);
        // The kernel's own neighbour table is full: this one will never be a miss.
        at += some > 0 ? some : 1;
      }
      done += count;
      atomic_store(&sent, done);
    }
    if (done < total) Await(started + done * kSecond / rate);
  }
  return unused;
}

/* Removes the oldest rows above half a round; both, as a responder finds it that was never asked. */
static void Reap(void) {
  static Batch batch;
  while (queue_size > distinct / 2 + kReap) {
    for (int i = 0; i < kReap; i++) {
      uint32_t n = queue[(queue_at + (uint32_t)i) % distinct], ip = Nth(first, n);
      Mac mac = {{0}};
      AnswerByRule(ip, &mac);
      PutNeighbour(&batch, RTM_DELNEIGH, ifindex, ip, mac);
      PutFdb(&batch, RTM_DELNEIGH, ifindex, mac, 0);
      standing[n] = 0;
    }
    queue_at = (queue_at + kReap) % distinct;
    queue_size -= kReap;
    Send(request_fd, &batch);
  }
}

static void Heed(const struct nlmsghdr* h) {
  struct ndmsg* entry = NLMSG_DATA(h);
  int length = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*entry));
  struct rtattr* a = (struct rtattr*)((char*)entry + NLMSG_ALIGN(sizeof(*entry)));
  if (entry->ndm_ifindex != ifindex) return;
  for (; RTA_OK(a, length); a = RTA_NEXT(a, length)) {
    if (a->rta_type != NDA_DST || RTA_PAYLOAD(a) != 4) continue;
    uint32_t ip;
    memcpy(&ip, RTA_DATA(a), 4);
    uint32_t n = ntohl(ip) - ntohl(first);
    if (n >= distinct || standing[n]) return;
    standing[n] = 1;
    queue[(queue_at + queue_size++) % distinct] = n;
    resolved++;
    return;
  }
}

/* False when there was nothing to read. */
static bool ReadNews(void) {
  static char bytes[kReceive][kNewsBytes];
  struct iovec vectors[kReceive];
  struct mmsghdr headers[kReceive];
  for (int i = 0; i < kReceive; i++) {
    vectors[i] = (struct iovec){bytes[i], kNewsBytes};
    headers[i] = (struct mmsghdr){{NULL, 0, &vectors[i], 1, NULL, 0, 0}, 0};
  }
  int received = recvmmsg(news_fd, headers, kReceive, MSG_DONTWAIT, NULL);
  if (received < 0 && errno == ENOBUFS) Die("the storm cannot follow");
  if (received <= 0) return false;
  last = NowNs();
  for (int i = 0; i < received; i++) Heed((struct nlmsghdr*)bytes[i]);
  return true;
}

static void Tell(int64_t at, const char* what) {
  printf("{\"%s\":%.3f,\"sent\":%ld,\"resolved\":%ld}\n", what, (double)(at - started) / 1e6,
         atomic_load(&sent), resolved);
  fflush(stdout);
}

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  bridged = strcmp(argv[1], "bridged") == 0;
  first = ParseIp(argv[4]);
  distinct = (uint32_t)atol(argv[5]);
  total = atol(argv[6]);
  rate = atol(argv[7]);
  source = ParseIp(argv[8]);
  standing = calloc(distinct, 1);
  queue = calloc(distinct, sizeof(*queue));
  OpenSockets(argv[2], argv[3]);
  started = last = NowNs();
  pthread_t sender;
  if (pthread_create(&sender, NULL, SendAll, NULL) != 0) Die("thread");
  int64_t told = started;
  while (resolved < total && NowNs() - last < kPatience) {
    struct pollfd ready = {.fd = news_fd, .events = POLLIN};
    poll(&ready, 1, 100);
    while (ReadNews()) {
      if (total > distinct) Reap();
      if (last - told >= kSecond) Tell(told += kSecond, "at");
    }
  }
  Tell(last, "done");
  return 0;
}
