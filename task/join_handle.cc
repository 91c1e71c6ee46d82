#include "home/task/join_handle.h"

#include <atomic>

namespace home::internal {

TaskStatus StatusOf(const TaskHeader* task) {
  const TaskSnapshot now = task->state.Load();
  if (now.running()) return TaskStatus::kRunning;
  if (!now.complete()) return TaskStatus::kPending;
  // relaxed: ordered by the acquire of the state word above.
  switch (task->outcome.load(std::memory_order_relaxed)) {
    case TaskOutcome::kException:
      return TaskStatus::kFailed;
    case TaskOutcome::kCancelled:
      return TaskStatus::kCancelled;
    case TaskOutcome::kNone:
    case TaskOutcome::kValue:
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
    LogUnjoinedException(*task, task->vtable->exception(task));
  }
  task->vtable->drop_outcome(task);
  ReleaseTask(task);
}

}  // namespace home::internal
