#include "home/task/task_header.h"

#include <cstddef>
#include <cstdio>

namespace home {
namespace {

// What a debugger reads without knowing the types; see TaskHeader. Both compilers
// know offsetof in such a class.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
static_assert(offsetof(TaskHeader, next) == 8);
static_assert(offsetof(TaskHeader, state) == 16);
static_assert(offsetof(TaskHeader, list_next) == 40);
static_assert(offsetof(TaskHeader, id) == 56);
static_assert(offsetof(TaskHeader, location) == 64);
static_assert(offsetof(TaskHeader, wait_reason) == 72);
static_assert(offsetof(TaskHeader, owner) == 80);
static_assert(offsetof(TaskHeader, outcome) == 82);
#pragma GCC diagnostic pop

TaskHeader* Task(WakerTarget* target) { return static_cast<TaskHeader*>(target); }

}  // namespace

constinit thread_local TaskHeader* internal::waker_lender = nullptr;

WakerTarget* internal::CloneTaskWaker(WakerTarget* target) {
  if (internal::waker_lender == target) {
    internal::waker_lender = nullptr;
  } else {
    Task(target)->state.AddReference();
  }
  return target;
}

void internal::WakeTask(WakerTarget* target) {
  TaskHeader* task = Task(target);
  switch (task->state.NotifyByValue()) {
    case NotifyResult::kDone:
      // The task may be gone by now.
      return;
    case NotifyResult::kSubmit:
      return task->scheduler->Schedule(task);
    case NotifyResult::kDestroy:
      return task->vtable()->destroy(task);
  }
}

void internal::WakeTaskByRef(WakerTarget* target) {
  TaskHeader* task = Task(target);
  if (task->state.NotifyByRef() == NotifyResult::kSubmit) task->scheduler->Schedule(task);
}

void internal::DropTaskWaker(WakerTarget* target) { ReleaseTask(Task(target)); }

void LogUnjoinedException(const TaskHeader& task, std::exception_ptr exception) {
  const char* what = "an exception that is no std::exception";
#if defined(__cpp_exceptions)
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    // `exception` keeps the object alive.
    what = error.what();
  } catch (...) {
  }
#else
  static_cast<void>(exception);
#endif
  const char* const name = task.name();
  std::fprintf(stderr, "home: task %llu%s%s, spawned at %s:%u, ended with: %s\n",
               static_cast<unsigned long long>(task.id.value()), name != nullptr ? " " : "",
               name != nullptr ? name : "", task.location.file_name(),
               static_cast<unsigned>(task.location.line()), what);
}

Waker MakeTaskWaker(TaskHeader* task) {
  task->state.AddReference();
  return Waker(task);
}

void ReleaseTask(TaskHeader* task) noexcept {
  if (task->state.Release()) task->vtable()->destroy(task);
}

void AbortTask(TaskHeader* task) noexcept {
  if (task->state.Abort() == NotifyResult::kSubmit) task->scheduler->Schedule(task);
}

}  // namespace home
