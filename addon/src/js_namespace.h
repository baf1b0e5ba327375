/** The JavaScript face of a Namespace: its life and its events in js_namespace.cc, what it is asked for in
 * js_calls.cc. */
#ifndef MISSD_JS_NAMESPACE_H_
#define MISSD_JS_NAMESPACE_H_

#include "js.h"
#include "poll.h"

namespace missd {

/** Main thread only, but for the dumps. */
class NamespaceObject : public Napi::ObjectWrap<NamespaceObject> {
 public:
  using Info = Napi::CallbackInfo;

  explicit NamespaceObject(const Info& info);
  static Napi::Function Define(Napi::Env env);

 private:
  void Start(const Info& info);
  void Close(const Info&) { CloseAll(); }
  Napi::Value Neglected(const Info& info);
  Napi::Value DumpTo(const Info& info);
  Napi::Value GetNeighbours(const Info& info);
  Napi::Value GetFdb(const Info& info);
  Napi::Value GetBridgeFdb(const Info& info);
  Napi::Value Write(const Info& info);
  Napi::Value WriteRoutes(const Info& info);
  Napi::Value Announce(const Info& info);
  void SetPorts(const Info& info);
  void FollowFrames(const Info& info);
  void WatchSenders(const Info& info);
  Napi::Value SendProbes(const Info& info);
  void WatchTables(const Info& info);
  Napi::Value LastAsked(const Info& info);
  void SetMulticastRouter(const Info& info);
  Napi::Value GetAppSolicit(const Info& info);
  void SetAppSolicit(const Info& info);
  Napi::Value GetNeighbourTable(const Info& info);
  Napi::Value Lock(const Info& info);
  void Unlock(const Info& info);
  Napi::Value NamedSockets(const Info& info);

  Namespace& Open(const Info& info);
  Napi::Value Get(const Info& info, const std::vector<RowKey>& keys);
  void EmitMisses();
  void EmitLinks();
  void EmitChanges();
  void EmitSenders();
  /** Whether so many misses come so fast that it pays to let them gather. */
  bool Crowded(const MissBatch& batch);
  /** What `drain` finds. No exception of its ends the process: it is told as a failed receive. */
  template <typename Batch, typename Drain>
  Batch Drained(int fd, Drain drain);
  template <typename Batch>
  void Emit(const char* socket, const Batch& batch);
  /** @param socket whose messages are lost should there be no memory to tell them */
  template <typename Body>
  void Calling(const char* socket, Body body);
  template <typename Body>
  void CallingOnce(Body body);
  void CloseAll();

  std::unique_ptr<Namespace> namespace_;
  std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
  Polls* polls_ = nullptr;
  Napi::FunctionReference listener_;
  Napi::FunctionReference miss_listener_;
  /** Of the misses of one call, used over and over. */
  Napi::Reference<Napi::Uint32Array> numbers_;
  std::unique_ptr<Napi::AsyncContext> context_;
  /** When misses were last found, on the clock of uv_hrtime. */
  uint64_t drained_at_ = 0;
};

}  // namespace missd

#endif  // MISSD_JS_NAMESPACE_H_
