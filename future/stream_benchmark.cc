// The costs of streams: an item of a generator, awaited and polled, through
// adaptors, and beside the same loop over a hand-written stream; and an await of
// another library's awaitable.

#include <coroutine>
#include <functional>
#include <optional>
#include <ranges>
#include <utility>

#include "benchmark/benchmark.h"
#include "home/future/async.h"
#include "home/future/async_generator.h"
#include "home/future/stream.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_take.h"

namespace home {
namespace {

AsyncGenerator<int> Forever() {
  for (int i = 0;; ++i) co_yield i;
}

template <typename S>
Async<int> Consume(benchmark::State& state, S stream) {
  int sum = 0;
  for (auto _ : state) {
    std::optional<int> item = co_await Next(stream);
    sum += *item;
  }
  co_return sum;
}

void PollToEnd(benchmark::State& state, Async<int> future) {
  const Waker waker;
  Context cx(waker);
  Poll<int> polled = future.Poll(cx);
  if (polled.pending()) state.SkipWithError("pending");
  benchmark::DoNotOptimize(polled.value());
}

void BM_AwaitItemOfGenerator(benchmark::State& state) {
  PollToEnd(state, Consume(state, Forever()));
}
BENCHMARK(BM_AwaitItemOfGenerator);

// A generator that passes on what another gives, some levels of them.
AsyncGenerator<int> Pass(AsyncGenerator<int> inner) {
  while (true) {
    std::optional<int> item = co_await Next(inner);
    co_yield *item;
  }
}
void BM_AwaitItemOfNestedGenerators(benchmark::State& state) {
  AsyncGenerator<int> stream = Forever();
  for (int i = 1; i < state.range(0); ++i) stream = Pass(std::move(stream));
  PollToEnd(state, Consume(state, std::move(stream)));
}
BENCHMARK(BM_AwaitItemOfNestedGenerators)->Arg(2)->Arg(10);

// As an adaptor does: no coroutine on the consumer's side.
void BM_PollItemOfGenerator(benchmark::State& state) {
  AsyncGenerator<int> stream = Forever();
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto polled = stream.PollNext(cx);
    benchmark::DoNotOptimize(polled.value());
  }
}
BENCHMARK(BM_PollItemOfGenerator);

void BM_PollItemOfGeneratorThroughAdaptors(benchmark::State& state) {
  auto stream = Forever() | Map([](int n) { return n + 1; }) | Filter([](int) { return true; }) |
                Skip(1) | Map([](int n) { return 2 * n; });
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto polled = stream.PollNext(cx);
    benchmark::DoNotOptimize(polled.value());
  }
}
BENCHMARK(BM_PollItemOfGeneratorThroughAdaptors);

void BM_FoldOfARangeThroughAdaptors(benchmark::State& state) {
  const Waker waker;
  Context cx(waker);
  int items = 1000;
  for (auto _ : state) {
    benchmark::DoNotOptimize(items);
    auto fold = FromRange(std::views::iota(0, items)) | Map([](int n) { return 3 * n; }) |
                Filter([](int n) { return n % 2 == 0; }) | Fold(0, std::plus<>());
    auto polled = fold.Poll(cx);
    benchmark::DoNotOptimize(polled.value());
  }
  state.SetItemsProcessed(state.iterations() * items);
}
BENCHMARK(BM_FoldOfARangeThroughAdaptors);

// Never suspends: the bridge alone.
class ForeignReady {
 public:
  ForeignReady() = default;
  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<>) const { return false; }
  int await_resume() const { return 1; }
};

Async<int> AwaitForeign(benchmark::State& state) {
  int sum = 0;
  for (auto _ : state) {
    int value = co_await ForeignReady();
    sum += value;
  }
  co_return sum;
}
void BM_AwaitForeignAwaitable(benchmark::State& state) { PollToEnd(state, AwaitForeign(state)); }
BENCHMARK(BM_AwaitForeignAwaitable);

}  // namespace
}  // namespace home
