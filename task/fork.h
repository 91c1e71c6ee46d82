// Fork: a child that may run beside its parent, and costs little more than a call if it
// does not.
//
//   Async<long> Fib(int n) {
//     if (n < 2) co_return n;
//     auto left = Fork(Fib(n - 1));          // anybody may take it now
//     long right = co_await Fib(n - 2);
//     co_return co_await left + right;       // nobody did: it runs here, as a child
//   }
//
// Fork(child) offers the child to the executor and returns a Forked<T>, a future of what
// the child yields. An idle worker, or this one when its task waits, takes it and runs it
// as a task of its own. If nobody has when the parent awaits it, the parent takes it back
// and runs it like any child coroutine (chain.h), so that recursion of any depth stays
// flat. In fork-join work nearly all children go that way, and no two threads touch them.
//
// The scope is structured: the child does not outlive its Forked, so it may borrow what
// does, as everything that was declared before it in the same coroutine. Children that are
// awaited in the reverse order of their forking are taken back at the least cost.
//
// Result: what the child returns; its exception is rethrown. If the runtime is shut down
// before anybody took the child, it runs with its parent.
// Cancellation: dropping a Forked cancels the child, synchronously: its frame is
// destroyed by the thread that drops, and if another worker polls it at this moment, after
// that poll. Dropping one from inside its own child is a fatal mistake.
// TaskLocals: whether the child sees those of its parent depends on who runs it; give it a
// scope of its own.
//
// Thread-safety: one thread at a time. Cost: a child that is taken back, one cell from the
// recycling cache, one push and one pop of the deque beside the child's frame; one that
// somebody took, what a spawned task costs.
//
// It is lazy task creation (Mohr, Kranz, Halstead, "Lazy Task Creation", 1990) with child
// stealing: the parent goes on, the child is what is stolen. So a poll returns when it
// should, and a child that waits is a task like others.

#ifndef HOME_TASK_FORK_H_
#define HOME_TASK_FORK_H_

#include <source_location>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/result_slot.h"
#include "home/task/join_handle.h"
#include "home/task/poll_claim.h"
#include "home/task/spawn.h"
#include "home/task/spawnable.h"
#include "home/task/task_cell.h"
#include "home/task/task_header.h"
#include "home/task/task_label.h"

namespace home {
namespace internal {

// The child, in its cell but not in the task's future: the parent may take it back, also
// when the runtime has cancelled the task.
template <typename T>
struct ForkState {
  PollClaim claim;
  Async<T> child;
};

// The future of a forked child's task, should it come to run as one.
template <typename T>
class ForkRunner {
 public:
  using Output = T;

  void SetState(ForkState<T>* state) { state_ = state; }

  home::Poll<T> Poll(Context& cx) {
    // False: the parent has the child, and aborts this task.
    if (!state_->claim.BeginPoll()) return kPending;
    // The child's frame is gone when its Poll returns Ready or throws.
    AtEnd end{state_->claim};
    home::Poll<T> polled = state_->child.Poll(cx);
    end.pending = polled.pending();
    return polled;
  }

 private:
  struct AtEnd {
    explicit AtEnd(PollClaim& of) : claim(of) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() {
      if (pending) {
        claim.EndPoll();
      } else {
        claim.Finish();
      }
    }
    PollClaim& claim;
    bool pending = false;
  };

  ForkState<T>* state_ = nullptr;
};

// `future` as a coroutine.
template <Future F>
Async<FutureOutput<F>> AsAsync(F future) {
  co_return co_await future;
}
template <typename T>
Async<T> AsAsync(Async<T>&& async) {
  return std::move(async);
}

}  // namespace internal

// What Fork() returns. Movable before the first poll.
template <typename T>
class [[nodiscard]] Forked {
  using State = internal::ForkState<T>;
  using Cell = TaskCell<internal::ForkRunner<T>, State>;

 public:
  using Output = T;

  // Offers `child` to `scheduler`.
  Forked(Async<T> child, TaskScheduler& scheduler, const TaskLabel& label)
      : task_(Cell::New(internal::ForkRunner<T>(), &scheduler, TaskId::Next(), label)) {
    State& state = Cell::ExtraOf(task_);
    state.child = std::move(child);
    Cell::FutureOf(task_).SetState(&state);
    scheduler.SubmitForked(task_);
  }
  Forked(Forked&& other) noexcept
      : task_(std::exchange(other.task_, nullptr)), child_(std::move(other.child_)) {}
  // Drops the child that was here.
  Forked& operator=(Forked&& other) noexcept {
    const Forked old(std::move(*this));
    task_ = std::exchange(other.task_, nullptr);
    child_ = std::move(other.child_);
    return *this;
  }
  ~Forked() {
    if (task_ != nullptr) End();
  }

