/*
 * A hostile guest, flat out: ARP requests from random senders for addresses nobody has.
 *
 *   flood CPU…     one thread pinned to each; until SIGTERM, then prints how many were sent
 */
#define _GNU_SOURCE
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "wire.h"

enum { kSend = 256 };
/* As many senders as make every one new to whoever remembers a few, and not so many as fill the bridge's
 * memory. */
static const uint32_t kSenders = 1 << 18;

static atomic_ullong sent;

static uint32_t Random(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 32);
}

static void* Flood(void* argument) {
  static const Mac everybody = {{255, 255, 255, 255, 255, 255}}, nobody = {{0}};
  int cpu = *(int*)argument;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) Die("affinity");
  struct Arp frames[kSend];
  struct iovec vectors[kSend];
  struct mmsghdr headers[kSend];
  struct sockaddr_ll to = {.sll_family = AF_PACKET,
                           .sll_protocol = htons(ETH_P_ARP),
                           .sll_ifindex = IfIndex("eth0"),
                           .sll_halen = 6};
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) Die("packet socket");
  uint64_t state = (uint64_t)NowNs() + (unsigned)cpu;
  for (;;) {
    for (int i = 0; i < kSend; i++) {
      uint32_t sender = Random(&state) % kSenders;
      Mac mac = {{0x06, 0, 0, (uint8_t)(sender >> 16), (uint8_t)(sender >> 8), (uint8_t)sender}};
      // 20.64.0.0/10, which is nobody's.
      uint32_t target = htonl(20u << 24 | 64u << 16 | (Random(&state) & 0x3fffff));
      frames[i] = ArpFrame(1, everybody, mac, htonl(20u << 24 | 1u << 22 | sender), nobody, target);
      vectors[i] = (struct iovec){&frames[i], sizeof(frames[i])};
      headers[i] = (struct mmsghdr){{&to, sizeof(to), &vectors[i], 1, NULL, 0, 0}, 0};
    }
    int some = sendmmsg(fd, headers, kSend, 0);
    if (some > 0) atomic_fetch_add(&sent, (unsigned)some);
  }
  return NULL;
}

static void Tell(int signal) {
  (void)signal;
  printf("%llu\n", (unsigned long long)sent);
  exit(0);
}

int main(int argc, char** argv) {
  static int cpus[1024];
  signal(SIGTERM, Tell);
  for (int i = 1; i < argc && i < 1024; i++) {
    pthread_t thread;
    cpus[i] = atoi(argv[i]);
    if (pthread_create(&thread, NULL, Flood, &cpus[i]) != 0) Die("thread");
  }
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
