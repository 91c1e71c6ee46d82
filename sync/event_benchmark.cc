// The costs of an Event: looking, setting, and one wait from its first poll to
// its wake-up.

#include "benchmark/benchmark.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/sync/event.h"

namespace home {
namespace {

void BM_IsSet(benchmark::State& state) {
  Event event;
  for (auto _ : state) benchmark::DoNotOptimize(event.IsSet());
}
BENCHMARK(BM_IsSet);

void BM_WaitThatIsReady(benchmark::State& state) {
  Event event;
  event.Set();
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto wait = event.Wait();
    benchmark::DoNotOptimize(wait.Poll(cx).ready());
  }
}
BENCHMARK(BM_WaitThatIsReady);

void BM_WaitSetReset(benchmark::State& state) {
  Event event;
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto wait = event.Wait();
    benchmark::DoNotOptimize(wait.Poll(cx).ready());
    event.Set();
    benchmark::DoNotOptimize(wait.Poll(cx).ready());
    event.Reset();
  }
}
BENCHMARK(BM_WaitSetReset);

}  // namespace
}  // namespace home
