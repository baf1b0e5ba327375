/*
 * A hostile guest: questions for unknown addresses, as fast as the processors send them, from forged senders.
 *
 *   flood DEVICE arp|ns|l2 SECONDS [CPU…]
 *
 * One process is pinned to each CPU. Prints the number of frames at the end. With 0 seconds it prints "ready"
 * and floods until SIGTERM.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME = 86 };
/* More senders than missd or a bridge remembers of one port, fewer than fill the memory of a bridge. */
static const uint64_t kSenders = 1 << 18;

static uint64_t seed;
/* Shared by the processes. */
static atomic_ullong *sent;

/* xorshift64: the numbers need not be random, only different. */
static uint64_t Random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static double Now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void PutMac(uint8_t *at, uint64_t value) {
  memcpy(at, &value, 6);
  at[0] = 2;
}

static void PutSender(uint8_t *at) { PutMac(at, Random() % kSenders << 16); }

/* In 20.64.0.0/10, where no guest is: the guests of the labs are in 20.0.0.0/16. */
static void PutIp(uint8_t *at, uint64_t value) {
  uint32_t ip = htonl(0x14400000u | (uint32_t)(value & 0x3fffff));
  memcpy(at, &ip, 4);
}

static uint32_t Sum(const uint8_t *at, size_t size, uint32_t sum) {
  for (size_t i = 0; i < size; i += 2) sum += (uint32_t)at[i] << 8 | at[i + 1];
  return sum;
}

static size_t Arp(uint8_t *frame) {
  static const uint8_t kHead[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
  memset(frame, 0, FRAME);
  memset(frame, 0xff, 6);
  PutSender(frame + 6);
  memcpy(frame + 12, kHead, sizeof(kHead));
  memcpy(frame + 22, frame + 6, 6);
  PutIp(frame + 28, Random());
  PutIp(frame + 38, Random());
  return 60;
}

static size_t NeighbourSolicitation(uint8_t *frame) {
  uint64_t target = Random();
  memset(frame, 0, FRAME);
  memcpy(frame, "\x33\x33\xff", 3);
  PutSender(frame + 6);
  memcpy(frame + 12, "\x86\xdd\x60\0\0\0\0\x20\x3a\xff\xfd\x20", 12);
  memcpy(frame + 30, &seed, 8);
  memcpy(frame + 38, "\xff\x02", 2);
  frame[49] = 1;
  frame[50] = 0xff;
  frame[54] = 135;
  frame[62] = 0xfd;
  frame[63] = 0x20;
  memcpy(frame + 70, &target, 8);
  memcpy(frame + 51, frame + 75, 3);
  memcpy(frame + 3, frame + 75, 3);
  frame[78] = 1;
  frame[79] = 1;
  memcpy(frame + 80, frame + 6, 6);
  uint32_t sum = Sum(frame + 22, 32, 32 + 58);
  sum = Sum(frame + 54, 32, sum);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  frame[56] = (uint8_t)(~sum >> 8);
  frame[57] = (uint8_t)~sum;
  return 86;
}

static size_t UnknownMac(uint8_t *frame) {
  memset(frame, 0, FRAME);
  PutMac(frame, Random());
  PutSender(frame + 6);
  memcpy(frame + 12, "\x88\xb5", 2);
  return 60;
}

/* Sends until `end`, on the clock of Now(). */
static int Flood(const char *device, size_t (*build)(uint8_t *), double end) {
  int out = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(device)};
  if (out < 0 || bind(out, (struct sockaddr *)&to, sizeof(to)) != 0) return perror("packet socket"), 1;
  static uint8_t frames[BATCH][FRAME];
  static struct iovec vectors[BATCH];
  static struct mmsghdr headers[BATCH];
  while (Now() < end) {
    for (int i = 0; i < BATCH; i++) {
      vectors[i] = (struct iovec){frames[i], build(frames[i])};
      headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = sendmmsg(out, headers, BATCH, 0);
    if (count > 0) atomic_fetch_add(sent, (unsigned)count);
  }
  return 0;
}

static int Pin(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  return sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* The children die with their parent. */
static void Tell(int signal) {
  (void)signal;
  printf("%llu\n", (unsigned long long)*sent);
  exit(0);
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "flood DEVICE arp|ns|l2 SECONDS [CPU...]\n"), 2;
  size_t (*build)(uint8_t *) = strcmp(argv[2], "arp") == 0  ? Arp
                               : strcmp(argv[2], "ns") == 0 ? NeighbourSolicitation
                                                            : UnknownMac;
  const double seconds = atof(argv[3]);
  const double end = Now() + (seconds > 0 ? seconds : 1e9);
  sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (sent == MAP_FAILED) return perror("mmap"), 1;
  for (int i = 4; i < argc || i == 4; i++) {
    pid_t child = fork();
    if (child < 0) return perror("fork"), 1;
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (i < argc && Pin(atoi(argv[i])) != 0) return perror("sched_setaffinity"), 1;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    seed = (uint64_t)time.tv_nsec << 20 ^ (uint64_t)time.tv_sec ^ (uint64_t)i << 50;
    return Flood(argv[1], build, end);
  }
  if (seconds == 0) {
    signal(SIGTERM, Tell);
    puts("ready");
    fflush(stdout);
  }
  int failed = 0;
  for (int status; wait(&status) > 0;) failed |= status != 0;
  if (failed) return 1;
  printf("%llu\n", (unsigned long long)*sent);
  return 0;
}
