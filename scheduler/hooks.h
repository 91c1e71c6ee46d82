// RuntimeHooks: functions of the program's that a runtime calls as it works, for tools:
// tracing, accounting, thread-local set-up. See RuntimeBuilder.
//
// They are called inside the runtime, on the thread that does what they tell of, and delay
// it. They must not throw, and must not block. Hooks of tasks are not called for blocking
// closures.
//
// Cost: without any hook of tasks, one predictable branch a spawn and a poll.

#ifndef HOME_SCHEDULER_HOOKS_H_
#define HOME_SCHEDULER_HOOKS_H_

#include <functional>

#include "home/future/context.h"
#include "home/task/run_task.h"
#include "home/task/task_header.h"
#include "home/task/task_info.h"

namespace home {

using ThreadHook = std::function<void()>;
using TaskHook = std::function<void(const TaskInfo& task)>;

struct RuntimeHooks {
  ThreadHook thread_start;
  ThreadHook thread_stop;
  ThreadHook memory_freed;
  TaskHook task_spawn;
  TaskHook poll_begin;
  TaskHook poll_end;
  TaskHook task_finish;

  [[nodiscard]] bool any_of_tasks() const {
    return task_spawn || poll_begin || poll_end || task_finish;
  }
};

namespace scheduler_internal {

inline void CallHook(const TaskHook& hook, const TaskInfo& task) {
  if (hook) hook(task);
}

// RunTask() with the hooks around it.
template <typename Owner>
RunResult RunHooked(const RuntimeHooks& hooks, TaskHeader* task, Turn* turn, Owner& owner) {
  // The task may be gone after its end, and somewhere else after any poll.
  const TaskInfo info(*task);
  const bool polls = !task->state.Load().cancelled();
  if (polls) CallHook(hooks.poll_begin, info);
  const RunResult result = RunTask(task, turn, owner);
  if (polls) CallHook(hooks.poll_end, info);
  if (result == RunResult::kComplete) CallHook(hooks.task_finish, info);
  return result;
}

// Calls the hooks of a thread, around its work.
class ThreadHooksScope {
 public:
  explicit ThreadHooksScope(const RuntimeHooks& hooks) : hooks_(hooks) {
    if (hooks_.thread_start) hooks_.thread_start();
  }
  ThreadHooksScope(const ThreadHooksScope&) = delete;
  ThreadHooksScope& operator=(const ThreadHooksScope&) = delete;
  ~ThreadHooksScope() {
    if (hooks_.thread_stop) hooks_.thread_stop();
  }

 private:
  const RuntimeHooks& hooks_;
};

}  // namespace scheduler_internal
}  // namespace home

#endif  // HOME_SCHEDULER_HOOKS_H_
