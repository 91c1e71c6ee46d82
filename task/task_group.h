// TaskGroup: tasks inside a scope that does not end before they have.
//
//   absl::Status status = co_await WithTaskGroup([&](TaskGroup& group) -> Async<absl::Status> {
//     for (Part& part : parts) group.Spawn(Fetch(part));   // may borrow `parts`
//     co_return absl::OkStatus();
//   });
//
// WithTaskGroup(body) is a future: it runs `body(group)` and what that spawns into
// the group, and is ready when all of them have ended. It yields a Fallible of
// the body's output. The first failure (a Status or StatusOr that is not OK, or
// an exception, of the body or a child) cancels the others; they are waited for,
// and then the scope ends with that failure. Values of children are dropped.
//
// So a child may use what outlives the scope by reference: variables of the
// coroutine that awaits it. What the body itself declares is gone when the body
// has returned; children use that only if the body waits for them.
//
// It is what Kotlin calls coroutineScope and Trio a nursery. From both it differs in
// that dropping it ends its children at once, see below; from Tokio's JoinSet, in
// that nothing outlives it, so that children may borrow.
//
// Cancellation: dropping the future cancels all children, synchronously: those
// that wait or are in a queue have their futures destroyed by the thread that
// drops, and one that another worker polls at this moment is waited for until
// that poll returns. The thread waits for nothing else than a poll, or a
// destructor, that is under way on another thread and belongs to a child. What
// such a poll can wait for in the same way are its own children. So waits form no
// circle, as long as no child owns a future that holds a group it is a child of;
// one that destroys its own group directly dies with a message.
//
// Thread-safety: Spawn and Cancel from the body and from children, on any
// thread; they must not be called by anybody else. The future: one thread at a
// time. Cost: one allocation a child, 64 bytes larger than a plain task's, and two
// short sections under the group's lock; two RMWs more a poll of a child.

#ifndef HOME_TASK_TASK_GROUP_H_
#define HOME_TASK_TASK_GROUP_H_

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/fatal.h"
#include "home/future/future.h"
#include "home/future/result_slot.h"
#include "home/future/waker.h"
#include "home/parker/futex_mutex.h"
#include "home/task/join_handle.h"
#include "home/task/poll_claim.h"
#include "home/task/spawn.h"
#include "home/task/spawnable.h"
#include "home/task/task_cell.h"
#include "home/task/task_header.h"
#include "home/task/task_id.h"
#include "home/task/task_label.h"

namespace home {

class TaskGroup;

namespace internal {

// A child's part of its group, in its cell. When its claim is gone the child is in no
// list.
struct GroupNode {
  TaskHeader* task = nullptr;
  TaskGroup* group = nullptr;
  // Destroys the child's future; whoever has the claim calls it.
  void (*destroy)(TaskHeader* task) noexcept = nullptr;
  PollClaim claim;
  // Under the group's mutex.
  GroupNode* previous = nullptr;
  GroupNode* next = nullptr;
  bool aborted = false;

  // After a poll that was ready or threw, and the destruction of the future.
  void Finish(absl::Status error, std::exception_ptr exception);
  // Destroys the future if nobody has, and waits until it is gone.
  void EndFromWorker();
};

// A child's future: polls the inner one under the claim, and tells the group of
// its end.
template <Future F>
class GroupChild {
 public:
  using Output = void;

  explicit GroupChild(F future) : future_(std::move(future)) {}
  GroupChild(GroupChild&& other) noexcept(std::is_nothrow_move_constructible_v<F>)
      : future_(std::move(other.future_)) {}
  GroupChild& operator=(GroupChild&&) = delete;
  ~GroupChild() {
    if (node_ == nullptr) {
      Destroy();
    } else {
      node_->EndFromWorker();
    }
  }

  void SetNode(GroupNode* node) { node_ = node; }
  void Destroy() noexcept { std::destroy_at(std::addressof(future_)); }

  home::Poll<void> Poll(Context& cx) {
    // False: the group is gone, and with it the future.
    if (!node_->claim.BeginPoll()) return kPending;
    absl::Status error;
    std::exception_ptr exception;
    HOME_FUTURE_TRY {
      home::Poll<FutureOutput<F>> polled = future_.Poll(cx);
      if (polled.pending()) {
        node_->claim.EndPoll();
        return kPending;
      }
      if constexpr (FallibleType<FutureOutput<F>>) error = GetStatus(std::move(polled).value());
    }
    HOME_FUTURE_CATCH_ALL { exception = std::current_exception(); }
    Destroy();
    node_->Finish(std::move(error), std::move(exception));
    return kReady;
  }

 private:
  GroupNode* node_ = nullptr;
  union {
    F future_;
  };
};

}  // namespace internal

class TaskGroup {
 public:
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Runs `spawnable`, a future or a callable that returns one, as a child. If
  // the group has failed or was cancelled, it is dropped unrun.
  template <Spawnable F>
  void Spawn(F&& spawnable, TaskLabel label = std::source_location::current()) {
    using Child = internal::GroupChild<decltype(ToFuture(std::forward<F>(spawnable)))>;
    using Cell = TaskCell<Child, internal::GroupNode>;
    TaskScheduler& scheduler = CurrentTaskSchedulerOrDie("TaskGroup::Spawn");
    TaskHeader* task =
        Cell::New(Child(ToFuture(std::forward<F>(spawnable))), &scheduler, TaskId::Next(), label);
    task->state.DetachUnshared();
    internal::GroupNode& node = Cell::ExtraOf(task);
    node.task = task;
    node.destroy = [](TaskHeader* of) noexcept { Cell::FutureOf(of).Destroy(); };
    Cell::FutureOf(task).SetNode(&node);
    if (!Link(node)) {
      node.destroy(task);
      node.claim.Finish();
      AbortTask(task);
    }
    scheduler.Submit(task);
  }

