// Spawnable: what may be spawned: a future, or a callable that returns one.
//
// A callable is kept alive beside the future that it returned, so a lambda
// coroutine may use its captures (home/future/lazy.h).

#ifndef HOME_TASK_SPAWNABLE_H_
#define HOME_TASK_SPAWNABLE_H_

#include <concepts>
#include <type_traits>
#include <utility>

#include "home/future/future.h"
#include "home/future/lazy.h"
#include "home/task/join_handle.h"
#include "home/task/task_cell.h"
#include "home/task/task_header.h"
#include "home/task/task_label.h"

namespace home {
namespace internal {

template <typename F>
concept FutureValue = Future<std::decay_t<F>>;

template <typename F>
concept FutureFunction = !FutureValue<F> && std::invocable<std::decay_t<F>&> &&
                         Future<std::invoke_result_t<std::decay_t<F>&>>;

}  // namespace internal

template <typename F>
concept Spawnable = (internal::FutureValue<F> && std::constructible_from<std::decay_t<F>, F>) ||
                    internal::FutureFunction<F>;

// The future that a Spawnable stands for.
template <internal::FutureValue F>
std::decay_t<F> ToFuture(F&& future) {
  return std::forward<F>(future);
}
template <internal::FutureFunction F>
auto ToFuture(F&& function) {
  return Lazy(std::forward<F>(function));
}

template <Spawnable F>
using SpawnOutput = FutureOutput<decltype(ToFuture(std::declval<F>()))>;

// A new task of `spawnable`, in the state "in a queue": the caller puts it in
// one. The handle is the caller's. `Extra`: see task_cell.h.
template <typename Extra = NoTaskExtra, Spawnable F>
std::pair<TaskHeader*, JoinHandle<SpawnOutput<F>>> NewTask(F&& spawnable, TaskScheduler* scheduler,
                                                           const TaskLabel& label) {
  using Inner = decltype(ToFuture(std::forward<F>(spawnable)));
  TaskHeader* task = TaskCell<Inner, Extra>::New(ToFuture(std::forward<F>(spawnable)), scheduler,
                                                 TaskId::Next(), label);
  return {task, JoinHandle<SpawnOutput<F>>(task)};
}

}  // namespace home

#endif  // HOME_TASK_SPAWNABLE_H_
