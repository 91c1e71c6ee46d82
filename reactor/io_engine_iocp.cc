// The engine of Windows: overlapped operations, whose ends the poller's completion port collects
// beside the readiness of sockets.
//
// The system is asked by whoever submits an operation, and answers to whoever polls the reactor.
// Timeouts are a list of the engine's own, whose first the poller takes for its alarm. What has
// no overlapped call (names of files, statistics, flushing, closing) goes to the pool of threads.
//
// A file that is opened for overlapped operations has no position. The engine keeps one: of the
// operations that give none, one is under way at a time and the others wait for it.
//
//   I1  An operation is in `under_way_` from before the system is asked until its packet has come,
//       or the system has said that none will: so long its memory, and its file, stay.
//   I2  Whoever asks to cancel marks the operation first, and whoever asks the system looks at
//       the mark afterwards: one of the two cancels what was asked.
//
// Locks: the engine's is held for bookkeeping and while the system is asked to cancel, which does
// not wait; never while it is asked for an operation. Nothing of the user's runs under it.

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/reactor/afd_windows.h"
#include "home/reactor/error_windows.h"
#include "home/reactor/io_engine.h"
#include "home/reactor/io_pool.h"
#include "home/reactor/iocp_operation_windows.h"
#include "home/reactor/iocp_windows.h"
#include "home/reactor/poller.h"

namespace home::reactor_internal {
namespace {

using Clock = CompletionPort::Clock;
using Phase = IoEngineFields::Phase;

IocpFile& FileOf(const IoState* op) { return *static_cast<IocpFile*>(op->engine_fields.file); }
IocpOperation& DetailOf(const IoState* op) {
  return *static_cast<IocpOperation*>(op->engine_fields.detail.get());
}

bool IsForPool(IoKind kind) {
  return kind == IoKind::kOpen || kind == IoKind::kClose || kind == IoKind::kStat ||
         kind == IoKind::kFsync || kind == IoKind::kSplice;
}

// Whether it reads or writes where the last one ended.
bool Moves(const IoState* op) {
  const IoKind kind = op->request.kind;
  const bool transfer = kind == IoKind::kRead || kind == IoKind::kReadV || kind == IoKind::kWrite ||
                        kind == IoKind::kWriteV;
  return transfer && !FileOf(op).stream && op->request.offset == IoRequest::kCurrentPosition;
}

Clock::time_point DeadlineOf(const IoState* op) {
  const auto& when = *static_cast<const timespec*>(op->request.buffer);
  return Clock::time_point(std::chrono::seconds(when.tv_sec) +
                           std::chrono::nanoseconds(when.tv_nsec));
}

class IocpEngine final : public IoEngine {
 public:
  // `port`, of the registry's poller, may be null: then nothing can be attached.
  IocpEngine(std::shared_ptr<Registry> registry, CompletionPort* port, IoOffload offload)
      : registry_(std::move(registry)),
        port_(port),
        pool_(std::make_shared<IoPool>(std::move(offload))) {}

  absl::string_view name() const override { return "iocp"; }

  absl::StatusOr<std::unique_ptr<IoFileState>> Attach(UniqueFd fd) override {
    const std::string operation = absl::StrCat("attach descriptor ", fd.get());
    if (port_ == nullptr) {
      return absl::UnimplementedError(absl::StrCat(operation, ": the poller has no port"));
    }
    // -1 would be this process.
    if (!fd) return WindowsErrorToStatus(ERROR_INVALID_HANDLE, operation);
    int type = 0;
    SOCKET base = INVALID_SOCKET;
    absl::StatusOr<SOCKET> socket = AfdSocket(fd.get());
    if (socket.ok()) {
      base = *socket;
      int size = sizeof(type);
      if (getsockopt(base, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) != 0) {
        return WindowsErrorToStatus(static_cast<unsigned long>(WSAGetLastError()), operation);
      }
    } else if (!absl::IsPermissionDenied(socket.status())) {
      return socket.status();
    }
    const auto handle = reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(fd.get()));
    const bool stream = type != 0 || GetFileType(handle) != FILE_TYPE_DISK;
    if (const DWORD error = port_->Attach(handle); error == ERROR_INVALID_PARAMETER) {
      return absl::InvalidArgumentError(absl::StrCat(
          operation, ": it was attached before, or not opened for overlapped operations"));
    } else if (error != 0) {
      return WindowsErrorToStatus(error, operation);
    }
    return std::make_unique<IocpFile>(shared_from_this(), std::move(fd), stream, type, base);
  }

