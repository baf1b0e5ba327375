/** Listens at the ports of guests for what tells which MAC and which addresses live there. */
#ifndef MISSD_SENDER_TAP_H_
#define MISSD_SENDER_TAP_H_

#include <cstdint>
#include <set>
#include <vector>

#include "sighting.h"
#include "socket.h"

namespace missd {

/** What one drain found. */
struct SenderBatch {
  std::vector<Sighting> sightings;
  std::vector<PassedOver> passed_over;
  /** Frames that the kernel dropped because the socket was full. */
  uint32_t lost = 0;
  int error = 0;
  bool overrun = false;
};

/**
 * A socket of its own beside that of the askers: a flood of announcements fills this one alone, and costs a
 * bounded number of reads a second, whatever its port. Hears nothing until it is told of ports.
 */
class SenderTap {
 public:
  /** Opens in the calling thread's namespace. @throws KernelError */
  SenderTap();

  /** Ports of guests, of which frames are read from now on. @throws KernelError */
  void Watch(const std::vector<uint32_t>& ports);
  /** The next sighting of it is told, however soon it comes. */
  void Expect(uint32_t port, const Mac& lladdr, const Ip& ip) { sightings_.Forget(port, lladdr, ip); }
  /** Reads a bounded number of frames. */
  SenderBatch Drain();

  int fd() const { return socket_.get(); }
  /** Readable when it is time to hear flooding ports again. */
  int timer_fd() const { return timer_.get(); }

 private:
  /** Frames of `ports_` without those that flood. Returns 0 or an errno. */
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
