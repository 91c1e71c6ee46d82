#include "home/scheduler/local_tasks.h"

#include <thread>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "home/future/fatal.h"
#include "home/scheduler/hooks.h"
#include "home/scheduler/scheduler.h"

namespace home::scheduler_internal {
namespace {

// Reached through functions of this file alone, see worker.cc.
thread_local LocalTasks* current = nullptr;

// What TaskHeader::owner says of a task in a list of LocalTasks.
constexpr std::uint16_t kLocalOwner = kNoOwner - 1;

}  // namespace

ABSL_ATTRIBUTE_NOINLINE LocalTasks* LocalTasks::Current() noexcept { return current; }

LocalTasks& LocalTasks::CurrentOrDie(const char* user) noexcept {
  LocalTasks* const local = Current();
  if (local == nullptr) {
    Fatal(absl::StrCat(user,
                       " was called on a thread that runs no tasks: call it from a task, or "
                       "inside Runtime::BlockOn")
              .c_str());
  }
  return *local;
}

LocalTasks::LocalTasks(Scheduler& scheduler, std::function<void()> wake)
    : scheduler_(scheduler), wake_(std::move(wake)), previous_(std::exchange(current, this)) {}

LocalTasks::~LocalTasks() {
  Close();
  current = previous_;
}

void LocalTasks::Schedule(TaskHeader* task) noexcept {
  scheduler_.StampQueued(task);
  if (Current() == this) return Push(task);
  inbox_.Push(task, wake_);
}

void LocalTasks::Submit(TaskHeader* task) noexcept {
  scheduler_.CountSpawn(*task);
  scheduler_.StampQueued(task);
  ++alive_;
  if (closed_) return Cancel(task);
  Push(task);
}

void LocalTasks::OnUnjoinedException(const TaskHeader& task,
                                     std::exception_ptr exception) noexcept {
  scheduler_.OnUnjoinedException(task, std::move(exception));
}

void LocalTasks::Push(TaskHeader* task) {
  task->next = nullptr;
  (last_ != nullptr ? last_->next : first_) = task;
  last_ = task;
}

TaskHeader* LocalTasks::Take() {
  // What came from elsewhere goes behind what is there: neither starves the other.
  while (TaskHeader* task = inbox_.Pop()) Push(task);
  auto* task = static_cast<TaskHeader*>(first_);
  if (task == nullptr) return nullptr;
  first_ = task->next;
  if (first_ == nullptr) last_ = nullptr;
  return task;
}

bool LocalTasks::RunOne() {
  TaskHeader* const task = Take();
  if (task == nullptr) return false;
  Turn turn{.budget = scheduler_.options().budget};
  switch (RunHooked(scheduler_.options().hooks, task, &turn, *this)) {
    case RunResult::kIdle:
      break;
    case RunResult::kRescheduled:
      Push(task);
      break;
    case RunResult::kComplete:
      CountEnd();
      break;
  }
  return true;
}

void LocalTasks::Cancel(TaskHeader* task) {
  AbortTask(task);
  static_cast<void>(RunHooked(scheduler_.options().hooks, task, nullptr, *this));
  CountEnd();
}

void LocalTasks::CountEnd() {
  Forget();
  scheduler_.CountEnd();
}

void LocalTasks::Close() {
  closed_ = true;
  while (any()) {
    bool progress = false;
    while (TaskHeader* task = Take()) {
      Cancel(task);
      progress = true;
    }
    for (TaskHeader* task = bound_; task != nullptr;) {
      const TaskInfo info(*task);
      if (ShutdownTask(task, *this)) {
        CallHook(scheduler_.options().hooks.task_finish, info);
        CountEnd();
        progress = true;
        // The cancellation may have changed the list anywhere.
        task = bound_;
      } else {
        task = task->list_next;
      }
    }
    // A wake is under way on another thread.
    if (!progress) std::this_thread::yield();
  }
  inbox_.AwaitVisitors();
}

void LocalTasks::Bind(TaskHeader* task) {
  task->owner = kLocalOwner;
  task->list_previous = nullptr;
  task->list_next = bound_;
  if (bound_ != nullptr) bound_->list_previous = task;
  bound_ = task;
}

bool LocalTasks::Unbind(TaskHeader* task) {
  (task->list_previous != nullptr ? task->list_previous->list_next : bound_) = task->list_next;
  if (task->list_next != nullptr) task->list_next->list_previous = task->list_previous;
  return true;
}

void LocalTasks::ReleaseLater(TaskHeader*) { Fatal("a pinned task ended on another thread"); }

}  // namespace home::scheduler_internal
