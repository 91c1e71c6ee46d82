// What a parker costs, beside a bare futex doing the same.
//
// "Bare" is the least that can be written with a futex: a word a side, one store and one
// wake, one wait. It is the reference for the parker: without a spin they should be level.
//
// Lateness is how long after its deadline a thread runs again, beside what the system's own
// sleep achieves. Counters: nanoseconds, median and 99th percentile.

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "home/parker/futex.h"
#include "home/parker/parker.h"
#include "home/parker/ping_pong_benchmark.h"

namespace home {
namespace {

template <int kSpinCount>
struct SpinPolicy : ParkerPolicy {
  static constexpr int kMinSpins = kSpinCount;
  static constexpr int kMaxSpins = kSpinCount;
};

// The least that works: wakes always, sleeps at once.
class BareFutex {
 public:
  void Unpark() {
    // release: the ping-pong's payload. pairs with: Park().
    word_.store(1, std::memory_order_release);
    parker_internal::FutexWake(&word_);
  }
  void Park() {
    // acquire: as above.
    while (word_.load(std::memory_order_acquire) == 0) {
      parker_internal::FutexWait(word_, 0, parker_internal::kNoDeadline);
    }
    // relaxed: the other side writes again only after it was woken by us.
    word_.store(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

BENCHMARK(BM_PingPong<BareFutex>)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(BM_PingPong<BasicParker<SpinPolicy<0>>>)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(BM_PingPong<BasicParker<SpinPolicy<64>>>)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(BM_PingPong<BasicParker<SpinPolicy<256>>>)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(BM_PingPong<Parker>)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();

void BM_UnparkOfRunningThread(benchmark::State& state) {
  Parker parker;
  for (auto _ : state) parker.Unpark();
}
BENCHMARK(BM_UnparkOfRunningThread);

void BM_UnparkThenPark(benchmark::State& state) {
  Parker parker;
  for (auto _ : state) {
    parker.Unpark();
    parker.Park();
  }
}
BENCHMARK(BM_UnparkThenPark);

void BM_ParkForTimesOut(benchmark::State& state) {
  Parker parker;
  for (auto _ : state) benchmark::DoNotOptimize(parker.ParkFor(absl::Nanoseconds(1)));
}
BENCHMARK(BM_ParkForTimesOut);

// Argument: microseconds. `sleep_until` returns at a deadline on the monotonic clock.
template <typename SleepUntil>
void MeasureLateness(benchmark::State& state, SleepUntil sleep_until) {
  std::vector<std::int64_t> lateness;
  for (auto _ : state) {
    const std::int64_t deadline = ParkerPolicy::Now() + state.range(0) * 1'000;
    sleep_until(deadline);
    lateness.push_back(ParkerPolicy::Now() - deadline);
  }
  std::sort(lateness.begin(), lateness.end());
  const auto percentile = [&](std::size_t percent) {
    return static_cast<double>(lateness[lateness.size() * percent / 100]);
  };
  state.counters["late_p50"] = percentile(50);
  state.counters["late_p99"] = percentile(99);
}

void BM_LatenessOfParkUntil(benchmark::State& state) {
  Parker parker;
  MeasureLateness(
      state, [&](std::int64_t deadline) { benchmark::DoNotOptimize(parker.ParkUntil(deadline)); });
}
BENCHMARK(BM_LatenessOfParkUntil)->Arg(20)->Arg(200)->Arg(2'000)->UseRealTime();

void BM_LatenessOfNanosleep(benchmark::State& state) {
  MeasureLateness(state, [](std::int64_t deadline) {
    timespec until;
    until.tv_sec = static_cast<time_t>(deadline / 1'000'000'000);
    until.tv_nsec = static_cast<decltype(until.tv_nsec)>(deadline % 1'000'000'000);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  });
}
BENCHMARK(BM_LatenessOfNanosleep)->Arg(20)->Arg(200)->Arg(2'000)->UseRealTime();

// The limits beneath.
void BM_FutexWakeOfNobody(benchmark::State& state) {
  std::atomic<std::uint32_t> word{0};
  for (auto _ : state) parker_internal::FutexWake(&word);
}
BENCHMARK(BM_FutexWakeOfNobody);

void BM_Exchange(benchmark::State& state) {
  std::atomic<std::uint32_t> word{0};
  for (auto _ : state) benchmark::DoNotOptimize(word.exchange(1));
}
BENCHMARK(BM_Exchange);

void BM_Relax(benchmark::State& state) {
  for (auto _ : state) ParkerPolicy::Relax();
}
BENCHMARK(BM_Relax);

}  // namespace
}  // namespace home