  void Submit(IoState* op) override {
    const IoKind kind = op->request.kind;
    if (IsForPool(kind)) {
      pool_->Submit(op);
      return;
    }
    IoFinished finished;
    if (kind == IoKind::kTimeout) {
      SubmitTimeout(op, finished);
    } else if (kind == IoKind::kPoll && FileOf(op).type == 0) {
      // What is no socket has no readiness.
      finished.Add(op, kAfdReceive | kAfdSend);
    } else {
      SubmitToSystem(op, finished);
    }
    FinishNow(finished);
  }

  void Cancel(IoState* op) override {
    if (IsForPool(op->request.kind)) {
      pool_->Cancel(op);
      return;
    }
    IoFinished finished;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (op->engine_fields.phase == Phase::kQueued) {
        if (op->request.kind == IoKind::kTimeout) {
          timers_.erase({DeadlineOf(op), op});
          SetAlarm();
        } else {
          FileOf(op).waiting.Remove(op);
        }
        finished.Add(op, -ECANCELED);
      } else if (op->engine_fields.phase == Phase::kInFlight) {
        op->engine_fields.cancel_asked = true;  // I2
        DetailOf(op).Cancel();
      }
    }
    FinishNow(finished);
  }

  bool BeforeWait(bool) override { return true; }

