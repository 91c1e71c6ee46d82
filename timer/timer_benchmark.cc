// What a timer costs: to arm, to cancel, to fire, to look whether one is due.
//
// Peers, same machine class, arm + cancel with a million live: Go 277 ns, Tokio
// 306, libuv 476, Asio 533.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "home/future/context.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/timer/clock.h"
#include "home/timer/sleep.h"
#include "home/timer/timer_service.h"
#include "home/timer/wheel.h"

namespace home {
namespace {

// A waker as cheap as one can be: what is left is the timers' own cost.
constexpr WakerVTable kFreeWaker = {
    .clone = [](WakerTarget* target) { return target; },
    .wake = [](WakerTarget*) {},
    .wake_by_ref = [](WakerTarget*) {},
    .drop = [](WakerTarget*) {},
};
class FreeTarget : public WakerTarget {
 public:
  FreeTarget() : WakerTarget(&kFreeWaker) {}
};

// Ticks or milliseconds from 1 ms to 1 h ahead.
std::vector<std::uint32_t> RandomDelays(std::size_t count) {
  std::mt19937 random(1);
  std::vector<std::uint32_t> delays(count);
  for (std::uint32_t& delay : delays) delay = 1 + static_cast<std::uint32_t>(random() % 3'600'000);
  return delays;
}

void BM_WheelInsertRemove(benchmark::State& state) {
  const std::size_t live = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> delays = RandomDelays(live);
  const std::unique_ptr<TimerEntry[]> entries(new TimerEntry[live]);
  TimerWheel wheel;
  for (auto _ : state) {
    for (std::size_t i = 0; i < live; ++i) wheel.Insert(entries[i], delays[i]);
    for (std::size_t i = 0; i < live; ++i) wheel.Remove(entries[i]);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(live));
}
BENCHMARK(BM_WheelInsertRemove)->Arg(1)->Arg(1000)->Arg(1'000'000);

// One timer comes and goes beside a million others.
void BM_WheelInsertRemoveAmidLive(benchmark::State& state) {
  const std::size_t live = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> delays = RandomDelays(live);
  const std::unique_ptr<TimerEntry[]> entries(new TimerEntry[live]);
  TimerWheel wheel;
  for (std::size_t i = 0; i < live; ++i) wheel.Insert(entries[i], delays[i]);
  TimerEntry entry;
  std::size_t i = 0;
  for (auto _ : state) {
    wheel.Insert(entry, delays[i]);
    wheel.Remove(entry);
    if (++i == live) i = 0;
  }
  for (std::size_t j = 0; j < live; ++j) wheel.Remove(entries[j]);
}
BENCHMARK(BM_WheelInsertRemoveAmidLive)->Arg(1'000'000);

// All of a million timers over an hour come due, tick after tick.
void BM_WheelFire(benchmark::State& state) {
  const std::size_t live = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> delays = RandomDelays(live);
  const std::unique_ptr<TimerEntry[]> entries(new TimerEntry[live]);
  TimerWheel wheel;
  std::uint64_t now = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::size_t i = 0; i < live; ++i) wheel.Insert(entries[i], now + delays[i]);
    state.ResumeTiming();
    std::size_t fired = 0;
    while (fired < live) {
      now = wheel.NextTick();
      std::size_t budget = std::numeric_limits<std::size_t>::max();
      while (wheel.PopDue(now, budget) != nullptr) ++fired;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(live));
}
BENCHMARK(BM_WheelFire)->Arg(1000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// The workload `timers`: sleeps armed 1 ms to 1 h ahead by their first poll,
// then all dropped. The real clock is read for each.
void BM_SleepArmDrop(benchmark::State& state) {
  const std::size_t live = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> delays = RandomDelays(live);
  TimerService timers(1, Clock::Real(), [] {});
  const TimerScope scope(&timers, 0);
  FreeTarget target;
  const Waker waker(&target);
  Context cx(waker);
  std::vector<Sleep> sleeps;
  sleeps.reserve(live);
  for (auto _ : state) {
    for (std::size_t i = 0; i < live; ++i) {
      sleeps.emplace_back(absl::Milliseconds(delays[i]));
      benchmark::DoNotOptimize(sleeps.back().Poll(cx).ready());
    }
    sleeps.clear();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(live));
  state.counters["sizeof_Sleep"] = sizeof(Sleep);
}
BENCHMARK(BM_SleepArmDrop)->Arg(1)->Arg(1000)->Arg(1'000'000);

// A poll of a sleep that is still pending, with the same waker.
void BM_SleepPollAgain(benchmark::State& state) {
  TimerService timers(1, Clock::Real(), [] {});
  const TimerScope scope(&timers, 0);
  FreeTarget target;
  const Waker waker(&target);
  Context cx(waker);
  Sleep sleep(absl::Hours(1));
  for (auto _ : state) benchmark::DoNotOptimize(sleep.Poll(cx).ready());
}
BENCHMARK(BM_SleepPollAgain);

// A million sleeps spread over two seconds come due; their wakers are woken.
void BM_SleepFire(benchmark::State& state) {
  const std::size_t live = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> delays = RandomDelays(live);
  PausedClock clock;
  TimerService timers(1, &clock, [] {});
  const TimerScope scope(&timers, 0);
  FreeTarget target;
  const Waker waker(&target);
  Context cx(waker);
  std::vector<Sleep> sleeps;
  sleeps.reserve(live);
  WakeList wakes;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::size_t i = 0; i < live; ++i) {
      sleeps.emplace_back(absl::Milliseconds(1 + delays[i] % 2000));
      benchmark::DoNotOptimize(sleeps.back().Poll(cx).ready());
    }
    state.ResumeTiming();
    std::size_t fired = 0;
    while (fired < live) {
      clock.AdvanceTo(timers.NextDeadline());
      fired += timers.FireExpired(0, clock.Now(), wakes);
      wakes.WakeAll();
    }
    state.PauseTiming();
    sleeps.clear();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(live));
}
BENCHMARK(BM_SleepFire)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// What a worker pays every so many ticks while nothing is due.
void BM_FireExpiredNothingDue(benchmark::State& state) {
  TimerService timers(1, Clock::Real(), [] {});
  TimerNode node;
  timers.Arm(node, 0, timers.Now() + absl::Hours(1), Waker());
  const Instant now = timers.Now();
  WakeList wakes;
  for (auto _ : state) benchmark::DoNotOptimize(timers.FireExpired(0, now, wakes));
  TimerService::Cancel(node);
}
BENCHMARK(BM_FireExpiredNothingDue);

// What the driver pays around its sleep.
void BM_PrepareAndFinishSleep(benchmark::State& state) {
  TimerService timers(static_cast<std::size_t>(state.range(0)), Clock::Real(), [] {});
  for (auto _ : state) {
    benchmark::DoNotOptimize(timers.PrepareSleep());
    timers.FinishSleep();
  }
}
BENCHMARK(BM_PrepareAndFinishSleep)->Arg(2)->Arg(64);

void BM_RealClockNow(benchmark::State& state) {
  const Clock* clock = Clock::Real();
  for (auto _ : state) benchmark::DoNotOptimize(clock->Now());
}
BENCHMARK(BM_RealClockNow);

}  // namespace
}  // namespace home
