#include "poll.h"

#include <utility>

namespace missd {

Polls* Polls::Start(napi_env env, std::vector<Watch> watches, std::function<void()> teardown) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  auto* polls = new Polls();
  polls->teardown_ = std::move(teardown);
  if (napi_add_async_cleanup_hook(env, OnTeardown, polls, &polls->hook_) != napi_ok) {
    delete polls;
    return nullptr;
  }
  for (Watch& watch : watches) {
    auto handle = std::make_unique<Handle>();
    handle->polls = polls;
    handle->readable = std::move(watch.readable);
    handle->poll.data = handle.get();
    if (uv_poll_init(loop, &handle->poll, watch.fd) != 0) continue;
    uv_poll_start(&handle->poll, UV_READABLE, OnReadable);
    polls->handles_.push_back(std::move(handle));
    polls->open_++;
  }
  return polls;
}

void Polls::Close() {
  if (closing_) return;
  closing_ = true;
  for (auto& handle : handles_) uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), OnClosed);
}

void Polls::OnReadable(uv_poll_t* poll, int status, int) {
  auto* handle = static_cast<Handle*>(poll->data);
  // A socket with a pending error (ENOBUFS) is reported as a bad file descriptor, and polling has then been
  // stopped for good (libuv, uv__poll_io). Reading consumes the error, so polling may begin again.
  if (status < 0) uv_poll_start(poll, UV_READABLE, OnReadable);
  handle->readable();
}

void Polls::OnClosed(uv_handle_t* closed) {
  Polls* polls = static_cast<Handle*>(closed->data)->polls;
  if (--polls->open_ > 0) return;
  // Both takes the hook back and, where the environment already waits for it, lets that go on.
  napi_remove_async_cleanup_hook(polls->hook_);
  delete polls;
}

void Polls::OnTeardown(napi_async_cleanup_hook_handle, void* data) {
  auto* polls = static_cast<Polls*>(data);
  // Being closed already: the hook is removed when that is done.
  if (!polls->closing_) polls->teardown_();
}

}  // namespace missd
