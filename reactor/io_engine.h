// IoEngine: what carries operations out, and the seam between systems. One source file
// implements it for each: io_engine_uring.cc asks io_uring, io_engine_readiness.cc tries
// sockets and pipes whenever the reactor says that they are ready and has files done by
// a ring, if it is given one, or by a pool of threads, io_engine_iocp.cc has Windows's overlapped
// operations.
//
// Thread-safety: BeforeWait, HasCompletions, AfterWait and Shutdown by whoever polls the reactor,
// one at a time; the rest from any thread at any time.

#ifndef HOME_REACTOR_IO_ENGINE_H_
#define HOME_REACTOR_IO_ENGINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "home/future/wake_list.h"
#include "home/reactor/io_buffers.h"
#include "home/reactor/io_request.h"
#include "home/reactor/io_state.h"
#include "home/reactor/registry.h"
#include "home/reactor/unique_fd.h"

namespace home {

// Runs a closure that may block on some other thread, sometime. One that it drops unrun
// ends its operation with kCancelled.
using IoOffload = std::function<void(absl::AnyInvocable<void() &&>)>;

enum class IoBackend {
  // What measures faster. Files: io_uring if the system has it, else a pool of threads. Sockets and
  // all else that has readiness: that, or with IoOptions::one_thread io_uring. On Windows always
  // its own.
  kBest,
  // Never io_uring.
  kReadiness,
  // io_uring for all, if the system has it; else as kBest.
  kUring,
};

struct IoOptions {
  IoBackend backend = IoBackend::kBest;
  // Mostly the same thread starts the operations and polls the reactor.
  bool one_thread = false;
  // Where files may block: all their operations without io_uring, those that have no
  // overlapped call on Windows. Without one, the thread that polls the
  // operation does.
  IoOffload offload;
  // Room for so many operations between two system calls of io_uring. More are queued.
  unsigned ring_entries = 256;
};

}  // namespace home

namespace home::reactor_internal {

class IoEngine : public std::enable_shared_from_this<IoEngine> {
 public:
  IoEngine() = default;
  IoEngine(const IoEngine&) = delete;
  IoEngine& operator=(const IoEngine&) = delete;
  virtual ~IoEngine() = default;

  // "io_uring", "readiness", "mixed" of the two, or "iocp".
  virtual absl::string_view name() const = 0;

  // Takes a descriptor over. It becomes blocking or nonblocking, as the engine needs it.
  virtual absl::StatusOr<std::unique_ptr<IoFileState>> Attach(UniqueFd fd) = 0;

  // Whether accepting may be multishot: one submission, one result after another.
  virtual bool multishot() const { return false; }
  // Makes a pool of memory (io_buffers.h).
  virtual std::shared_ptr<IoBufferGroup> CreateBuffers(std::unique_ptr<char[]> bytes,
                                                       unsigned count, std::size_t size) {
    return std::make_shared<IoBufferGroup>(this, std::move(bytes), count, size);
  }

  // Starts an operation. The engine takes over a reference and ends it by Finish(),
  // perhaps before this returns.
  virtual void Submit(IoState* op) = 0;
  // Tries to end a submitted operation early, with -ECANCELED. It may be over already, or
  // end otherwise; the caller has a reference.
  virtual void Cancel(IoState* op) = 0;

  // Before the reactor waits for the system; `blocking`: with a timeout. False: something
  // could not be handed to the system, and the wait should be short.
  virtual bool BeforeWait(bool blocking) = 0;
  // Between the two: whether something has ended already, so that there is nothing to wait for.
  virtual bool HasCompletions() { return false; }
  // After it: collects what has ended, and returns how much.
  virtual std::size_t AfterWait(WakeList& wakes) = 0;

  // Ends all operations, with -ECANCELED, and returns when the system has forgotten them,
  // but for what a thread of the pool is busy with: that ends when it does. Those that
  // are submitted later end at once, and in the same way.
  virtual void Shutdown(WakeList& wakes) = 0;
};

// Takes the buffer of an operation that has its buffers from a pool. False: there is none.
bool SelectBuffer(IoRequest& request);

// What engines ask of a descriptor that they take over: sets or clears O_NONBLOCK.
absl::Status SetNonblocking(int fd, bool nonblocking);
// Whether it has no positions: a socket, a pipe, a terminal.
bool IsStream(int fd);

// An error if the system has no io_uring, lacks what we need of it, or refuses it.
absl::StatusOr<std::shared_ptr<IoEngine>> CreateUringEngine(std::shared_ptr<Registry> registry,
                                                            const IoOptions& options);
// `ring`: who has the files, instead of the pool; or null.
std::shared_ptr<IoEngine> CreateReadinessEngine(std::shared_ptr<Registry> registry,
                                                const IoOptions& options,
                                                std::shared_ptr<IoEngine> ring);
std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry> registry,
                                         const IoOptions& options);

}  // namespace home::reactor_internal

#endif  // HOME_REACTOR_IO_ENGINE_H_
