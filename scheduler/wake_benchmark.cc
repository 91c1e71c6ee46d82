// From a wake-up to the run: how long it takes until what sleeps runs, beside the system's own
// ways to wake a thread. Counters: nanoseconds, median and 99th percentile.
//
// The thread that wakes stays awake and looks for the answer, so that one wake-up is measured
// and no second one on the way back. In between it waits until whoever answers sleeps again.
// On a machine with fewer than two processors the figures mean nothing.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "home/future/ready.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/parker/futex.h"
#include "home/parker/parker.h"
#include "home/parker/parker_policy.h"
#include "home/reactor/reactor.h"
#include "home/scheduler/runtime.h"

namespace home {
namespace {

// How long the answerer has to fall asleep. Longer than a parker looks for its token.
constexpr std::int64_t kPauseNanos = 50'000;

// A number that the answerer publishes when it runs.
using Answer = std::atomic<std::uint32_t>;

// `wake(round)` wakes the answerer, which stores the round.
template <typename Wake>
void MeasureWakes(benchmark::State& state, const Answer& answer, const Wake& wake) {
  std::vector<std::int64_t> took;
  std::uint32_t round = answer.load(std::memory_order_acquire);
  for (auto _ : state) {
    const std::int64_t pause_end = ParkerPolicy::Now() + kPauseNanos;
    while (ParkerPolicy::Now() < pause_end) ParkerPolicy::Relax();
    const std::int64_t start = ParkerPolicy::Now();
    wake(++round);
    while (answer.load(std::memory_order_acquire) != round) ParkerPolicy::Relax();
    took.push_back(ParkerPolicy::Now() - start);
    state.SetIterationTime(static_cast<double>(took.back()) * 1e-9);
  }
  std::sort(took.begin(), took.end());
  state.counters["p50"] = static_cast<double>(took[took.size() / 2]);
  state.counters["p99"] = static_cast<double>(took[took.size() * 99 / 100]);
}

// The limit: a thread that sleeps on a word.
void BM_WakeFutex(benchmark::State& state) {
  std::atomic<std::uint32_t> word{0};
  Answer answer{0};
  constexpr std::uint32_t kStop = UINT32_MAX;
  std::thread answerer([&] {
    for (std::uint32_t seen = 0; seen != kStop;) {
      while (word.load(std::memory_order_acquire) == seen) {
        parker_internal::FutexWait(word, seen, parker_internal::kNoDeadline);
      }
      seen = word.load(std::memory_order_acquire);
      answer.store(seen, std::memory_order_release);
    }
  });
  const auto wake = [&](std::uint32_t round) {
    word.store(round, std::memory_order_release);
    parker_internal::FutexWake(&word);
  };
  MeasureWakes(state, answer, wake);
  wake(kStop);
  answerer.join();
}
BENCHMARK(BM_WakeFutex)->UseManualTime();

// The other: one that sleeps in a reactor.
void BM_WakeReactor(benchmark::State& state) {
  const std::unique_ptr<Reactor> reactor = *Reactor::Create();
  std::atomic<std::uint32_t> word{0};
  Answer answer{0};
  constexpr std::uint32_t kStop = UINT32_MAX;
  std::thread answerer([&] {
    WakeList wakes;
    for (std::uint32_t seen = 0; seen != kStop;) {
      reactor->Poll(-1, wakes);
      seen = word.load(std::memory_order_acquire);
      answer.store(seen, std::memory_order_release);
    }
  });
  const auto wake = [&](std::uint32_t round) {
    word.store(round, std::memory_order_release);
    reactor->Wake();
  };
  MeasureWakes(state, answer, wake);
  wake(kStop);
  answerer.join();
}
BENCHMARK(BM_WakeReactor)->UseManualTime();

// A task of a runtime that is idle is woken from outside.
void BM_WakeTask(benchmark::State& state) {
  Runtime runtime =
      *RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(state.range(0))).Build();
  Answer answer{0};
  std::atomic<std::uint32_t> polls{0};
  std::atomic<bool> stop{false};
  Waker waker;
  JoinHandle<void> task = runtime.Spawn(PollFn([&](Context& cx) -> Poll<void> {
    if (stop.load(std::memory_order_acquire)) return kReady;
    if (!waker) waker = cx.waker().Clone();
    // What is polled counts, not what was said.
    answer.store(polls.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_release);
    return kPending;
  }));
  while (answer.load(std::memory_order_acquire) == 0) std::this_thread::yield();
  MeasureWakes(state, answer, [&](std::uint32_t) { waker.WakeByRef(); });
  stop.store(true, std::memory_order_release);
  std::move(waker).Wake();
  static_cast<void>(runtime.BlockOn(std::move(task)));
}
BENCHMARK(BM_WakeTask)->ArgName("workers")->Arg(1)->Arg(2)->UseManualTime();

}  // namespace
}  // namespace home
