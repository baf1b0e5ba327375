/*
 * The first packet to an address nobody has contacted, and the packets right after it.
 *
 *   probe FIRST COUNT GAP PATIENCE LIMIT
 *
 * Sends an ICMP echo request to FIRST, FIRST+1, …, waits for the answer, then three more to the same address;
 * GAP µs before each address, so that everybody has gone idle again. Prints per address the µs of the first
 * and the median µs of the others, or "lost" where there was no answer within PATIENCE ms. Begins no address
 * after LIMIT ms.
 */
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/time.h>
#include <unistd.h>

#include "wire.h"

/* kIcmpFilter: ICMP_FILTER of <linux/icmp.h>, which clashes with the C library's headers. */
enum { kWarm = 3, kIcmpFilter = 1 };

static int fd;
static uint16_t id, sequence;

static uint16_t Checksum(const void* data, size_t size) {
  const uint16_t* at = data;
  uint32_t sum = 0;
  for (size_t i = 0; i < size / 2; i++) sum += at[i];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

/* Nanoseconds, or -1. */
static int64_t Echo(uint32_t ip, int64_t patience) {
  struct icmphdr request = {.type = ICMP_ECHO};
  request.un.echo.id = id;
  request.un.echo.sequence = ++sequence;
  request.checksum = Checksum(&request, sizeof(request));
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {ip}};
  int64_t sent = NowNs();
  if (sendto(fd, &request, sizeof(request), 0, (struct sockaddr*)&to, sizeof(to)) < 0) return -1;
  for (;;) {
    char packet[256];
    ssize_t size = recv(fd, packet, sizeof(packet), 0);
    int64_t now = NowNs();
    if (size >= (ssize_t)(sizeof(struct iphdr) + sizeof(request))) {
      struct iphdr* header = (struct iphdr*)packet;
      struct icmphdr* answer = (struct icmphdr*)(packet + header->ihl * 4);
      if (answer->type == ICMP_ECHOREPLY && answer->un.echo.id == id &&
          answer->un.echo.sequence == sequence && header->saddr == ip) {
        return now - sent;
      }
    }
    if (now - sent >= patience) return -1;
  }
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  uint32_t first = ParseIp(argv[1]), count = (uint32_t)atoi(argv[2]);
  useconds_t gap = (useconds_t)atoi(argv[3]);
  int64_t patience = (int64_t)atoi(argv[4]) * 1000000;
  int64_t end = NowNs() + (int64_t)atoi(argv[5]) * 1000000;
  id = (uint16_t)getpid();
  fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (fd < 0) Die("raw socket");
  uint32_t all_but_replies = ~(1u << ICMP_ECHOREPLY);
  setsockopt(fd, SOL_RAW, kIcmpFilter, &all_but_replies, sizeof(all_but_replies));
  struct timeval wait = {.tv_usec = 100000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  for (uint32_t at = 0; at < count && NowNs() < end; at++) {
    uint32_t ip = Nth(first, at);
    usleep(gap);
    int64_t sent = NowNs(), took = Echo(ip, patience);
    if (took < 0) {
      puts("lost");
      continue;
    }
    int64_t warm[kWarm];
    for (int i = 0; i < kWarm; i++) {
      warm[i] = Echo(ip, patience);
      for (int j = i; j > 0 && warm[j] < warm[j - 1]; j--) {
        int64_t other = warm[j];
        warm[j] = warm[j - 1];
        warm[j - 1] = other;
      }
    }
    printf("%.1f %.1f %.1f\n", (double)took / 1000, (double)warm[kWarm / 2] / 1000, (double)sent / 1000);
  }
  return 0;
}
