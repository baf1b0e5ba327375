#include "poll.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "error.h"

namespace missd {

namespace {

constexpr uint64_t kPauseMilliseconds = 100;

}  // namespace

Polls* Polls::Start(napi_env env, std::vector<Watch> watches, std::function<void()> teardown) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw KernelError("find event loop", EINVAL);
  auto* polls = new Polls();
  polls->teardown_ = std::move(teardown);
  if (napi_add_async_cleanup_hook(env, OnTeardown, polls, &polls->hook_) != napi_ok) {
    delete polls;
    throw KernelError("watch sockets", EINVAL);
  }
  for (uv_timer_t* timer : {&polls->rest_, &polls->pause_}) {
    uv_timer_init(loop, timer);
    timer->data = polls;
    polls->open_++;
  }
  for (Watch& watch : watches) {
    auto handle = std::make_unique<Handle>();
    handle->polls = polls;
    handle->readable = std::move(watch.readable);
    handle->rests = watch.rests;
    handle->gathers = watch.gathers;
    handle->poll.data = handle.get();
    handle->fd = watch.fd;
    // ENOSPC (fs.epoll.max_user_watches) or ENOMEM. A socket without a watch would never be read.
    int error = uv_poll_init(loop, &handle->poll, watch.fd);
    if (error != 0) {
      polls->Close();
      throw KernelError("watch sockets", -error);
    }
    uv_poll_start(&handle->poll, UV_READABLE, OnReadable);
    polls->open_++;
    if (handle->gathers > 0) {
      uv_timer_init(loop, &handle->gathering);
      handle->gathering.data = handle.get();
      polls->open_++;
    }
    polls->handles_.push_back(std::move(handle));
  }
  return polls;
}

void Polls::Close() {
  if (closing_) return;
  closing_ = true;
  for (auto& handle : handles_) {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), OnClosed);
    if (handle->gathers > 0) uv_close(reinterpret_cast<uv_handle_t*>(&handle->gathering), OnClosed);
  }
  for (uv_timer_t* timer : {&rest_, &pause_}) {
    uv_close(reinterpret_cast<uv_handle_t*>(timer),
             [](uv_handle_t* closed) { static_cast<Polls*>(closed->data)->Closed(); });
  }
}

void Polls::Pause(int fd) {
  if (closing_) return;
  for (auto& handle : handles_) {
    if (handle->fd != fd) continue;
    uv_poll_stop(&handle->poll);
    handle->paused = true;
  }
  if (!uv_is_active(reinterpret_cast<uv_handle_t*>(&pause_))) {
    uv_update_time(pause_.loop);
    uv_timer_start(&pause_, OnPaused, kPauseMilliseconds, 0);
  }
}

void Polls::OnPaused(uv_timer_t* timer) {
  auto* polls = static_cast<Polls*>(timer->data);
  for (auto& handle : polls->handles_) {
    if (!std::exchange(handle->paused, false) || (handle->rests && polls->resting_)) continue;
    uv_poll_start(&handle->poll, UV_READABLE, OnReadable);
  }
}

void Polls::Rest() {
  if (closing_) return;
  if (!resting_) {
    for (auto& handle : handles_)
      if (handle->rests) uv_poll_stop(&handle->poll);
  }
  resting_ = true;
  uv_update_time(rest_.loop);
  uv_timer_start(&rest_, OnRested, 1, 0);
}

void Polls::OnRested(uv_timer_t* timer) {
  auto* polls = static_cast<Polls*>(timer->data);
  auto first = std::find_if(polls->handles_.begin(), polls->handles_.end(),
                            [](const auto& handle) { return handle->rests; });
  if (first != polls->handles_.end()) (*first)->readable();
  // `readable` may have closed the sockets or begun another rest.
  if (polls->closing_ || uv_is_active(reinterpret_cast<uv_handle_t*>(timer))) return;
  polls->resting_ = false;
  for (auto& handle : polls->handles_)
    if (handle->rests && !handle->paused) uv_poll_start(&handle->poll, UV_READABLE, OnReadable);
}

void Polls::OnReadable(uv_poll_t* poll, int status, int /* events */) {
  auto* handle = static_cast<Handle*>(poll->data);
  // libuv reports a socket with a pending error (ENOBUFS) as a bad file descriptor, and has then stopped
  // polling it (uv__poll_io). Reading consumes the error, so polling may start again.
  if (status < 0) uv_poll_start(poll, UV_READABLE, OnReadable);
  if (handle->gathers == 0) {
    handle->readable();
    return;
  }
  uv_poll_stop(poll);
  uv_update_time(poll->loop);
  uv_timer_start(&handle->gathering, OnGathered, handle->gathers, 0);
}

void Polls::OnGathered(uv_timer_t* timer) {
  auto* handle = static_cast<Handle*>(timer->data);
  // Polling starts before the read, because the read may pause the socket.
  if (!handle->paused) uv_poll_start(&handle->poll, UV_READABLE, OnReadable);
  handle->readable();
}

void Polls::OnClosed(uv_handle_t* closed) { static_cast<Handle*>(closed->data)->polls->Closed(); }

void Polls::Closed() {
  if (--open_ > 0) return;
  // Removes the hook or, during the teardown of the environment, lets the teardown go on.
  napi_remove_async_cleanup_hook(hook_);
  delete this;
}

void Polls::OnTeardown(napi_async_cleanup_hook_handle, void* data) {
  auto* polls = static_cast<Polls*>(data);
  // If Close was already called, Closed removes the hook.
  if (!polls->closing_) polls->teardown_();
}

}  // namespace missd
