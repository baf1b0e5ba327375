#include <algorithm>

#include "js.h"

namespace missd {

namespace {

/** The rows of a finished dump that JavaScript has not taken yet. */
struct Rest {
  DumpResult result;
  size_t at = 0;
};

/** Takes the next rows. The memory is freed with the last row, because the function may be collected much
 * later. */
template <typename T>
Napi::Array Take(Napi::Env env, std::vector<T>* all, size_t* at, size_t count) {
  std::vector<T>& values = *all;
  size_t end = std::min(values.size(), *at + count);
  Napi::Array array = Napi::Array::New(env, end - *at);
  for (uint32_t i = 0; *at < end; ++*at, ++i) {
    Napi::HandleScope scope(env);
    array.Set(i, ToJs(env, values[*at]));
  }
  if (*at == values.size()) {
    values = {};
    *at = 0;
  }
  return array;
}

class DumpWorker : public Napi::AsyncWorker {
 public:
  DumpWorker(Napi::Env env, std::shared_ptr<const Netns> netns, const DumpRequest& request,
             std::shared_ptr<const std::atomic<bool>> cancelled)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        netns_(std::move(netns)),
        request_(request),
        cancelled_(std::move(cancelled)),
        rest_(std::make_shared<Rest>()) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }

 protected:
  /** On a thread of libuv's pool. */
  void Execute() override {
    try {
      rest_->result = Dump(*netns_, request_, *cancelled_);
    } catch (const KernelError& error) {
      failure_ = error;
      SetError(error.what());
    }
    // The worker may be deleted much later, and must not keep the namespace alive until then.
    netns_.reset();
  }

  void OnOK() override {
    DumpTable table = request_.table;
    auto take = [rest = rest_, table](const Napi::CallbackInfo& info) -> Napi::Value {
      size_t count = info[0].As<Napi::Number>().Uint32Value();
      if (table == DumpTable::kLinks) return Take(info.Env(), &rest->result.links, &rest->at, count);
      if (table == DumpTable::kAddresses) return Take(info.Env(), &rest->result.addresses, &rest->at, count);
      if (table == DumpTable::kRoutes) return Take(info.Env(), &rest->result.routes, &rest->at, count);
      return Take(info.Env(), &rest->result.rows, &rest->at, count);
    };
    Settle([&] { deferred_.Resolve(Napi::Function::New(Env(), take, "take")); });
  }

  void OnError(const Napi::Error& error) override {
    Settle([&] { deferred_.Reject(failure_ ? ToJs(Env(), *failure_).Value() : error.Value()); });
  }

 private:
  template <typename Body>
  static void Settle(Body body) {
    try {
      body();
    } catch (const Napi::Error&) {
      // The environment is being torn down and runs no JavaScript, so the promise cannot be settled.
    }
  }

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<const Netns> netns_;
  DumpRequest request_;
  std::shared_ptr<const std::atomic<bool>> cancelled_;
  std::shared_ptr<Rest> rest_;
  std::optional<KernelError> failure_;
};

}  // namespace

Napi::Promise DumpToJs(Napi::Env env, std::shared_ptr<const Netns> netns, const DumpRequest& request,
                       std::shared_ptr<const std::atomic<bool>> cancelled) {
  auto* worker = new DumpWorker(env, std::move(netns), request, std::move(cancelled));
  Napi::Promise promise = worker->Promise();
  worker->Queue();
  return promise;
}

}  // namespace missd
