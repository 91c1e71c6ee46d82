// JoinSet<T>: tasks that yield a T, joined in the order in which they end.
//
//   JoinSet<int> set;
//   for (const Url& url : urls) set.Spawn(Fetch(url));
//   while (true) {
//     std::optional<absl::StatusOr<int>> one = co_await set.JoinNext();
//     if (!one) break;
//     ...
//   }
//
// Dropping the set aborts its tasks; it does not wait for them (for that there is
// Shutdown(), and TaskGroup, whose children may borrow). It is Tokio's JoinSet.
//
// Thread-safety: one thread at a time; the tasks end on any. Cost: nothing is
// allocated for a task beside its cell, which is 56 bytes larger; a task that
// ends takes the set's lock once, however many there are.

#ifndef HOME_TASK_JOIN_SET_H_
#define HOME_TASK_JOIN_SET_H_

#include <concepts>
#include <cstddef>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/parker/futex_mutex.h"
#include "home/task/join_handle.h"
#include "home/task/spawn.h"
#include "home/task/spawnable.h"
#include "home/task/task_cell.h"
#include "home/task/task_header.h"
#include "home/task/task_label.h"

namespace home {
namespace internal {

class JoinSetCore;

// A task's part of a set, in its cell.
struct JoinSetMember : WakerTarget {
  JoinSetMember() noexcept : WakerTarget(&kVTable) {}

  static const WakerVTable kVTable;

  TaskHeader* task = nullptr;
  JoinSetCore* core = nullptr;
  // All members that are not joined: the set's own list.
  JoinSetMember* previous = nullptr;
  JoinSetMember* next = nullptr;
  // Those that ended: under the core's mutex until they are taken.
  JoinSetMember* next_ready = nullptr;
  bool ready = false;
};

// The untyped part of a set. It is apart from the set because a task may be
// about to report its end while the set goes.
//
// A member's task is joined by the set: the join waker points to the member, and
// the handle's reference keeps the cell for both. The waker is set before the
// task is submitted and never changed, so whoever completes the task wakes it
// exactly once, unless the set has dropped the join interest before.
//
// Invariants, all under mutex_:
//   I1  A member is in the ready list, or was taken from it, if and only if
//       `ready`; then the task is complete and its outcome the set's.
//   I2  Once closed_, late_ is the number of wakes that are still to come, whose
//       members belong to them; the last one deletes the core.
class JoinSetCore {
 public:
  JoinSetCore() = default;
  JoinSetCore(const JoinSetCore&) = delete;
  JoinSetCore& operator=(const JoinSetCore&) = delete;

  // Adds a task that was not submitted yet, with its handle's reference.
  void Add(TaskHeader* task, JoinSetMember& member);
  // Takes out a task that is complete, with the handle's part of it. Null: there
  // is none, and `cx` will be woken.
  [[nodiscard]] TaskHeader* PollReady(Context& cx);
  // By whoever has completed a member's task.
  void OnWake(JoinSetMember* member);
  void AbortAll();
  // Lets all tasks run on by themselves. The core is gone afterwards.
  void Close();

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  ~JoinSetCore() = default;

  void Unlink(JoinSetMember* member);

  // The set's own.
  JoinSetMember* members_ = nullptr;
  JoinSetMember* taken_ = nullptr;
  std::size_t size_ = 0;

  FutexMutex mutex_;
  // All under the mutex.
  JoinSetMember* first_ready_ = nullptr;
  JoinSetMember* last_ready_ = nullptr;
  Waker waker_;
  bool closed_ = false;
  std::size_t late_ = 0;
};

}  // namespace internal

template <typename T>
class JoinSet {
 public:
  class JoinNextFuture;
  class JoinAllFuture;
  class ShutdownFuture;

