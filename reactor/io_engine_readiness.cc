// The engine for systems that only tell when a descriptor is ready.
//
// A socket or pipe has a lane a direction: a queue of operations, of which the first is
// tried until it would block; then the lane waits for the next edge. So operations of one
// direction end in the order in which they were started. The waker that a lane leaves with
// its registration is one that tries again: whoever polled the reactor runs it.
//
// What has no readiness (files, and names of files) goes to a ring of io_uring, if there is one:
// the engine is then "mixed", and turns the ring when it is turned. Which of the two has an
// operation is settled when its descriptor is attached. Sockets go by readiness also then, which
// is faster where several threads start operations (README.md); so sources are not multishot.
//
// Without a ring it goes to the pool of threads, and a timeout is a read from a timer of its own.
//
// Locks: a lane's is held while its operations are tried, which do not block. Nothing of
// the user's runs under any lock.

#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "home/future/context.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_pool.h"
#include "home/reactor/registration.h"

namespace home::reactor_internal {

using Phase = IoEngineFields::Phase;

// The lanes of a socket or pipe. Shared by the file and by wakers on their way; only the
// file is counted by those who want to know whether anybody else has it.
class ReadinessLanes : public std::enable_shared_from_this<ReadinessLanes> {
 public:
  static absl::StatusOr<std::shared_ptr<ReadinessLanes>> Create(
      const std::shared_ptr<Registry>& registry, int fd) {
    // As the first thing that is done with most is worth a try, so is everything.
    absl::StatusOr<Registration> registration = Registration::Create(
        registry, fd, Interest::ReadWrite(), ReadySet(ReadySet::kReadable | ReadySet::kWritable));
    if (!registration.ok()) return registration.status();
    return std::make_shared<ReadinessLanes>(*std::move(registration));
  }

  explicit ReadinessLanes(Registration registration) : registration_(std::move(registration)) {}

  void Submit(IoState* op) {
    const Direction direction = IoDirection(op->request);
    IoFinished finished;
    WakeList wakes;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const bool was_empty = queue(direction).empty();
      op->engine_fields.phase = Phase::kQueued;
      queue(direction).PushBack(op);
      // Otherwise whoever is first waits, and so does this one.
      if (was_empty) Run(direction, finished, wakes);
    }
    finished.FinishAll(wakes);
    wakes.WakeAll();
  }

  void Cancel(IoState* op) {
    const Direction direction = IoDirection(op->request);
    IoFinished finished;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (op->engine_fields.phase != Phase::kQueued) return;
      queue(direction).Remove(op);
      finished.Add(op, -ECANCELED);
    }
    WakeList wakes;
    finished.FinishAll(wakes);
    wakes.WakeAll();
  }

  // The file is gone, and with it all operations.
  void Close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    registration_.Reset();
  }

 private:
  // What the waker of a lane refers to.
  struct Target : WakerTarget {
    Target(std::shared_ptr<ReadinessLanes> its_lanes, Direction its_direction)
        : WakerTarget(&kVTable), lanes(std::move(its_lanes)), direction(its_direction) {}

    std::shared_ptr<ReadinessLanes> lanes;
    Direction direction;
  };

  static Target& Self(WakerTarget* target) { return *static_cast<Target*>(target); }
  static WakerTarget* OnClone(WakerTarget* target) { return new Target(Self(target)); }
  static void OnDrop(WakerTarget* target) { delete &Self(target); }
  static void OnWake(WakerTarget* target) {
    OnWakeByRef(target);
    OnDrop(target);
  }
  static void OnWakeByRef(WakerTarget* target) {
    Self(target).lanes->OnEdge(Self(target).direction);
  }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  void OnEdge(Direction direction) {
    IoFinished finished;
    WakeList wakes;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      Run(direction, finished, wakes);
    }
    finished.FinishAll(wakes);
    wakes.WakeAll();
  }

  // Tries operations until one would block, and then waits for an edge. Under the lock.
  void Run(Direction direction, IoFinished& finished, WakeList& wakes) {
    if (queue(direction).empty()) return;
    Target target(shared_from_this(), direction);
    const BorrowedWaker waker(&target);
    Context cx(waker.get());
    while (IoState* op = queue(direction).first()) {
      home::Poll<ReadyEvent> ready = registration_.PollReady(direction, cx);
      if (ready.pending()) return;
      std::int64_t result = -ECANCELED;
      if (!(*ready).ready.shutdown()) {
        result = Try(op);
        if (result == kIoWouldBlock) {
          // Who waits for data keeps no buffer.
          if (op->request.selected >= 0) {
            op->request.buffers->Give(std::exchange(op->request.selected, -1), wakes);
          }
          registration_.ClearReady(direction, *ready);
          continue;
        }
      }
      queue(direction).Remove(op);
      finished.Add(op, result);
    }
  }

  static std::int64_t Try(IoState* op) {
    if (op->request.buffers != nullptr && !SelectBuffer(op->request)) return -ENOBUFS;
    return PerformIo(op->request, std::exchange(op->engine_fields.again, true));
  }

  IoList& queue(Direction direction) { return queues_[static_cast<int>(direction)]; }

  // Guards everything below, and the fields of operations in the queues.
  std::mutex mutex_;
  Registration registration_;
  IoList queues_[2];
};

