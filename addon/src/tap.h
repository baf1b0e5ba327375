/** Listens for the questions guests ask, where they enter the bridge; and sends announcements back. */
#ifndef MISSD_TAP_H_
#define MISSD_TAP_H_

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "asker.h"
#include "frames.h"
#include "sender.h"
#include "socket.h"

namespace missd {

class Tap {
 public:
  /** Opens in the calling thread's namespace. @throws KernelError where AF_PACKET is refused */
  explicit Tap(int receive_buffer);

  /**
   * Which ports lead to which VXLAN device. Frames of other ports are dropped in the kernel from now on, and
   * what waits of a port that was among them before is forgotten.
   */
  void SetPorts(const std::vector<std::pair<uint32_t, uint32_t>>& ports);
  /** Whether to note which port sends to which MAC, see FrameTable; ports are those of SetPorts. @throws
   * KernelError */
  void FollowFrames(bool follow);
  /** Port whose frame raised an L2 miss; none where frames are not followed, or it was not seen. */
  std::optional<Asker> SenderTo(uint32_t vxlan, const Mac& destination);
  /** Reads the frames that have come in, before their misses are looked at. */
  void ReadFrames();
  /** Reads every waiting frame into the table. Right when no miss is waiting, see Pairing. */
  void Drain();
  /** Returns how many could not be sent. */
  size_t Announce(const std::vector<Announcement>& announcements);
  /** Returns how many could not be sent. */
  size_t SendProbes(const std::vector<Probe>& probes);

  /** Milliseconds since anybody was seen to ask for the target; none when not seen, or not lately. */
  std::optional<uint64_t> LastAsked(uint32_t vxlan, const Ip& target);

  /** Errno of a receive that failed for no known reason since the last call, 0 for none. */
  int TakeError() { return std::exchange(error_, 0); }

  int fd() const { return listen_.get(); }

  /**
   * Finds the askers of one batch of misses. Questions and misses come in about the same order, so it reads
   * only as far as the misses at hand need: read to the end while a backlog of misses waits, the questions
   * ahead would overwrite in the table those still to be paired.
   */
  class Pairing {
   public:
    explicit Pairing(Tap* tap);
    std::optional<Asker> Find(uint32_t vxlan, const Ip& target);

   private:
    Tap* tap_;
    uint64_t now_;
    /** Frames this batch may still read, against misses that have no question. */
    size_t ahead_;
  };

 private:
  std::vector<uint32_t> Ports() const;
  /** Returns how many frames were read, 0 when none is waiting. */
  size_t ReadSome(uint64_t now);
  /** Reads until none is waiting, or so many were read. */
  void ReadOn(size_t most);

  Fd listen_;
  Fd send_;
  std::unordered_multimap<uint32_t, uint32_t> ports_;
  AskerTable askers_;
  int error_ = 0;
  /** Heads of unicast frames; bound only while they are followed. */
  Fd frames_;
  bool following_ = false;
  SenderTable senders_;
};

}  // namespace missd

#endif  // MISSD_TAP_H_
