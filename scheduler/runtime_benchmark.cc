// The costs of scheduling. docs/performance.md keeps the figures.

#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/task/fork.h"
#include "home/task/join_set.h"
#include "home/task/task_group.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

Runtime MakeRuntime(int workers) {
  return *(workers == 0
               ? RuntimeBuilder().CurrentThread().Build()
               : RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(workers)).Build());
}

// Runs `body` as a task: on a worker, not on the thread that blocks.
template <typename Body>
void RunOnWorker(Runtime& runtime, Body body) {
  static_cast<void>(runtime.BlockOn(runtime.Spawn(std::move(body))));
}

// One empty task is spawned and joined by another on the same worker.
void BM_SpawnRunJoin(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      JoinHandle<int> handle = Spawn(Ready(1));
      absl::StatusOr<int> value = co_await handle;
      benchmark::DoNotOptimize(value);
    }
  });
}
BENCHMARK(BM_SpawnRunJoin)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// A function that blocks, for nothing: its worker goes to another thread and seldom comes
// back in time.
void BM_BlockInPlace(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      BlockInPlace([] {});
      co_await YieldNow();
    }
  });
}
BENCHMARK(BM_BlockInPlace)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// The same by another thread, which is joined.
void BM_SpawnBlocking(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      JoinHandle<void> handle = SpawnBlocking([] {});
      static_cast<void>(co_await handle);
    }
  });
}
BENCHMARK(BM_SpawnBlocking)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// BM_SpawnRunJoin with histograms of poll times and of waits for a poll.
void BM_SpawnRunJoinTimed(benchmark::State& state) {
  Runtime runtime = *RuntimeBuilder()
                         .WorkerThreads(static_cast<std::size_t>(state.range(0)))
                         .TimeHistograms(true)
                         .Build();
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      JoinHandle<int> handle = Spawn(Ready(1));
      absl::StatusOr<int> value = co_await handle;
      benchmark::DoNotOptimize(value);
    }
  });
}
BENCHMARK(BM_SpawnRunJoinTimed)->ArgName("workers")->Arg(1)->UseRealTime();

// The same with a coroutine.
void BM_SpawnRunJoinCoroutine(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      JoinHandle<int> handle = Spawn([]() -> Async<int> { co_return 1; });
      absl::StatusOr<int> value = co_await handle;
      benchmark::DoNotOptimize(value);
    }
  });
}
BENCHMARK(BM_SpawnRunJoinCoroutine)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// The same as a structured child, which its parent takes back.
void BM_ForkJoin(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  auto child = []() -> Async<int> { co_return 1; };
  RunOnWorker(runtime, [&state, &child]() -> Async<> {
    for (auto _ : state) {
      auto forked = Fork(child());
      int value = co_await forked;
      benchmark::DoNotOptimize(value);
    }
  });
}
BENCHMARK(BM_ForkJoin)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

constexpr int kFib = 25;
constexpr int kFibCalls = 242785;

Async<int> ForkedFib(int n) {
  if (n < 2) co_return n;
  auto left = Fork(ForkedFib(n - 1));
  const int right = co_await ForkedFib(n - 2);
  const int left_value = co_await left;
  co_return left_value + right;
}

Async<int> AwaitedFib(int n) {
  if (n < 2) co_return n;
  const int left = co_await AwaitedFib(n - 1);
  const int right = co_await AwaitedFib(n - 2);
  co_return left + right;
}

// Fork-join without a cut-off: every second call is a structured child.
void BM_ForkedFib(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      const int value = co_await ForkedFib(kFib);
      benchmark::DoNotOptimize(value);
    }
  });
  state.SetItemsProcessed(state.iterations() * kFibCalls);
}
BENCHMARK(BM_ForkedFib)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// The same with plain children: what forking is measured against.
void BM_AwaitedFib(benchmark::State& state) {
  Runtime runtime = MakeRuntime(1);
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      const int value = co_await AwaitedFib(kFib);
      benchmark::DoNotOptimize(value);
    }
  });
  state.SetItemsProcessed(state.iterations() * kFibCalls);
}
BENCHMARK(BM_AwaitedFib)->UseRealTime();

// A thousand empty tasks are spawned, then joined.
void BM_SpawnJoinThousand(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    std::vector<JoinHandle<int>> handles;
    handles.reserve(1000);
    for (auto _ : state) {
      for (int i = 0; i < 1000; ++i) handles.push_back(Spawn([]() -> Async<int> { co_return 1; }));
      for (JoinHandle<int>& handle : handles) {
        absl::StatusOr<int> value = co_await handle;
        benchmark::DoNotOptimize(value);
      }
      handles.clear();
    }
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_SpawnJoinThousand)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// A thousand empty tasks of a JoinSet.
void BM_JoinSetThousand(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    JoinSet<int> set;
    for (auto _ : state) {
      for (int i = 0; i < 1000; ++i) set.Spawn([]() -> Async<int> { co_return 1; });
      while (!set.empty()) {
        std::optional<absl::StatusOr<int>> value = co_await set.JoinNext();
        benchmark::DoNotOptimize(value);
      }
    }
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_JoinSetThousand)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// A thousand empty children of a TaskGroup.
void BM_TaskGroupThousand(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    for (auto _ : state) {
      auto scope = WithTaskGroup([](TaskGroup& group) -> Async<> {
        for (int i = 0; i < 1000; ++i) group.Spawn([]() -> Async<> { co_return; });
        co_return;
      });
      absl::Status ended = co_await scope;
      benchmark::DoNotOptimize(ended);
    }
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_TaskGroupThousand)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// A thousand tasks yield in turn.
void BM_Yield(benchmark::State& state) {
  Runtime runtime = MakeRuntime(static_cast<int>(state.range(0)));
  RunOnWorker(runtime, [&state]() -> Async<> {
    auto stop = std::make_shared<std::atomic<bool>>(false);
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 999; ++i) {
      handles.push_back(Spawn([stop]() -> Async<> {
        while (!stop->load(std::memory_order_relaxed)) co_await YieldNow();
      }));
    }
    for (auto _ : state) co_await YieldNow();
    stop->store(true);
    for (JoinHandle<void>& handle : handles) static_cast<void>(co_await handle);
  });
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_Yield)->ArgName("workers")->Arg(0)->Arg(1)->Arg(2)->UseRealTime();

// What an idle runtime costs: the processor time that the process uses in ten
// seconds with a thousand tasks asleep for an hour.
void BM_IdleTenSeconds(benchmark::State& state) {
  Runtime runtime = MakeRuntime(2);
  std::vector<JoinHandle<void>> sleepers;
  for (int i = 0; i < 1000; ++i) sleepers.push_back(runtime.Spawn(Sleep(absl::Hours(1))));
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const RuntimeMetrics before = runtime.Metrics();
  const std::clock_t start = std::clock();
  for (auto _ : state) std::this_thread::sleep_for(std::chrono::seconds(10));
  state.counters["cpu_us"] =
      static_cast<double>(std::clock() - start) * 1e6 / static_cast<double>(CLOCKS_PER_SEC);
  state.counters["wakes"] = static_cast<double>(runtime.Metrics().total.parks - before.total.parks);
}
BENCHMARK(BM_IdleTenSeconds)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace home