  std::size_t AfterWait(WakeList& wakes) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!timers_.empty()) {
        const Clock::time_point now = Clock::now();
        while (!timers_.empty() && timers_.begin()->first <= now) {
          arrived_.Add(timers_.begin()->second, 0);
          timers_.erase(timers_.begin());
        }
        SetAlarm();
      }
    }
    return arrived_.FinishAll(wakes);
  }

  void Shutdown(WakeList& wakes) override {
    pool_->Shutdown(wakes);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      shut_down_ = true;
      for (const auto& [deadline, op] : timers_) arrived_.Add(op, -ECANCELED);
      timers_.clear();
      for (IoState* op = under_way_.first(); op != nullptr; op = IoList::Next(op)) {
        op->engine_fields.cancel_asked = true;  // I2
        DetailOf(op).Cancel();
      }
    }
    while (AnyUnderWay()) port_->Drain();
    arrived_.FinishAll(wakes);
  }

 private:
  static void OnPacket(IocpPacket& packet) {
    IoState* const op = IocpOperation::Of(packet).op();
    static_cast<IocpEngine*>(FileOf(op).engine.get())->OnAnswer(op);
  }

  static void FinishNow(IoFinished& finished) {
    WakeList wakes;
    finished.FinishAll(wakes);
    wakes.WakeAll();
  }

  void SubmitTimeout(IoState* op, IoFinished& finished) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (shut_down_ || port_ == nullptr) {
      finished.Add(op, shut_down_ ? -ECANCELED : -ENOTSUP);
      return;
    }
    op->engine_fields.phase = Phase::kQueued;
    timers_.emplace(DeadlineOf(op), op);
    SetAlarm();
  }

  void SubmitToSystem(IoState* op, IoFinished& finished) {
    auto detail = std::make_unique<IocpOperation>(op, &OnPacket);
    const bool moves = Moves(op);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (shut_down_) {
        finished.Add(op, -ECANCELED);
        return;
      }
      detail->offset = op->request.offset;
      op->engine_fields.detail = std::move(detail);
      IocpFile& file = FileOf(op);
      if (file.type != 0 && IocpOperation::Polls(op->request) && !file.polls) {
        const absl::StatusOr<HANDLE> polls = port_->OpenPolls();
        if (!polls.ok()) {
          finished.Add(op, -ENOMEM);
          return;
        }
        file.polls.emplace(*polls);
      }
      if (moves && file.moving) {
        op->engine_fields.phase = Phase::kQueued;
        file.waiting.PushBack(op);
        return;
      }
      if (moves) Move(op);
      Begin(op);
    }
    Ask(op, finished);
  }

  // Asks the system, and if it refuses at once, for whatever waited for that.
  void Ask(IoState* op, IoFinished& finished) {
    while (op != nullptr) {
      op->Ref();  // it may end meanwhile
      const std::int64_t result = DetailOf(op).Ask();
      IoState* next = nullptr;
      if (result != IocpOperation::kOnItsWay) {
        next = End(op, result, finished);
      } else {
        CancelIfAsked(op);
      }
      op->Unref();
      op = next;
    }
  }

  // A packet has come, to whoever polls: nobody else ends this operation.
  void OnAnswer(IoState* op) {
    bool wanted;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      wanted = !op->engine_fields.cancel_asked;
    }
    const std::int64_t result = DetailOf(op).Answer(wanted);
    if (result != IocpOperation::kOnItsWay) {
      Ask(End(op, result, arrived_), arrived_);
    } else {
      CancelIfAsked(op);
    }
  }

  // I2
  void CancelIfAsked(IoState* op) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const IoEngineFields& fields = op->engine_fields;
    if (fields.cancel_asked && fields.phase == Phase::kInFlight) DetailOf(op).Cancel();
  }

  // It has ended. What is to be asked for next, if anything.
  IoState* End(IoState* op, std::int64_t result, IoFinished& finished) {
    const bool moves = Moves(op);  // before its request is used for the result
    const std::lock_guard<std::mutex> lock(mutex_);
    under_way_.Remove(op);
    IocpFile& file = FileOf(op);
    finished.Add(op, result);
    // Shutdown() waits for packets, and of what the system refused there is none.
    if (shut_down_) static_cast<void>(registry_->poller().Notify());
    if (!moves) return nullptr;
    if (result > 0) file.position += result;
    file.moving = false;
    if (shut_down_) {
      while (IoState* waiting = file.waiting.PopFront()) finished.Add(waiting, -ECANCELED);
      return nullptr;
    }
    IoState* const next = file.waiting.PopFront();
    if (next == nullptr) return nullptr;
    Move(next);
    Begin(next);
    return next;
  }

  bool AnyUnderWay() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return !under_way_.empty();
  }

  // -- All below under the lock ------------------------------------------------------

  // It is the one that moves its file's position.
  static void Move(IoState* op) {
    FileOf(op).moving = true;
    DetailOf(op).offset = FileOf(op).position;
  }

  void Begin(IoState* op) {
    op->engine_fields.phase = Phase::kInFlight;
    under_way_.PushBack(op);
  }

  void SetAlarm() {
    port_->SetAlarm(timers_.empty() ? Clock::time_point::max() : timers_.begin()->first);
  }

  const std::shared_ptr<Registry> registry_;
  CompletionPort* const port_;
  const std::shared_ptr<IoPool> pool_;
  // What has ended and will be told after the wait. Of whoever polls.
  IoFinished arrived_;
  // Guards what is below, and the fields of operations.
  std::mutex mutex_;
  IoList under_way_;
  std::set<std::pair<Clock::time_point, IoState*>> timers_;
  bool shut_down_ = false;
};

}  // namespace

std::shared_ptr<IoEngine> CreateIoEngine(std::shared_ptr<Registry> registry,
                                         const IoOptions& options) {
  CompletionPort* const port = registry->poller().completion_port();
  return std::make_shared<IocpEngine>(std::move(registry), port, options.offload);
}

}  // namespace home::reactor_internal
