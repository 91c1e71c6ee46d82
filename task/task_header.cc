#include "home/task/task_header.h"

#include <cstddef>
#include <cstdio>

namespace home {
namespace {

// What a debugger reads without knowing the types; see TaskHeader. Both compilers
// know offsetof in such a class.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
static_assert(offsetof(TaskHeader, state) == 8);
static_assert(offsetof(TaskHeader, vtable) == 16);
static_assert(offsetof(TaskHeader, list_next) == 40);
static_assert(offsetof(TaskHeader, id) == 64);
static_assert(offsetof(TaskHeader, location) == 72);
static_assert(offsetof(TaskHeader, name) == 80);
static_assert(offsetof(TaskHeader, wait_reason) == 88);
static_assert(offsetof(TaskHeader, owner) == 96);
static_assert(offsetof(TaskHeader, outcome) == 98);
#pragma GCC diagnostic pop

TaskHeader* Task(void* data) { return static_cast<TaskHeader*>(data); }

void* CloneWaker(void* data) {
  if (internal::waker_lender == data) {
    internal::waker_lender = nullptr;
  } else {
    Task(data)->state.AddReference();
  }
  return data;
}

void WakeByValue(void* data) {
  TaskHeader* task = Task(data);
  switch (task->state.NotifyByValue()) {
    case NotifyResult::kDone:
      // The task may be gone by now.
      return;
    case NotifyResult::kSubmit:
      return task->scheduler->Schedule(task);
    case NotifyResult::kDestroy:
      return task->vtable->destroy(task);
  }
}

void WakeByRef(void* data) {
  TaskHeader* task = Task(data);
  if (task->state.NotifyByRef() == NotifyResult::kSubmit) task->scheduler->Schedule(task);
}

void DropWaker(void* data) { ReleaseTask(Task(data)); }

}  // namespace

constinit thread_local TaskHeader* internal::waker_lender = nullptr;

const WakerVTable kTaskWakerVTable = {CloneWaker, WakeByValue, WakeByRef, DropWaker};

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
  std::fprintf(stderr, "home: task %llu%s%s, spawned at %s:%u, ended with: %s\n",
               static_cast<unsigned long long>(task.id.value()), task.name != nullptr ? " " : "",
               task.name != nullptr ? task.name : "", task.location.file_name(),
               static_cast<unsigned>(task.location.line()), what);
}

Waker MakeTaskWaker(TaskHeader* task) {
  task->state.AddReference();
  return Waker(task, &kTaskWakerVTable);
}

void ReleaseTask(TaskHeader* task) noexcept {
  if (task->state.Release()) task->vtable->destroy(task);
}

void AbortTask(TaskHeader* task) noexcept {
  if (task->state.Abort() == NotifyResult::kSubmit) task->scheduler->Schedule(task);
}

}  // namespace home
