// JoinHandle<T>: the spawner's end of a task. A future of what the task yields.
//
//   JoinHandle<int> handle = Spawn(Compute());
//   absl::StatusOr<int> sum = co_await handle;
//
// Awaiting it gives a Fallible of the task's output (fallible.h): the output, or
// kCancelled after Abort() or when the runtime was shut down first.
//
// An exception that ended the task is rethrown. Dropping the handle detaches
// the task: it runs on, and its output is dropped; an exception goes to the
// runtime's panic handler or, if the task had failed before its handle was
// dropped, to standard error. Awaiting after Ready is a
// fatal mistake, as for every future.
//
// Thread-safety: one thread at a time. Cost: awaiting a complete task one load;
// a task that is not complete one or two RMWs a change of waker.
// Cancellation: dropping a pending await of `handle` loses nothing.

#ifndef HOME_TASK_JOIN_HANDLE_H_
#define HOME_TASK_JOIN_HANDLE_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/fatal.h"
#include "home/future/poll.h"
#include "home/future/result_slot.h"
#include "home/task/task_header.h"

namespace home {

// How far a task is.
enum class TaskStatus : std::uint8_t {
  kPending,    // spawned, waiting, or in a queue
  kRunning,    // being polled at this moment
  kCompleted,  // ended with a value
  kFailed,     // ended with an exception
  kCancelled,  // aborted before its end
};

namespace internal {
[[nodiscard]] TaskStatus StatusOf(const TaskHeader* task);
// See AbortHandle::wait_reason(). `task` may be null.
[[nodiscard]] const char* WaitReasonOf(const TaskHeader* task);
// The same as PollTaskEnd() for a task that is not complete, or was not a moment ago.
[[nodiscard]] bool AwaitTaskEnd(TaskHeader* task, Context& cx);
// Whether the task is complete; if not, completion wakes `cx`'s task. By the handle's owner.
[[nodiscard]] inline bool PollTaskEnd(TaskHeader* task, Context& cx) {
  return task->state.Load().complete() || AwaitTaskEnd(task, cx);
}
// What awaiting a cancelled task yields.
[[nodiscard]] absl::Status TaskCancelled(TaskId id);
// The value that a complete task yields, for the handle's owner, who drops what is left of it.
template <typename T>
[[nodiscard]] T TakeTaskValue(TaskHeader* task) {
  void* const value = task->vtable()->value(task);
  if constexpr (std::is_reference_v<T>) {
    return **static_cast<std::remove_reference_t<T>**>(value);
  } else {
    return std::move(*static_cast<T*>(value));
  }
}
// Gives up the handle's part of a task that is complete: shows an exception that
// nobody has seen, drops the outcome and the reference.
void AbandonComplete(TaskHeader* task);
}  // namespace internal

// The right to abort a task and to look at it, apart from its result. Copies
// share the task's cell and keep its memory.
class AbortHandle {
 public:
  // Takes over a reference.
  explicit AbortHandle(TaskHeader* task) noexcept : task_(task) {}
  AbortHandle(const AbortHandle& other) noexcept : task_(other.task_) {
    if (task_ != nullptr) task_->state.AddReference();
  }
  AbortHandle(AbortHandle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  AbortHandle& operator=(AbortHandle other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~AbortHandle() {
    if (task_ != nullptr) ReleaseTask(task_);
  }

  // As JoinHandle::Abort. Any thread.
  void Abort() const {
    if (task_ != nullptr) AbortTask(task_);
  }
  [[nodiscard]] TaskId id() const { return task_ != nullptr ? task_->id : TaskId(); }
  // See TaskLabel. The handle is not empty.
  [[nodiscard]] const char* name() const { return task_->name(); }
  [[nodiscard]] const std::source_location& location() const { return task_->location; }
  [[nodiscard]] TaskStatus status() const {
    return task_ != nullptr ? internal::StatusOf(task_) : TaskStatus::kCancelled;
  }
  // What the task waits for (context.h), or null: it has not waited yet, runs, or has
  // ended. A glance: the task may have gone on by the time this returns.
  [[nodiscard]] const char* wait_reason() const { return internal::WaitReasonOf(task_); }

 private:
  TaskHeader* task_;
};

template <typename T>
class [[nodiscard]] JoinHandle {
 public:
  using Output = Fallible<T>;

  // Takes over the handle's reference and the join interest.
  explicit JoinHandle(TaskHeader* task) noexcept : task_(task) {}
  JoinHandle(JoinHandle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  JoinHandle& operator=(JoinHandle&& other) noexcept {
    JoinHandle old(std::move(*this));
    task_ = std::exchange(other.task_, nullptr);
    return *this;
  }
  ~JoinHandle() {
    if (task_ != nullptr) Detach();
  }

  home::Poll<Output> Poll(Context& cx) {
    if (task_ == nullptr) Fatal("JoinHandle awaited after it was ready, or empty");
    if (!internal::PollTaskEnd(task_, cx)) return kPending;
    return Take();
  }

  // If the executor would run the awaited task next, and the one that awaits it waits for
  // nothing else, it hands over from one to the other and back: neither a waker nor a queue
  // is needed.
  home::Poll<Output> PollAlone(Context& cx) {
    Turn* turn = cx.turn();
    if (turn == nullptr || task_ == nullptr || turn->next != task_) return Poll(cx);
    turn->awaits_next = true;
    return cx.PendingFor("the end of a task");
  }

  // Asks for the task to be cancelled: its future is dropped where it waits
  // next, or at once if it waits, and the handle then yields kCancelled. A task
  // that ends before that yields its value. By the handle's thread; others, and whoever
  // does so while the handle is awaited, need an abort_handle().
  void Abort() const {
    if (task_ != nullptr) AbortTask(task_);
  }
  [[nodiscard]] AbortHandle abort_handle() const {
    if (task_ != nullptr) task_->state.AddReference();
    return AbortHandle(task_);
  }

  // Gives the handle's reference and its join interest to the caller.
  [[nodiscard]] TaskHeader* Release() && { return std::exchange(task_, nullptr); }

  // Lets the task run on by itself.
  void Detach() {
    TaskHeader* task = std::exchange(task_, nullptr);
    if (task == nullptr) Fatal("Detach of a JoinHandle that is empty");
    bool had_waker = false;
    if (task->state.DropJoinHandle(had_waker) == JoinWakerResult::kComplete) {
      internal::AbandonComplete(task);
    } else if (had_waker) {
      static_cast<void>(task->join_waker.Take());
      ReleaseTask(task);
    }
  }

  [[nodiscard]] TaskId id() const { return task_ != nullptr ? task_->id : TaskId(); }
  // See TaskLabel. The handle is not empty.
  [[nodiscard]] const char* name() const { return task_->name(); }
  [[nodiscard]] const std::source_location& location() const { return task_->location; }
  [[nodiscard]] TaskStatus status() const {
    return task_ != nullptr ? internal::StatusOf(task_) : TaskStatus::kCancelled;
  }
  // As AbortHandle's.
  [[nodiscard]] const char* wait_reason() const { return internal::WaitReasonOf(task_); }
  [[nodiscard]] bool finished() const { return task_ == nullptr || task_->state.Load().complete(); }

 private:
  home::Poll<Output> Take() {
    // Whatever is returned or thrown, the handle's part of the task goes.
    const Taken taken(std::exchange(task_, nullptr));
    TaskHeader* task = taken.task;
    // relaxed: ordered by the acquire that found the task complete.
    const TaskOutcome outcome = task->outcome.load(std::memory_order_relaxed);
    if (ABSL_PREDICT_FALSE(outcome == TaskOutcome::kException)) {
      internal::Rethrow(task->vtable()->exception(task));
    }
    if (ABSL_PREDICT_FALSE(outcome == TaskOutcome::kCancelled)) {
      return Output(internal::TaskCancelled(task->id));
    }
    if constexpr (std::is_void_v<T>) {
      return absl::OkStatus();
    } else {
      return Output(internal::TakeTaskValue<T>(task));
    }
  }

  // A complete task on the way out of the handle.
  struct Taken {
    explicit Taken(TaskHeader* complete) : task(complete) {}
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    ~Taken() {
      // What is left of a trivial value, or of an exception, needs no end.
      if constexpr (!std::is_void_v<T> && !std::is_trivially_destructible_v<T>) {
        task->vtable()->drop_outcome(task);
      }
      ReleaseTask(task);
    }
    TaskHeader* const task;
  };

  TaskHeader* task_;
};

}  // namespace home

#endif  // HOME_TASK_JOIN_HANDLE_H_
