/* Netlink and packet sockets as the bench's programs use them. Every failure ends the program with a line. */
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "rule.h"

enum { kNtfExtLearned = 0x10, kNdaProtocol = 12, kOwnProtocol = 77, kBuffer = 64 << 20 };

static inline void Die(const char* what) {
  perror(what);
  exit(1);
}

static inline int64_t NowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int IfIndex(const char* name) {
  int index = (int)if_nametoindex(name);
  if (index == 0) Die(name);
  return index;
}

static inline uint32_t ParseIp(const char* text) {
  uint32_t ip;
  if (inet_pton(AF_INET, text, &ip) != 1) {
    fprintf(stderr, "%s is no IPv4 address\n", text);
    exit(2);
  }
  return ip;
}

/* groups: a bit mask as in sockaddr_nl. */
static inline int OpenNetlink(uint32_t groups, struct sock_filter* filter, size_t length) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) Die("netlink socket");
  int size = kBuffer;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) Die("SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0) Die("SO_SNDBUFFORCE");
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  if (filter != NULL) {
    struct sock_fprog program = {(unsigned short)length, filter};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) Die("filter");
  }
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  if (bind(fd, (struct sockaddr*)&address, sizeof(address)) != 0) Die("bind netlink");
  return fd;
}

/* Messages that go out in one send. */
typedef struct {
  char bytes[1 << 20];
  size_t size;
  struct nlmsghdr* last;
} Batch;

static inline void PutAttribute(Batch* batch, int type, const void* data, size_t size) {
  struct rtattr* attribute = (struct rtattr*)(batch->bytes + batch->size);
  attribute->rta_type = (unsigned short)type;
  attribute->rta_len = (unsigned short)RTA_LENGTH(size);
  memcpy(RTA_DATA(attribute), data, size);
  batch->size += RTA_SPACE(size);
}

static inline void PutHeader(Batch* batch, int type, int flags, struct ndmsg entry) {
  batch->last = (struct nlmsghdr*)(batch->bytes + batch->size);
  *batch->last = (struct nlmsghdr){
      .nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = 1};
  memcpy(NLMSG_DATA(batch->last), &entry, sizeof(entry));
  batch->size += NLMSG_LENGTH(sizeof(entry));
}

static inline void CloseMessage(Batch* batch) {
  batch->last->nlmsg_len = (uint32_t)(batch->bytes + batch->size - (char*)batch->last);
}

/* type: RTM_NEWNEIGH or RTM_DELNEIGH. The rows are of the same kind as missd's own. */
static inline void PutFdb(Batch* batch, int type, int ifindex, Mac mac, uint32_t vtep) {
  int flags = type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0;
  PutHeader(batch, type, flags,
            (struct ndmsg){.ndm_family = AF_BRIDGE,
                           .ndm_ifindex = ifindex,
                           .ndm_state = NUD_REACHABLE,
                           .ndm_flags = NTF_SELF | kNtfExtLearned});
  PutAttribute(batch, NDA_LLADDR, &mac, sizeof(mac));
  PutAttribute(batch, NDA_DST, &vtep, sizeof(vtep));
  CloseMessage(batch);
}

static inline void PutNeighbour(Batch* batch, int type, int ifindex, uint32_t ip, Mac mac) {
  int flags = type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0;
  PutHeader(batch, type, flags,
            (struct ndmsg){.ndm_family = AF_INET,
                           .ndm_ifindex = ifindex,
                           .ndm_state = NUD_NOARP,
                           .ndm_flags = kNtfExtLearned});
  uint8_t protocol = kOwnProtocol;
  PutAttribute(batch, NDA_DST, &ip, sizeof(ip));
  PutAttribute(batch, NDA_LLADDR, &mac, sizeof(mac));
  PutAttribute(batch, kNdaProtocol, &protocol, sizeof(protocol));
  CloseMessage(batch);
}

/* One send, and every answer up to the last message's. Returns how many were refused. */
static inline int Send(int fd, Batch* batch) {
  if (batch->size == 0) return 0;
  batch->last->nlmsg_flags |= NLM_F_ACK;
  batch->last->nlmsg_seq = 2;
  if (send(fd, batch->bytes, batch->size, 0) < 0) Die("send netlink");
  batch->size = 0;
  int refused = 0;
  for (;;) {
    char answer[8192];
    ssize_t size = recv(fd, answer, sizeof(answer), 0);
    if (size < 0) Die("receive acknowledgement");
    int left = (int)size;
    for (struct nlmsghdr* h = (struct nlmsghdr*)answer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      if (((struct nlmsgerr*)NLMSG_DATA(h))->error != 0) refused++;
      if (h->nlmsg_seq == 2) return refused;
    }
  }
}

struct __attribute__((packed)) Arp {
  uint8_t to[6], from[6];
  uint16_t ether, hardware, protocol;
  uint8_t hardware_size, protocol_size;
  uint16_t operation;
  Mac sender;
  uint32_t sender_ip;
  Mac target;
  uint32_t target_ip;
};

/* operation: 1 asks, 2 answers. */
static inline struct Arp ArpFrame(int operation, Mac to, Mac sender, uint32_t sender_ip, Mac target,
                                  uint32_t target_ip) {
  struct Arp arp = {.ether = htons(ETH_P_ARP),
                    .hardware = htons(1),
                    .protocol = htons(ETH_P_IP),
                    .hardware_size = 6,
                    .protocol_size = 4,
                    .operation = htons((uint16_t)operation),
                    .sender = sender,
                    .sender_ip = sender_ip,
                    .target = target,
                    .target_ip = target_ip};
  memcpy(arp.to, &to, 6);
  memcpy(arp.from, &sender, 6);
  return arp;
}