  JoinSet() = default;
  // Not while a future of the set's is being awaited.
  JoinSet(JoinSet&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  JoinSet& operator=(JoinSet&& other) noexcept {
    JoinSet old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
    return *this;
  }
  // AbortAll() and DetachAll().
  ~JoinSet() {
    if (core_ == nullptr) return;
    core_->AbortAll();
    core_->Close();
  }

  // As home::Spawn, into this set.
  template <Spawnable F>
    requires std::same_as<SpawnOutput<F>, T>
  void Spawn(F&& spawnable, TaskLabel label = std::source_location::current()) {
    TaskScheduler& scheduler = CurrentTaskSchedulerOrDie("JoinSet::Spawn");
    scheduler.Submit(Make(std::forward<F>(spawnable), scheduler, label));
  }
  // The same for a task that may have to be aborted by itself; two atomic
  // operations more.
  template <Spawnable F>
    requires std::same_as<SpawnOutput<F>, T>
  AbortHandle SpawnAbortable(F&& spawnable, TaskLabel label = std::source_location::current()) {
    TaskScheduler& scheduler = CurrentTaskSchedulerOrDie("JoinSet::SpawnAbortable");
    TaskHeader* task = Make(std::forward<F>(spawnable), scheduler, label);
    task->state.AddReference();
    AbortHandle abort(task);
    scheduler.Submit(task);
    return abort;
  }

  // A future of std::optional<Fallible<T>>: the outcome of the task that ended
  // first of those not yet joined, as JoinHandle gives it, or nothing if the set
  // is empty. Rethrows the task's exception. Cancellation: nothing is lost.
  [[nodiscard]] JoinNextFuture JoinNext() { return JoinNextFuture(*this); }
  // A future of std::vector<Fallible<T>>: the outcomes of all tasks, in the order
  // in which they ended. Rethrows the first exception, and loses what came
  // before it; the other tasks stay in the set. Cancellation: the outcomes so far
  // are lost.
  [[nodiscard]] JoinAllFuture JoinAll() { return JoinAllFuture(*this); }
  // A future of void: aborts all tasks and waits until they have ended. Their
  // outcomes are dropped, exceptions shown on standard error. Cancellation: the
  // tasks stay aborted and in the set.
  [[nodiscard]] ShutdownFuture Shutdown() { return ShutdownFuture(*this); }

  // Asks for the cancellation of all tasks. They are joined as before.
  void AbortAll() {
    if (core_ != nullptr) core_->AbortAll();
  }
  // Lets all tasks run on by themselves; the set is empty afterwards.
  void DetachAll() {
    if (core_ != nullptr) std::exchange(core_, nullptr)->Close();
  }

  // How many tasks are not yet joined.
  [[nodiscard]] std::size_t size() const { return core_ != nullptr ? core_->size() : 0; }
  [[nodiscard]] bool empty() const { return size() == 0; }

 private:
  template <typename F>
  TaskHeader* Make(F&& spawnable, TaskScheduler& scheduler, const TaskLabel& label) {
    using Cell = TaskCell<decltype(ToFuture(std::forward<F>(spawnable))), internal::JoinSetMember>;
    if (core_ == nullptr) core_ = new internal::JoinSetCore();
    auto [task, handle] =
        NewTask<internal::JoinSetMember>(std::forward<F>(spawnable), &scheduler, label);
    core_->Add(std::move(handle).Release(), Cell::ExtraOf(task));
    return task;
  }
  // The next outcome; only if the set is not empty.
  home::Poll<Fallible<T>> PollOne(Context& cx) {
    if (!cx.ConsumeBudget()) return kPending;
    TaskHeader* task = core_->PollReady(cx);
    if (task == nullptr) return cx.PendingFor("the end of a task");
    return JoinHandle<T>(task).Poll(cx);
  }

  internal::JoinSetCore* core_ = nullptr;
};

template <typename T>
class [[nodiscard]] JoinSet<T>::JoinNextFuture {
 public:
  using Output = std::optional<Fallible<T>>;

  explicit JoinNextFuture(JoinSet& set) : set_(&set) {}

  home::Poll<Output> Poll(Context& cx) {
    if (set_->empty()) return Output();
    home::Poll<Fallible<T>> one = set_->PollOne(cx);
    if (one.pending()) return kPending;
    return Output(std::move(one).value());
  }

 private:
  JoinSet* set_;
};

template <typename T>
class [[nodiscard]] JoinSet<T>::JoinAllFuture {
 public:
  using Output = std::vector<Fallible<T>>;

  explicit JoinAllFuture(JoinSet& set) : set_(&set) {}

  home::Poll<Output> Poll(Context& cx) {
    while (!set_->empty()) {
      home::Poll<Fallible<T>> one = set_->PollOne(cx);
      if (one.pending()) return kPending;
      outcomes_.push_back(std::move(one).value());
    }
    return std::move(outcomes_);
  }

 private:
  JoinSet* set_;
  Output outcomes_;
};

template <typename T>
class [[nodiscard]] JoinSet<T>::ShutdownFuture {
 public:
  using Output = void;

  explicit ShutdownFuture(JoinSet& set) : set_(&set) {}

  home::Poll<void> Poll(Context& cx) {
    if (!std::exchange(aborted_, true)) set_->AbortAll();
    while (!set_->empty()) {
      if (!cx.ConsumeBudget()) return kPending;
      TaskHeader* task = set_->core_->PollReady(cx);
      if (task == nullptr) return cx.PendingFor("the end of a task");
      internal::AbandonComplete(task);
    }
    return kReady;
  }

 private:
  JoinSet* set_;
  bool aborted_ = false;
};

}  // namespace home

#endif  // HOME_TASK_JOIN_SET_H_
