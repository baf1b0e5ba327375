/** Listens at guest ports for frames that tell the MAC and the addresses of a guest. */
#ifndef MISSD_SENDER_TAP_H_
#define MISSD_SENDER_TAP_H_

#include <cstdint>
#include <set>
#include <vector>

#include "sighting.h"
#include "socket.h"

namespace missd {

/** The result of one drain of the socket. */
struct SenderBatch {
  std::vector<Sighting> sightings;
  std::vector<PassedOver> passed_over;
  /** Frames that the kernel dropped because the socket was full. */
  uint32_t lost = 0;
  int error = 0;
  bool overrun = false;
};

/**
 * The socket is separate from that of the askers, so that a flood of announcements fills only this socket. A
 * port can cause a bounded number of reads a second. No frame is read before Watch.
 */
class SenderTap {
 public:
  /** Opens in the calling thread's namespace. @throws KernelError */
  SenderTap();

  /** Reads frames of these guest ports from now on. @throws KernelError */
  void Watch(const std::vector<uint32_t>& ports);
  /** The next sighting of this guest is reported without the limit of one a second. */
  void Expect(uint32_t port, const Mac& lladdr, const Ip& ip) { sightings_.Forget(port, lladdr, ip); }
  /** Reads a bounded number of frames. */
  SenderBatch Drain();

  int fd() const { return socket_.get(); }
  /** Readable when muted ports are to be read again. */
  int timer_fd() const { return timer_.get(); }

 private:
  /** Attaches a filter that passes `ports_` without `muted_`. Returns 0 or an errno. */
  int Filter();
  void Mute(uint32_t port);
  void Unmute();

  Fd socket_;
  Fd timer_;
  std::set<uint32_t> ports_;
  std::set<uint32_t> muted_;
  Sightings sightings_;
};

}  // namespace missd

#endif  // MISSD_SENDER_TAP_H_
