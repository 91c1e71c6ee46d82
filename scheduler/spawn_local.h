// SpawnLocal: a task that stays on the thread that spawned it.
//
//   JoinHandle<int> answer = SpawnLocal([counter]() -> Async<int> {
//     ++*counter;                      // a plain int: no other thread has it
//     co_await Sleep(absl::Seconds(1));
//     co_return ++*counter;
//   });
//
// For futures that must not change threads: they use thread-local state, libraries that
// are bound to a thread, or data that only tasks of the same thread share, without locks.
// The future is polled and destroyed on that thread alone. What it yields is not pinned: it
// goes where the handle is awaited, and dies there.
//
// A pinned task lives at most as long as its thread works for the runtime:
//
//   spawned by a task of a worker       until the runtime is shut down
//   spawned inside BlockOn, or (current-thread) by a task that runs inside it
//                                       until that BlockOn returns
//
// and is then cancelled, on the same thread. It is woken, aborted and joined from any
// thread. Pinned tasks take turns with the worker's other tasks; nobody steals them, so a
// long poll delays those behind it, however idle the other workers are.
//
// Cost: as Spawn; a wake from another thread one RMW and, if the thread sleeps, a wake-up.
// Thread-safety: on a thread that runs tasks; dies with a message on others, such as those
// of blocking closures.

#ifndef HOME_SCHEDULER_SPAWN_LOCAL_H_
#define HOME_SCHEDULER_SPAWN_LOCAL_H_

#include <source_location>
#include <utility>

#include "home/scheduler/local_tasks.h"
#include "home/task/join_handle.h"
#include "home/task/spawnable.h"
#include "home/task/task_label.h"

namespace home {

// Runs `spawnable`, a future or a callable that returns one, as a task of this thread. It
// starts by itself, after the current poll.
template <Spawnable F>
JoinHandle<SpawnOutput<F>> SpawnLocal(F&& spawnable,
                                      TaskLabel label = std::source_location::current()) {
  scheduler_internal::LocalTasks& local =
      scheduler_internal::LocalTasks::CurrentOrDie("SpawnLocal");
  auto [task, handle] = NewTask(std::forward<F>(spawnable), &local, label);
  local.Submit(task);
  return std::move(handle);
}

}  // namespace home

#endif  // HOME_SCHEDULER_SPAWN_LOCAL_H_
