/*
 * Writes what a responder would have written, before anybody asks.
 *
 *   rows DEVICE VTEP FIRST COUNT
 */
#include "wire.h"

int main(int argc, char** argv) {
  static Batch batch;
  if (argc != 5) return 2;
  int ifindex = IfIndex(argv[1]);
  uint32_t vtep = ParseIp(argv[2]), first = ParseIp(argv[3]), count = (uint32_t)atoi(argv[4]);
  int fd = OpenNetlink(0, NULL, 0);
  int refused = 0;
  for (uint32_t at = 0; at < count; at++) {
    uint32_t ip = Nth(first, at);
    Mac mac;
    if (!AnswerByRule(ip, &mac)) return 2;
    PutFdb(&batch, RTM_NEWNEIGH, ifindex, mac, vtep);
    PutNeighbour(&batch, RTM_NEWNEIGH, ifindex, ip, mac);
    if (at % 512 == 511 || at + 1 == count) refused += Send(fd, &batch);
  }
  printf("%d refused\n", refused);
  return refused == 0 ? 0 : 1;
}
