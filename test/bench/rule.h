/*
 * Which addresses exist and what the directory says of them, as a rule: what the bench publishes as records
 * and leases the floor knows without any store. rule.ts says the same.
 *
 *   20.128.0.0/10, 30.128.0.0/10   a record each: MAC 02:42 and the four bytes of the address
 *   20.192.0.0/10, 30.192.0.0/10   one lease each, so one MAC
 *   everything else                nobody's
 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  uint8_t bytes[6];
} Mac;

static const Mac kLeaseMac = {{0x02, 0xf0, 0, 0, 0, 1}};

static inline bool IsLeased(uint32_t ip) { return (ntohl(ip) >> 22 & 3) == 3; }

/* ip: network order. False where nobody has it. */
static inline bool AnswerByRule(uint32_t ip, Mac* mac) {
  uint8_t octets[4];
  memcpy(octets, &ip, 4);
  if ((octets[0] != 20 && octets[0] != 30) || octets[1] < 128) return false;
  if (IsLeased(ip)) {
    *mac = kLeaseMac;
  } else {
    *mac = (Mac){{0x02, 0x42, octets[0], octets[1], octets[2], octets[3]}};
  }
  return true;
}

/* The address that is `n` after `first`, both in network order. */
static inline uint32_t Nth(uint32_t first, uint32_t n) { return htonl(ntohl(first) + n); }
