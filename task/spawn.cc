#include "home/task/spawn.h"

#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "home/future/fatal.h"

namespace home {
namespace {

// Reached through functions of this file alone: a coroutine may go on on another
// thread, and must not keep the address of a thread-local across an await.
thread_local TaskScheduler* current_scheduler = nullptr;

}  // namespace

ABSL_ATTRIBUTE_NOINLINE TaskScheduler* CurrentTaskScheduler() noexcept { return current_scheduler; }

ABSL_ATTRIBUTE_NOINLINE TaskScheduler& CurrentTaskSchedulerOrDie(const char* user) noexcept {
  if (ABSL_PREDICT_FALSE(current_scheduler == nullptr)) DieOutsideOfRuntime(user);
  return *current_scheduler;
}

void DieOutsideOfRuntime(const char* user) noexcept {
  Fatal(absl::StrCat(user,
                     " was called outside of a runtime: call it from a task, inside "
                     "Runtime::BlockOn, or through a Handle")
            .c_str());
}

TaskSchedulerScope::TaskSchedulerScope(TaskScheduler* scheduler) noexcept
    : previous_(std::exchange(current_scheduler, scheduler)) {}
TaskSchedulerScope::~TaskSchedulerScope() { current_scheduler = previous_; }

}  // namespace home
