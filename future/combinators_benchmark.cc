// The costs of combinators: a chain of ten over Ready, and one wake among many
// children.

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/box_future.h"
#include "home/future/futures_unordered.h"
#include "home/future/join.h"
#include "home/future/join_all.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/shared_future.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Manual;
using testing::ManualState;

template <typename Make>
void BuildAndPoll(benchmark::State& state, Make make) {
  const Waker waker;
  Context cx(waker);
  int x = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(x);
    auto future = make(x);
    auto polled = future.Poll(cx);
    benchmark::DoNotOptimize(polled.value());
  }
}

void BM_ReadyAlone(benchmark::State& state) {
  BuildAndPoll(state, [](int x) { return Ready(x); });
}
BENCHMARK(BM_ReadyAlone);

void BM_ChainOfTen(benchmark::State& state) {
  BuildAndPoll(state, [](int x) {
    const auto inc = [](int y) { return y + 1; };
    return Ready(x) | Map(inc) | Inspect([](int) {}) | Map(inc) | Map(inc) | Map(inc) |
           Inspect([](int) {}) | Map(inc) | Map(inc) | Map(inc) | Map(inc);
  });
}
BENCHMARK(BM_ChainOfTen);

void BM_ChainOfTenWithContinuations(benchmark::State& state) {
  BuildAndPoll(state, [](int x) {
    const auto inc = [](int y) { return y + 1; };
    const auto next = [](int y) { return Ready(y + 1); };
    return Ready(x) | Then(next) | Map(inc) | Then(next) | Map(inc) | Then(next) | Map(inc) |
           Then(next) | Map(inc) | Then(next) | Map(inc);
  });
}
BENCHMARK(BM_ChainOfTenWithContinuations);

void BM_ThreeAndThens(benchmark::State& state) {
  BuildAndPoll(state, [](int x) {
    const auto next = [](int y) { return Ready(absl::StatusOr<int>(y + 1)); };
    return Ready(absl::StatusOr<int>(x)) | AndThen(next) | AndThen(next) | AndThen(next);
  });
}
BENCHMARK(BM_ThreeAndThens);

void BM_JoinOfThree(benchmark::State& state) {
  BuildAndPoll(state, [](int x) { return Join(Ready(x), Ready(x), Ready(x)); });
}
BENCHMARK(BM_JoinOfThree);

void BM_SelectOfThree(benchmark::State& state) {
  BuildAndPoll(state, [](int x) { return Select(Ready(x), Ready(x), Ready(x)); });
}
BENCHMARK(BM_SelectOfThree);

void BM_SelectBiasedOfThree(benchmark::State& state) {
  BuildAndPoll(state, [](int x) { return SelectBiased(Ready(x), Ready(x), Ready(x)); });
}
BENCHMARK(BM_SelectBiasedOfThree);

void BM_BoxOfReady(benchmark::State& state) {
  BuildAndPoll(state, [](int x) { return BoxFuture<int>(Ready(x)); });
}
BENCHMARK(BM_BoxOfReady);

void BM_SharedOfReady(benchmark::State& state) {
  BuildAndPoll(state, [](int x) { return Shared(Ready(x)); });
}
BENCHMARK(BM_SharedOfReady);

// One wake of one child, and the poll that it causes, among so many that wait.
// The children are taken in turn by `stride`: 0 is the same one again and again.
void WakeOne(benchmark::State& state, std::size_t stride) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<ManualState> states(count);
  FuturesUnordered<Manual<int>> set;
  for (ManualState& child : states) set.Push(Manual<int>(&child, 1));
  testing::CountingWaker counter;
  const Waker waker = counter.Make();
  Context cx(waker);
  if (set.PollNext(cx).ready()) state.SkipWithError("ready");
  std::size_t next = 0;
  for (auto _ : state) {
    states[next].waker.WakeByRef();
    if (set.PollNext(cx).ready()) state.SkipWithError("ready");
    next = (next + stride) % count;
  }
}
void BM_WakeOneAndPoll(benchmark::State& state) { WakeOne(state, 0); }
BENCHMARK(BM_WakeOneAndPoll)->Arg(1)->Arg(10)->Arg(1000)->Arg(100'000);
// Each time another child, whose memory is in no cache if there are many.
void BM_WakeAnotherAndPoll(benchmark::State& state) { WakeOne(state, 7919); }
BENCHMARK(BM_WakeAnotherAndPoll)->Arg(10)->Arg(1000)->Arg(100'000);

// Making a set of so many, polling and draining it, for each child.
void BM_JoinAll(benchmark::State& state) {
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    std::vector<ReadyFuture<int>> futures(static_cast<std::size_t>(state.range(0)), Ready(1));
    auto all = JoinAll(std::move(futures));
    auto polled = all.Poll(cx);
    benchmark::DoNotOptimize(polled.value());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_JoinAll)->Arg(10)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace home