  // Awaiting a Forked in an Async goes this way first (ChildSource): the child becomes one
  // of the awaiting coroutine. Empty: it runs elsewhere, or has begun to; poll.
  // Inlined into the coroutine that awaits, as it is nearly all that a child costs there.
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Async<T> TakeChild() noexcept {
    if (ABSL_PREDICT_TRUE(task_ != nullptr && task_->state.fresh() &&
                          task_->scheduler->TakeBack(task_))) {
      // Out of the queue and unknown to everybody else.
      Async<T> child = std::move(Cell::ExtraOf(task_).child);
      if (ABSL_PREDICT_FALSE(child.started())) return KeepStarted(std::move(child));
      Cell::Discard(std::exchange(task_, nullptr));
      return child;
    }
    return ClaimChild();
  }

  home::Poll<T> Poll(Context& cx) {
    if (task_ != nullptr) {
      if (Async<T> child = TakeChild()) child_ = std::move(child);
    }
    if (task_ != nullptr) {
      if (!internal::PollTaskEnd(task_, cx)) return kPending;
      // relaxed: ordered by the acquire that found the task complete.
      const TaskOutcome outcome = task_->outcome.load(std::memory_order_relaxed);
      if (outcome != TaskOutcome::kCancelled) return TakeOutcome(outcome);
      // The runtime shuts down, and the child is there still.
      child_ = std::move(Cell::ExtraOf(task_).child);
      AbandonTask();
    }
    if (!child_) Fatal("Forked awaited after it was ready, or moved from");
    return child_.Poll(cx);
  }

 private:
  // As TakeChild(), from wherever the child is.
  ABSL_ATTRIBUTE_NOINLINE Async<T> ClaimChild() noexcept {
    if (task_ == nullptr) return Async<T>();
    State& state = Cell::ExtraOf(task_);
    if (!state.claim.TryTake().none()) return Async<T>();
    Async<T> child = std::move(state.child);
    // Its place in a queue, or among the tasks that wait, is given up.
    AbandonTask();
    if (!child.started()) return child;
    child_ = std::move(child);
    return Async<T>();
  }

  // A child that has run as a task, and was out of its queue just as a new one is. Its task is
  // in a worker's list and has to come to its end there.
  ABSL_ATTRIBUTE_NOINLINE Async<T> KeepStarted(Async<T>&& child) noexcept {
    child_ = std::move(child);
    AbortTask(task_);
    task_->scheduler->SubmitForked(task_);
    AbandonTask();
    return Async<T>();
  }

  home::Poll<T> TakeOutcome(TaskOutcome outcome) {
    struct DropOutcome {
      ~DropOutcome() {
        task->vtable()->drop_outcome(task);
        ReleaseTask(task);
      }
      TaskHeader* task;
    };
    const DropOutcome drop{std::exchange(task_, nullptr)};
    if (outcome == TaskOutcome::kException) {
      internal::Rethrow(drop.task->vtable()->exception(drop.task));
    }
    if constexpr (std::is_void_v<T>) {
      return kReady;
    } else {
      return internal::TakeTaskValue<T>(drop.task);
    }
  }

  // The task goes its way without the child.
  void AbandonTask() noexcept {
    JoinHandle<T> handle(std::exchange(task_, nullptr));
    handle.Abort();
  }

  void End() noexcept {
    if (Async<T> child = TakeChild()) return;
    while (task_ != nullptr) {
      State& state = Cell::ExtraOf(task_);
      const internal::PollClaim::Holder holder = state.claim.TryTake();
      if (holder.none()) {
        {
          const Async<T> child = std::move(state.child);
        }
        return AbandonTask();
      }
      if (holder.gone()) {
        static_cast<void>(JoinHandle<T>(std::exchange(task_, nullptr)));
        return;
      }
      if (holder.is_this_thread()) {
        Fatal("a forked child destroyed its own Forked: it would wait for itself");
      }
      // So that its next turn is its last.
      AbortTask(task_);
      state.claim.Await(holder);
    }
  }

  TaskHeader* task_;  // until the child is taken back, or ended
  Async<T> child_;    // after that, if it is polled in place
};

// Offers `child`, a future or a callable that returns one, to the current executor; dies
// with a message if there is none. An Async is taken as it is, anything else costs a frame
// more.
template <Spawnable F>
Forked<SpawnOutput<F>> Fork(F&& child, TaskLabel label = std::source_location::current()) {
  return Forked<SpawnOutput<F>>(internal::AsAsync(ToFuture(std::forward<F>(child))),
                                CurrentTaskSchedulerOrDie("Fork"), label);
}

}  // namespace home

#endif  // HOME_TASK_FORK_H_
