#include "dumper.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "decode.h"
#include "error.h"

namespace missd {

namespace {

/**
 * The kernel fills parts of up to 32 KiB if the reader's buffer is that large (netlink_dump), and longer
 * parts for a link with a longer description (rtnl_calcit): its alternative names alone may take 64 KiB.
 */
constexpr size_t kPartBytes = 1 << 18;
constexpr int kReceiveBufferBytes = 1 << 20;

}  // namespace

Dumper::Dumper(const std::atomic<bool>& cancelled) : Dumper(OpenNetlink(false), FirstSequence(), cancelled) {
  PrepareForRequests(fd_.get());
  SetReceiveBuffer(fd_.get(), kReceiveBufferBytes);
}

Dumper::Dumper(Fd fd, uint32_t sequence, const std::atomic<bool>& cancelled)
    : fd_(std::move(fd)), in_(kPartBytes), cancelled_(cancelled), seq_(sequence) {}

bool Dumper::Run(const std::function<void(uint32_t, Writer*)>& encode,
                 const std::function<void(const Message&)>& visit) {
  Writer out;
  encode(++seq_, &out);
  if (send(fd_.get(), out.bytes().data(), out.bytes().size(), 0) < 0) throw KernelError("dump", errno);
  bool interrupted = false;
  bool done = false;
  Answer answer;
  while (!done) {
    if (cancelled_) throw KernelError("dump", ECANCELED);
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof(sender);
    ssize_t size = recvfrom(fd_.get(), in_.data(), in_.size(), MSG_TRUNC,
                            reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw KernelError("dump", errno == EAGAIN ? ETIMEDOUT : errno);
    if (!FromKernel(sender)) continue;
    if (static_cast<size_t>(size) > in_.size()) throw KernelError("dump", EMSGSIZE);
    ForEachMessage(Bytes{in_.data(), static_cast<size_t>(size)}, [&](const Message& message) {
      if (message.seq != seq_) return;
      interrupted = interrupted || (message.flags & NLM_F_DUMP_INTR);
      // NLMSG_DONE carries the error of a dump that failed half-way; there is no NLMSG_ERROR then.
      if (message.type == NLMSG_DONE) answer.error = ErrnoFrom(message.payload.As<int32_t>());
      if (message.type == NLMSG_ERROR) DecodeAnswer(message, &answer);
      done = done || message.type == NLMSG_DONE || message.type == NLMSG_ERROR;
      if (!done) visit(message);
    });
  }
  if (answer.error != 0) throw KernelError("dump", answer.error, answer.extack);
  return !interrupted;
}

}  // namespace missd
