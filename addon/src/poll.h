/** Readable sockets on Node's own event loop. */
#ifndef MISSD_POLL_H_
#define MISSD_POLL_H_

#include <node_api.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <vector>

namespace missd {

/**
 * uv_poll handles that begin and end together: with Close, or with the environment (a worker that exits),
 * which must wait until libuv has let go of them. Owns itself from Close on. Everything on the thread of the
 * event loop.
 */
class Polls {
 public:
  struct Watch {
    int fd;
    std::function<void()> readable;
    /** May be left alone for a moment, see Rest. */
    bool rests = false;
    /** What comes in is let gather for so many milliseconds: others at this moment are more urgent. */
    uint64_t gathers = 0;
  };

  /** `teardown` is called when the environment ends; it has to Close. @throws KernelError */
  static Polls* Start(napi_env env, std::vector<Watch> watches, std::function<void()> teardown);

  /** Leaves the sockets that may rest alone for a millisecond, and calls the first one's `readable` then. */
  void Rest();

  /** Leaves a socket alone for a tenth of a second: what is wrong with it would otherwise keep the loop busy.
   */
  void Pause(int fd);

  /** The file descriptors may be closed at once; the handles follow on the loop's next turn. */
  void Close();

 private:
  struct Handle {
    uv_poll_t poll;
    Polls* polls;
    std::function<void()> readable;
    bool rests;
    int fd;
    bool paused = false;
    uint64_t gathers;
    /** Only where it gathers. */
    uv_timer_t gathering;
  };

  Polls() = default;
  static void OnGathered(uv_timer_t* timer);
  static void OnPaused(uv_timer_t* timer);
  static void OnRested(uv_timer_t* timer);
  static void OnReadable(uv_poll_t* poll, int status, int events);
  static void OnClosed(uv_handle_t* handle);
  void Closed();
  static void OnTeardown(napi_async_cleanup_hook_handle hook, void* polls);

  std::vector<std::unique_ptr<Handle>> handles_;
  uv_timer_t rest_;
  uv_timer_t pause_;
  bool resting_ = false;
  size_t open_ = 0;
  bool closing_ = false;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::function<void()> teardown_;
};

}  // namespace missd

#endif  // MISSD_POLL_H_
