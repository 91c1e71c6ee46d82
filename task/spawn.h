// Spawn: makes a task of a future and hands it to the executor of this thread.
//
//   JoinHandle<int> sum = Spawn(Add(1, 2));
//   Spawn([socket]() -> Async<> { ... }, "connection").Detach();
//
// The executor that a thread works for is what its innermost TaskSchedulerScope
// named: a runtime's workers, its blocking threads and its BlockOn have one, and
// whoever writes another executor sets one. So what spawns need not know which
// executor it runs under.
//
// Thread-safety: any thread.

#ifndef HOME_TASK_SPAWN_H_
#define HOME_TASK_SPAWN_H_

#include <source_location>
#include <utility>

#include "home/task/join_handle.h"
#include "home/task/spawnable.h"
#include "home/task/task_header.h"
#include "home/task/task_label.h"

namespace home {

// The executor of this thread, or null.
[[nodiscard]] TaskScheduler* CurrentTaskScheduler() noexcept;
// The same; dies with a message that names `user` if there is none.
[[nodiscard]] TaskScheduler& CurrentTaskSchedulerOrDie(const char* user) noexcept;
// Ends the process: `user` was called where there is no executor.
[[noreturn]] void DieOutsideOfRuntime(const char* user) noexcept;

// Makes `scheduler`, which must outlive the scope, this thread's executor.
class TaskSchedulerScope {
 public:
  explicit TaskSchedulerScope(TaskScheduler* scheduler) noexcept;
  TaskSchedulerScope(const TaskSchedulerScope&) = delete;
  TaskSchedulerScope& operator=(const TaskSchedulerScope&) = delete;
  ~TaskSchedulerScope();

 private:
  TaskScheduler* const previous_;
};

// A new task of `spawnable` on `scheduler`.
template <Spawnable F>
JoinHandle<SpawnOutput<F>> SpawnOn(TaskScheduler& scheduler, F&& spawnable,
                                   TaskLabel label = std::source_location::current()) {
  auto [task, handle] = NewTask(std::forward<F>(spawnable), &scheduler, label);
  scheduler.Submit(task);
  return std::move(handle);
}

// Runs `spawnable`, a future or a callable that returns one, as a task of the
// current executor; dies with a message if there is none. It starts by itself,
// soon; the handle joins or aborts it. One allocation beside a coroutine's frame.
template <Spawnable F>
JoinHandle<SpawnOutput<F>> Spawn(F&& spawnable, TaskLabel label = std::source_location::current()) {
  return SpawnOn(CurrentTaskSchedulerOrDie("Spawn"), std::forward<F>(spawnable), label);
}

}  // namespace home

#endif  // HOME_TASK_SPAWN_H_
