/** Watches sockets on Node's event loop. */
#ifndef MISSD_POLL_H_
#define MISSD_POLL_H_

#include <node_api.h>
#include <uv.h>

#include <functional>
#include <memory>
#include <vector>

namespace missd {

/**
 * uv_poll handles with a common end: Close, or the end of the environment (a worker that exits), which has to
 * wait until libuv has released the handles. Deletes itself after Close. All functions run on the thread of
 * the event loop.
 */
class Polls {
 public:
  struct Watch {
    int fd;
    std::function<void()> readable;
    /** Whether Rest applies to this socket. */
    bool rests = false;
    /** The socket is read this many milliseconds after it becomes readable, because other sockets are more
     * urgent. */
    uint64_t gathers = 0;
  };

  /** `teardown` is called when the environment ends; it has to Close. @throws KernelError */
  static Polls* Start(napi_env env, std::vector<Watch> watches, std::function<void()> teardown);

  /** Does not poll the sockets with `rests` for a millisecond, and then calls `readable` of the first one. */
  void Rest();

  /** Does not poll a socket for 100 ms: a socket with a persistent error would keep the event loop busy. */
  void Pause(int fd);

  /** The file descriptors may be closed at once; libuv closes the handles in its next turn. */
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
    /** Initialized only if `gathers` is not 0. */
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
