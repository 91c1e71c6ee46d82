// The costs of a oneshot: alone, and as a reply from another task.

#include <utility>

#include "benchmark/benchmark.h"
#include "home/channel/oneshot.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

void BM_SendThenReceive(benchmark::State& state) {
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto [sender, receiver] = MakeOneshot<int>();
    benchmark::DoNotOptimize(sender.Send(7));
    benchmark::DoNotOptimize(receiver.Poll(cx).ready());
  }
}
BENCHMARK(BM_SendThenReceive);

void BM_WaitSendReceive(benchmark::State& state) {
  const Waker waker;
  Context cx(waker);
  for (auto _ : state) {
    auto [sender, receiver] = MakeOneshot<int>();
    benchmark::DoNotOptimize(receiver.Poll(cx).ready());
    benchmark::DoNotOptimize(sender.Send(7));
    benchmark::DoNotOptimize(receiver.Poll(cx).ready());
  }
}
BENCHMARK(BM_WaitSendReceive);

Async<void> Reply(OneshotReceiver<int> question, OneshotSender<int> answer) {
  auto number = co_await question;
  benchmark::DoNotOptimize(answer.Send(*number + 1));
}

Async<void> RoundTrips(benchmark::State& state) {
  for (auto _ : state) {
    auto question = MakeOneshot<int>();
    auto answer = MakeOneshot<int>();
    auto reply = Spawn(Reply(std::move(question.second), std::move(answer.first)));
    benchmark::DoNotOptimize(question.first.Send(7));
    auto number = co_await answer.second;
    benchmark::DoNotOptimize(number.ok());
  }
}

// Per round trip two oneshots and one spawn, as the workload `oneshot`.
void BM_RoundTrip(benchmark::State& state) {
  auto runtime = RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(state.range(0))).Build();
  auto run = [&state]() -> Async<void> {
    auto trips = Spawn(RoundTrips(state));
    const auto done = co_await trips;
    benchmark::DoNotOptimize(done.ok());
  };
  runtime->BlockOn(run);
}
BENCHMARK(BM_RoundTrip)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace home
