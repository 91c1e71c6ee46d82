// The costs of broadcast and watch: alone, and from one task to eight on 2 workers.

#include <cstdint>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "home/channel/broadcast.h"
#include "home/channel/watch.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

void BM_BroadcastSendRecv(benchmark::State& state) {
  auto [sender, receiver] = MakeBroadcast<std::uint64_t>(64);
  for (auto _ : state) {
    sender.Send(7);
    benchmark::DoNotOptimize(receiver.TryRecv()->value());
  }
}
BENCHMARK(BM_BroadcastSendRecv);

void BM_WatchSendBorrow(benchmark::State& state) {
  auto [sender, receiver] = MakeWatch<std::uint64_t>(0);
  for (auto _ : state) {
    sender.Send(7);
    benchmark::DoNotOptimize(*receiver.BorrowAndUpdate());
  }
}
BENCHMARK(BM_WatchSendBorrow);

constexpr std::uint64_t kValues = 20'000;

Async<std::uint64_t> Follow(BroadcastReceiver<std::uint64_t> receiver) {
  std::uint64_t seen = 0;
  while (true) {
    const auto received = co_await receiver.Recv();
    if (!received.has_value()) break;
    seen += received->missed() + 1;
  }
  co_return seen;
}
Async<bool> BroadcastToEight() {
  std::vector<JoinHandle<std::uint64_t>> tasks;
  {
    auto ends = MakeBroadcast<std::uint64_t>(1024);
    for (int i = 0; i < 8; ++i) tasks.push_back(Spawn(Follow(ends.second)));
    for (std::uint64_t i = 0; i < kValues; ++i) {
      ends.first.Send(i);
      if (i % 128 == 127) co_await YieldNow();
    }
  }
  bool all = true;
  for (auto& task : tasks) {
    const auto seen = co_await task;
    all = all && *seen == kValues;
  }
  co_return all;
}
// The time of one value, to all eight.
void BM_Broadcast1x8(benchmark::State& state) {
  auto runtime = RuntimeBuilder().WorkerThreads(2).Build();
  for (auto _ : state) {
    if (!runtime->BlockOn(BroadcastToEight())) state.SkipWithError("a value was not accounted for");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}
BENCHMARK(BM_Broadcast1x8)->UseRealTime()->Unit(benchmark::kMillisecond);

Async<bool> Watch(WatchReceiver<std::uint64_t> receiver) {
  std::uint64_t last = 0;
  while (true) {
    const bool changed = co_await receiver.Changed();
    if (!changed) break;
    last = *receiver.Borrow();
  }
  co_return last == kValues;
}
Async<bool> WatchByEight() {
  std::vector<JoinHandle<bool>> tasks;
  {
    auto ends = MakeWatch<std::uint64_t>(0);
    for (int i = 0; i < 8; ++i) tasks.push_back(Spawn(Watch(ends.second)));
    for (std::uint64_t i = 1; i <= kValues; ++i) {
      ends.first.Send(i);
      if (i % 128 == 127) co_await YieldNow();
    }
  }
  bool all = true;
  for (auto& task : tasks) {
    const auto seen = co_await task;
    all = all && *seen;
  }
  co_return all;
}
void BM_Watch1x8(benchmark::State& state) {
  auto runtime = RuntimeBuilder().WorkerThreads(2).Build();
  for (auto _ : state) {
    if (!runtime->BlockOn(WatchByEight())) state.SkipWithError("the last value was missed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kValues));
}
BENCHMARK(BM_Watch1x8)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace home