namespace {

struct ReadinessFile final : IoFileState {
  ReadinessFile(std::shared_ptr<IoEngine> engine_in, UniqueFd fd_in, bool stream_in,
                std::shared_ptr<ReadinessLanes> lanes_in)
      : IoFileState(std::move(engine_in), std::move(fd_in), stream_in),
        lanes(std::move(lanes_in)) {}
  ~ReadinessFile() override {
    // Before the descriptor is closed.
    if (lanes != nullptr) lanes->Close();
  }

  const std::shared_ptr<ReadinessLanes> lanes;  // null: it is always ready, and may block
};

// Null: it waits for nothing that a lane could tell of. Neither does what asks about a socket or
// pipe, and not for its bytes: it has no turn to wait for.
ReadinessLanes* LanesOf(const IoState* op) {
  if (op->request.kind == IoKind::kStat || op->request.kind == IoKind::kFsync) return nullptr;
  const IoFileState* file = op->engine_fields.file;
  return file == nullptr ? nullptr : static_cast<const ReadinessFile*>(file)->lanes.get();
}

// What waits for a disk, however ready its file system says that it is (FUSE's do).
bool IsOnDisk(int fd) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return false;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode);
}

class ReadinessEngine final : public IoEngine {
 public:
  ReadinessEngine(std::shared_ptr<Registry> registry, IoOffload offload,
                  std::shared_ptr<IoEngine> ring)
      : registry_(std::move(registry)),
        ring_(std::move(ring)),
        pool_(ring_ == nullptr ? std::make_shared<IoPool>(std::move(offload)) : nullptr) {}

  absl::string_view name() const override { return ring_ == nullptr ? "readiness" : "mixed"; }

  absl::StatusOr<std::unique_ptr<IoFileState>> Attach(UniqueFd fd) override {
    std::shared_ptr<ReadinessLanes> lanes;
    if (!IsOnDisk(fd.get())) {
      auto created = ReadinessLanes::Create(registry_, fd.get());
      if (created.ok()) {
        lanes = *std::move(created);
      } else if (!absl::IsPermissionDenied(created.status())) {
        return created.status();  // What else has no readiness is refused with that.
      }
    }
    const bool pollable = lanes != nullptr;
    absl::Status mode = SetNonblocking(fd.get(), pollable);
    if (!mode.ok()) return mode;
    if (pollable) KeepFromRaisingSigpipe(fd.get());
    const bool stream = IsStream(fd.get());
    return std::make_unique<ReadinessFile>(shared_from_this(), std::move(fd), stream,
                                           std::move(lanes));
  }

  void Submit(IoState* op) override {
    if (ring_ == nullptr && op->request.kind == IoKind::kTimeout && !GiveTimer(op)) return;
    if (ReadinessLanes* lanes = LanesOf(op)) {
      lanes->Submit(op);
    } else if (ring_ != nullptr) {
      ring_->Submit(op);
    } else {
      pool_->Submit(op);
    }
  }

  void Cancel(IoState* op) override {
    if (ReadinessLanes* lanes = LanesOf(op)) {
      lanes->Cancel(op);
    } else if (ring_ != nullptr) {
      ring_->Cancel(op);
    } else {
      pool_->Cancel(op);
    }
  }

  bool BeforeWait(bool blocking) override {
    return ring_ == nullptr || ring_->BeforeWait(blocking);
  }
  bool HasCompletions() override { return ring_ != nullptr && ring_->HasCompletions(); }
  std::size_t AfterWait(WakeList& wakes) override {
    return ring_ == nullptr ? 0 : ring_->AfterWait(wakes);
  }

  // Lanes find out by themselves, from the registry.
  void Shutdown(WakeList& wakes) override {
    if (ring_ != nullptr) {
      ring_->Shutdown(wakes);
    } else {
      pool_->Shutdown(wakes);
    }
  }

 private:
  // Gives a timeout its descriptor, to be read like any other. False: there is none, and
  // the operation has ended.
  bool GiveTimer(IoState* op) {
    std::int64_t error = 0;
    UniqueFd timer = OpenIoTimer(op->request);
    if (!timer) {
      error = -errno;
    } else {
      absl::StatusOr<std::shared_ptr<ReadinessLanes>> lanes =
          ReadinessLanes::Create(registry_, timer.get());
      if (lanes.ok()) {
        op->engine_fields.own_file = std::make_unique<ReadinessFile>(
            shared_from_this(), std::move(timer), /*stream_in=*/true, *std::move(lanes));
        op->engine_fields.file = op->engine_fields.own_file.get();
        return true;
      }
      // The reactor is gone, or has no room.
      error = absl::IsFailedPrecondition(lanes.status()) ? -ECANCELED : -ENOMEM;
    }
    WakeList wakes;
    op->engine_fields.phase = Phase::kFinished;
    op->Finish(error, wakes);
    wakes.WakeAll();
    return false;
  }

  const std::shared_ptr<Registry> registry_;
  // One of them is null.
  const std::shared_ptr<IoEngine> ring_;
  const std::shared_ptr<IoPool> pool_;
};

}  // namespace

std::shared_ptr<IoEngine> CreateReadinessEngine(std::shared_ptr<Registry> registry,
                                                const IoOptions& options,
                                                std::shared_ptr<IoEngine> ring) {
  return std::make_shared<ReadinessEngine>(std::move(registry), options.offload, std::move(ring));
}

}  // namespace home::reactor_internal
