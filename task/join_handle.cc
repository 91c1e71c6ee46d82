#include "home/task/join_handle.h"

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace home::internal {

bool AwaitTaskEnd(TaskHeader* task, Context& cx) {
  const Waker& waker = cx.waker();
  bool registered = task->state.Load().join_waker();
  if (registered && !task->join_waker.WillWake(waker)) {
    if (task->state.UnsetJoinWaker() == JoinWakerResult::kComplete) return true;
    static_cast<void>(task->join_waker.Take());
    registered = false;
  }
  if (!registered) {
    task->join_waker.Put(waker.Clone());
    if (task->state.SetJoinWaker() == JoinWakerResult::kComplete) {
      static_cast<void>(task->join_waker.Take());
      return true;
    }
  }
  cx.NoteWait("the end of a task");
  return false;
}

absl::Status TaskCancelled(TaskId id) {
  return absl::CancelledError(absl::StrCat("task ", id.value(), " was cancelled"));
}

TaskStatus StatusOf(const TaskHeader* task) {
  const TaskSnapshot now = task->state.Load();
  // relaxed: it was so a moment ago.
  if (now.running() && !task->gave_way.load(std::memory_order_relaxed)) return TaskStatus::kRunning;
  if (!now.complete()) return TaskStatus::kPending;
  // relaxed: ordered by the acquire of the state word above.
  switch (task->outcome.load(std::memory_order_relaxed)) {
    case TaskOutcome::kException:
      return TaskStatus::kFailed;
    case TaskOutcome::kCancelled:
      return TaskStatus::kCancelled;
    case TaskOutcome::kNone:
    case TaskOutcome::kValue:
    case TaskOutcome::kDroppedValue:
      break;
  }
  return TaskStatus::kCompleted;
}

const char* WaitReasonOf(const TaskHeader* task) {
  if (task == nullptr || StatusOf(task) != TaskStatus::kPending) return nullptr;
  // relaxed: the string is a constant, and a glance is all that was asked for.
  return task->wait_reason.load(std::memory_order_relaxed);
}

void AbandonComplete(TaskHeader* task) {
  // relaxed: ordered by the acquire that found the task complete.
  if (task->outcome.load(std::memory_order_relaxed) == TaskOutcome::kException) {
    // Not to the runtime's panic handler: the runtime may be gone.
    LogUnjoinedException(*task, task->vtable()->exception(task));
  }
  task->vtable()->drop_outcome(task);
  ReleaseTask(task);
}

}  // namespace home::internal
