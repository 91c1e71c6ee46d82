#include "home/task/task_header.h"

namespace home {
namespace {

TaskHeader* Task(void* data) { return static_cast<TaskHeader*>(data); }

void* CloneWaker(void* data) {
  Task(data)->state.AddReference();
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

const WakerVTable kTaskWakerVTable = {CloneWaker, WakeByValue, WakeByRef, DropWaker};

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
