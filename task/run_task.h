// RunTask: one turn of a task on the worker that took it from a queue.
//
// The worker lends itself as `owner`, whose list the task joins the first time
// that it has to wait; a task that is ready at its first poll is never in any
// list. The owner has
//
//   void Bind(TaskHeader* task)      puts a task into this worker's list
//   bool Unbind(TaskHeader* task)    takes it out again. False: it is in another
//                                    worker's list, see ReleaseLater
//   void ReleaseLater(TaskHeader*)   hands a complete task to the worker in whose
//                                    list it is, which takes it out and gives up
//                                    the runtime's reference
//
// and, if it wants to know when the task's own code runs,
//
//   void BeginPoll(TaskHeader* task) before it is polled or cancelled
//   void EndPoll()                   right after that, before anybody else may have it
//
// and, if it hands over from one task to another that it awaits (RunTask below),
//
//   bool awaited_here() const        whether the task that this one's JoinHandle belongs to stands
//                                    still on this thread until the poll is over

#ifndef HOME_TASK_RUN_TASK_H_
#define HOME_TASK_RUN_TASK_H_

#include <atomic>
#include <exception>
#include <utility>

#include "absl/base/attributes.h"
#include "home/future/context.h"
#include "home/future/polled_task.h"
#include "home/task/task_header.h"

