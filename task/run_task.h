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

#ifndef HOME_TASK_RUN_TASK_H_
#define HOME_TASK_RUN_TASK_H_

#include <atomic>
#include <exception>
#include <utility>

#include "home/future/context.h"
#include "home/task/task_header.h"

namespace home {

enum class [[nodiscard]] RunResult {
  kIdle,         // the task waits, or runs elsewhere already: don't touch it
  kRescheduled,  // it was woken during its poll: the worker queues it again
  kComplete,     // it is done; it may be gone
};

namespace internal {

// Publishes the outcome, which is there, and wakes who joins.
template <typename Owner>
void CompleteTask(TaskHeader* task, Owner& owner) {
  const bool release = task->owner == kNoOwner || owner.Unbind(task);
  const TaskSnapshot before = task->state.TransitionToComplete();
  if (!before.join_interest()) {
    // Nobody will take the outcome.
    if (std::exception_ptr exception = task->vtable->exception(task)) {
      task->scheduler->OnUnjoinedException(*task, std::move(exception));
    }
    task->vtable->drop_outcome(task);
  }
  Waker waker = before.join_waker() ? task->join_waker.Take() : Waker();
  if (release) {
    ReleaseTask(task);
  } else {
    owner.ReleaseLater(task);
  }
  std::move(waker).Wake();
}

}  // namespace internal

// Polls `task`, which the caller took from a queue, once. `turn` may be null.
template <typename Owner>
RunResult RunTask(TaskHeader* task, Turn* turn, Owner& owner) {
  if (task->state.TransitionToRunning() == StartResult::kCancel) {
    task->vtable->cancel(task);
    internal::CompleteTask(task, owner);
    return RunResult::kComplete;
  }
  const BorrowedWaker waker(task, &kTaskWakerVTable);
  Context cx(waker.get(), turn);
  if (task->vtable->poll(task, cx)) {
    internal::CompleteTask(task, owner);
    return RunResult::kComplete;
  }
  // Both before the task can be anybody else's.
  // relaxed: a figure; the string is a constant.
  if (turn != nullptr) task->wait_reason.store(turn->wait_reason, std::memory_order_relaxed);
  if (task->owner == kNoOwner) owner.Bind(task);
  switch (task->state.TransitionToIdle()) {
    case IdleResult::kIdle:
      return RunResult::kIdle;
    case IdleResult::kNotified:
      break;
  }
  return RunResult::kRescheduled;
}

// Cancels `task`, which is idle, on behalf of a runtime that shuts down. False:
// it is in a queue, and whoever takes it from there cancels it.
template <typename Owner>
bool ShutdownTask(TaskHeader* task, Owner& owner) {
  if (!task->state.TransitionToShutdown()) return false;
  task->vtable->cancel(task);
  internal::CompleteTask(task, owner);
  return true;
}

}  // namespace home

#endif  // HOME_TASK_RUN_TASK_H_