  // Ends the scope with kCancelled, unless it has failed already: all children
  // are cancelled, and the body where it waits next.
  void Cancel();

  // How many children have not ended.
  [[nodiscard]] std::size_t size() const;

 private:
  friend struct internal::GroupNode;
  template <typename Body>
  friend class TaskGroupFuture;

  enum class Watched { kEmpty, kFailed, kWaiting };

  TaskGroup() = default;
  ~TaskGroup() = default;

  // False: the group takes no more children.
  [[nodiscard]] bool Link(internal::GroupNode& node);
  void Unlink(internal::GroupNode& node);
  // Takes `node` out, notes the failure if it is the first, and returns whom to
  // wake. The group may be gone afterwards.
  [[nodiscard]] Waker Remove(internal::GroupNode& node, absl::Status error,
                             std::exception_ptr exception);
  // The body's failure.
  void Fail(absl::Status error, std::exception_ptr exception);
  // Takes both if it is the first failure. Else they die with the caller, outside of the
  // lock: an exception's destructor is the user's code.
  void FailLocked(absl::Status& error, std::exception_ptr& exception);
  [[nodiscard]] bool failed() const;
  // Takes no more children.
  void Close();
  // kEmpty: there are no children. kFailed: there are, and AbortAll() is due.
  // kWaiting: `cx` is woken when one of the two is so.
  [[nodiscard]] Watched Watch(Context& cx);
  // Asks for the cancellation of all children.
  void AbortAll();
  // Cancels all children, and returns when their futures are gone.
  void EndAll();

  mutable FutexMutex mutex_;
  // All under the mutex.
  internal::GroupNode* first_ = nullptr;
  internal::GroupNode* last_ = nullptr;
  std::size_t size_ = 0;
  bool failed_ = false;
  bool aborted_ = false;
  absl::Status error_;
  std::exception_ptr exception_;
  Waker waker_;
};

// What WithTaskGroup returns. Movable before the first poll.
template <typename Body>
class [[nodiscard]] TaskGroupFuture {
  using Inner = std::invoke_result_t<Body&, TaskGroup&>;
  using Value = FutureOutput<Inner>;

 public:
  using Output = Fallible<Value>;

  explicit TaskGroupFuture(Body body) : body_(std::move(body)) {}
  TaskGroupFuture(TaskGroupFuture&& other) noexcept(std::is_nothrow_move_constructible_v<Body>)
      : body_(std::move(other.body_)) {}
  TaskGroupFuture& operator=(TaskGroupFuture&&) = delete;
  // The children go first: the body may own what they use.
  ~TaskGroupFuture() {
    if (started_ && !ended_) group_.EndAll();
  }

  home::Poll<Output> Poll(Context& cx) {
    if (ended_) Fatal("WithTaskGroup was polled after it was ready");
    started_ = true;
    if (!result_ && !group_.failed()) PollBody(cx);
    while (true) {
      switch (group_.Watch(cx)) {
        case TaskGroup::Watched::kWaiting:
          cx.NoteWait("the tasks of a group");
          return kPending;
        case TaskGroup::Watched::kFailed:
          group_.AbortAll();
          continue;
        case TaskGroup::Watched::kEmpty:
          break;
      }
      break;
    }
    // All children have ended, and nobody else touches the group.
    if (group_.failed()) {
      ended_ = true;
      inner_.reset();
      if (group_.exception_ != nullptr) internal::Rethrow(std::move(group_.exception_));
      return Output(std::move(group_.error_));
    }
    if (!result_) return kPending;
    ended_ = true;
    // What the body's destructor spawns comes too late.
    group_.Close();
    inner_.reset();
    return *std::move(result_);
  }

 private:
  // Converts to what body(group) returns, so that it is built in place.
  struct Make {
    Body& body;
    TaskGroup& group;
    operator Inner() const { return body(group); }  // NOLINT: the conversion is the point
  };

  void PollBody(Context& cx) {
    HOME_FUTURE_TRY {
      if (!inner_) inner_.emplace(Make{body_, group_});
      home::Poll<Value> polled = inner_->Poll(cx);
      if (polled.pending()) return;
      if constexpr (std::is_void_v<Value>) {
        result_.emplace();
      } else {
        result_.emplace(std::move(polled).value());
      }
    }
    HOME_FUTURE_CATCH_ALL { return group_.Fail(absl::OkStatus(), std::current_exception()); }
    if (!result_->ok()) group_.Fail(internal::GetStatus(*result_), nullptr);
  }

  TaskGroup group_;
  Body body_;
  std::optional<Inner> inner_;
  std::optional<Output> result_;
  bool started_ = false;
  bool ended_ = false;
};

// See the top of this file. `body` is kept alive as long as the scope, so a lambda
// coroutine may use its captures.
template <typename Body>
  requires Future<std::invoke_result_t<std::decay_t<Body>&, TaskGroup&>>
TaskGroupFuture<std::decay_t<Body>> WithTaskGroup(Body&& body) {
  return TaskGroupFuture<std::decay_t<Body>>(std::forward<Body>(body));
}

}  // namespace home

#endif  // HOME_TASK_TASK_GROUP_H_
