/* One MGET at a time over a unix socket, as short as it can be. */
#pragma once

#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

enum { kMostKeys = 1024, kKeyBytes = 72 };

static int redis_fd = -1;
static char request[kMostKeys * kKeyBytes + 64];
static size_t request_size;
static void OpenRedis(const char* path) {
  redis_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  if (redis_fd < 0 || connect(redis_fd, (struct sockaddr*)&address, sizeof(address)) != 0) Die(path);
}

static char reply[1 << 20];
static size_t reply_size, reply_at;

static char* ReplyBytes(size_t count) {
  while (reply_size - reply_at < count) {
    if (reply_at > 0) memmove(reply, reply + reply_at, reply_size -= reply_at);
    reply_at = 0;
    ssize_t size = read(redis_fd, reply + reply_size, sizeof(reply) - 1 - reply_size);
    if (size <= 0) Die("redis");
    reply_size += (size_t)size;
  }
  char* at = reply + reply_at;
  reply_at += count;
  return at;
}

/* A line `*3`, `$28` or `$-1`: the number in it. */
static long ReplyNumber(void) {
  char text[16];
  size_t size = 0;
  ReplyBytes(1);
  for (char c; (c = *ReplyBytes(1)) != '\r';) {
    if (size < sizeof(text) - 1) text[size++] = c;
  }
  ReplyBytes(1);
  text[size] = 0;
  return atol(text);
}

static void BeginLookup(int count) {
  request_size = (size_t)sprintf(request, "*%d\r\n$4\r\nMGET\r\n", count + 1);
}

static void AddLookup(unsigned vni, uint32_t address) {
  char key[kKeyBytes], ip[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address, ip, sizeof(ip));
  int length = sprintf(key, "missd:{%u}:ip:%s", vni, ip);
  request_size += (size_t)sprintf(request + request_size, "$%d\r\n%s\r\n", length, key);
}

static void SendLookup(void) {
  for (size_t at = 0; at < request_size;) {
    ssize_t written = write(redis_fd, request + at, request_size - at);
    if (written <= 0) Die("redis");
    at += (size_t)written;
  }
  ReplyNumber();
}

/* The next record of the answer. False where there is none. */
static bool ReadRecord(Mac* mac, uint32_t* vtep) {
  long length = ReplyNumber();
  if (length < 0) return false;
  char value[128] = {0}, text[INET_ADDRSTRLEN];
  const char* bytes = ReplyBytes((size_t)length + 2);
  memcpy(value, bytes, (size_t)length < sizeof(value) ? (size_t)length : sizeof(value) - 1);
  uint8_t* m = mac->bytes;
  return sscanf(value, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx %15s", m, m + 1, m + 2, m + 3, m + 4, m + 5, text) ==
             7 &&
         inet_pton(AF_INET, text, vtep) == 1;
}
