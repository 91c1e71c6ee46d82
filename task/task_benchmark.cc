// The cost of a task apart from any scheduler: making its cell, one poll, the
// join; and what a cell weighs.

#include <exception>
#include <source_location>
#include <utility>

#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/task/join_set.h"
#include "home/task/run_task.h"
#include "home/task/spawnable.h"
#include "home/task/task_group.h"

namespace home {
namespace {

// Runs each task where it is spawned.
class NoQueue final : public TaskScheduler {
 public:
  void Schedule(TaskHeader*) noexcept override {}
  void OnUnjoinedException(const TaskHeader&, std::exception_ptr) noexcept override {}
  void Bind(TaskHeader*) {}
  bool Unbind(TaskHeader*) { return true; }
  void ReleaseLater(TaskHeader*) {}
};

template <typename Make>
void SpawnRunJoin(benchmark::State& state, Make make) {
  NoQueue scheduler;
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto [task, handle] = NewTask(make(), &scheduler, std::source_location::current());
    if (RunTask(task, nullptr, scheduler) != RunResult::kComplete) state.SkipWithError("pending");
    auto joined = handle.Poll(cx);
    benchmark::DoNotOptimize(joined);
  }
}

void BM_ReadyFuture(benchmark::State& state) {
  SpawnRunJoin(state, [] { return Ready(1); });
}
BENCHMARK(BM_ReadyFuture);

void BM_Coroutine(benchmark::State& state) {
  SpawnRunJoin(state, [] { return []() -> Async<int> { co_return 1; }; });
}
BENCHMARK(BM_Coroutine);

void BM_CellBytes(benchmark::State& state) {
  for (auto _ : state) {
  }
  state.counters["state"] = sizeof(TaskState);
  state.counters["join_waker"] = sizeof(WakerSlot);
  state.counters["location"] = sizeof(std::source_location);
  state.counters["header"] = sizeof(TaskHeader);
  state.counters["set_member"] = sizeof(internal::JoinSetMember);
  state.counters["group_node"] = sizeof(internal::GroupNode);
  state.counters["Async<int>"] = sizeof(TaskCell<Async<int>>);
  state.counters["Async<void>"] = sizeof(TaskCell<Async<>>);
}
BENCHMARK(BM_CellBytes)->Iterations(1);

}  // namespace
}  // namespace home