namespace home {

enum class [[nodiscard]] RunResult {
  kIdle,         // the task waits, or runs elsewhere already: don't touch it
  kRescheduled,  // it was woken during its poll, or gave way: the worker queues it again
  kComplete,     // it is done; it may be gone
};

namespace internal {

template <typename Owner>
void BeginPoll(TaskHeader* task, Owner& owner) {
  if constexpr (requires { owner.BeginPoll(task); }) owner.BeginPoll(task);
}
template <typename Owner>
void EndPoll(Owner& owner) {
  if constexpr (requires { owner.EndPoll(); }) owner.EndPoll();
}

template <typename Owner>
ABSL_ATTRIBUTE_NOINLINE void CompleteSlowly(TaskHeader* task, Owner& owner) {
  const bool bound = task->owner != kNoOwner;
  const bool release = !bound || owner.Unbind(task);
  if (bound && release && task->state.CompleteForHandle()) return;
  const TaskSnapshot before = task->state.TransitionToComplete();
  if (!before.join_interest()) {
    // Nobody will take the outcome.
    if (std::exception_ptr exception = task->vtable()->exception(task)) {
      task->scheduler->OnUnjoinedException(*task, std::move(exception));
    }
    task->vtable()->drop_outcome(task);
  }
  Waker waker = before.join_waker() ? task->join_waker.Take() : Waker();
  if (release) {
    ReleaseTask(task);
  } else {
    owner.ReleaseLater(task);
  }
  std::move(waker).Wake();
}

template <typename Owner>
bool AwaitedHere(const Owner& owner) {
  if constexpr (requires { owner.awaited_here(); }) return owner.awaited_here();
  return false;
}

// Publishes the outcome, which is there, and wakes who joins.
template <typename Owner>
void CompleteTask(TaskHeader* task, Owner& owner) {
  if (task->owner == kNoOwner) {
    if (AwaitedHere(owner) && task->state.CompleteUnshared()) return;
    if (task->state.CompleteForHandle()) return;
  }
  CompleteSlowly(task, owner);
}

// Ends the turn of a task that is pending. `lent`: as in TransitionToIdle().
template <typename Owner>
RunResult SuspendTask(TaskHeader* task, Owner& owner, bool lent = false) {
  // Before the task can be anybody else's.
  if (task->owner == kNoOwner) owner.Bind(task);
  switch (task->state.TransitionToIdle(lent)) {
    case IdleResult::kIdle:
      return RunResult::kIdle;
    case IdleResult::kNotified:
      break;
  }
  return RunResult::kRescheduled;
}

// Ends the turn of a task that gives way to others. It goes through a queue, which hands it on from
// thread to thread, and nothing else is to be known of it: so it stays running, and neither this
// nor the next turn's beginning takes an RMW.
template <typename Owner>
RunResult GiveWay(TaskHeader* task, Owner& owner) {
  // Before the task can be anybody else's.
  if (task->owner == kNoOwner) owner.Bind(task);
  // relaxed: the queue orders it.
  task->gave_way.store(true, std::memory_order_relaxed);
  return RunResult::kRescheduled;
}

// A task that was taken from a queue: whether it is to be polled or cancelled.
inline StartResult StartTurn(TaskHeader* task) {
  // relaxed, both: the queue orders it.
  if (!task->gave_way.load(std::memory_order_relaxed)) return task->state.TransitionToRunning();
  task->gave_way.store(false, std::memory_order_relaxed);
  return task->state.ContinueRunning();
}

// Always inline, for the few workers' loops that have it in them: out of line it cost 2 of 43 ns
// that a task takes from spawn to join.
template <typename Owner>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline RunResult PollRunning(TaskHeader* task, Turn* turn,
                                                          Owner& owner) {
  const BorrowedWaker waker(task);
  Context cx(waker.get(), turn);
  if (turn != nullptr) turn->waker = &waker.get();
  BeginPoll(task, owner);
  bool lent = false;
  const bool ready = [&] {
    const PolledTaskScope scope(task->id.value(), task->name(), task->location);
    // A poll may be within another one's.
    TaskHeader* const outer = std::exchange(waker_lender, task);
    const bool ended = task->vtable()->poll(task, cx);
    lent = std::exchange(waker_lender, outer) != task;
    return ended;
  }();
  EndPoll(owner);
  if (lent && (ready || (turn != nullptr && (turn->awaits_next || turn->again)))) {
    // No transition will count it.
    task->state.AddReference();
    lent = false;
  }
  if (ready) {
    CompleteTask(task, owner);
    return RunResult::kComplete;
  }
  if (turn != nullptr) {
    if (turn->awaits_next) return RunResult::kIdle;
    // relaxed: a figure; the string is a constant.
    task->wait_reason.store(turn->wait_reason, std::memory_order_relaxed);
    if (turn->again) return GiveWay(task, owner);
  }
  return SuspendTask(task, owner, lent);
}

}  // namespace internal

// Polls `task`, which the caller took from a queue, once. `turn` may be null. If
// turn->awaits_next is set afterwards (and only where the caller had set turn->next), the
// task waits for the next one alone and counts as running: the caller runs what is next, and
// then goes on with this one by ResumeTask() or YieldTask().
template <typename Owner>
RunResult RunTask(TaskHeader* task, Turn* turn, Owner& owner) {
  if (internal::AwaitedHere(owner) && task->state.RunUnshared()) {
    return internal::PollRunning(task, turn, owner);
  }
  if (internal::StartTurn(task) == StartResult::kCancel) {
    internal::BeginPoll(task, owner);
    task->vtable()->cancel(task);
    internal::EndPoll(owner);
    internal::CompleteTask(task, owner);
    return RunResult::kComplete;
  }
  return internal::PollRunning(task, turn, owner);
}

// Polls a task that awaited the next one once more. If it waits still, it says so as any
// other does.
template <typename Owner>
RunResult ResumeTask(TaskHeader* task, Turn* turn, Owner& owner) {
  // An abort has marked it notified: it is cancelled when it runs next.
  if (task->state.Load().cancelled()) return internal::SuspendTask(task, owner);
  return internal::PollRunning(task, turn, owner);
}

// Has a task that awaited the next one wait for its turn in a queue.
template <typename Owner>
RunResult YieldTask(TaskHeader* task, Owner& owner) {
  return internal::GiveWay(task, owner);
}

// Cancels `task`, which is idle, on behalf of a runtime that shuts down. False:
// it is in a queue, and whoever takes it from there cancels it.
template <typename Owner>
bool ShutdownTask(TaskHeader* task, Owner& owner) {
  if (!task->state.TransitionToShutdown()) return false;
  task->vtable()->cancel(task);
  internal::CompleteTask(task, owner);
  return true;
}

}  // namespace home

#endif  // HOME_TASK_RUN_TASK_H_
