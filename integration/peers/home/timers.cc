// Timers and tasks that sleep.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/integration/peers/home/workloads.h"
#include "home/integration/peers/measure.h"
#include "home/runtime.h"

namespace home::race {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Notes by how much it slept too long. False: too short.
Async<bool> SleepOnce(std::uint64_t micros, std::uint32_t* late_us) {
  const SteadyClock::time_point start = SteadyClock::now();
  co_await Sleep(absl::Microseconds(micros), TimerPrecision::kHigh);
  const auto slept =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start).count();
  const auto late = slept - static_cast<std::int64_t>(micros);
  *late_us = static_cast<std::uint32_t>(std::max<std::int64_t>(late, 0));
  co_return late >= 0;
}

// `started` is there until it has been counted.
Async<> SleepForAnHour(std::atomic<std::uint64_t>& started) {
  started.fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
  co_await Sleep(absl::Hours(1));
}

// All are alive before the first one ends.
Async<> SleepThrough(std::shared_ptr<std::atomic<std::uint64_t>> ended) {
  co_await Sleep(absl::Seconds(2));
  ended->fetch_add(1, std::memory_order_relaxed);  // relaxed: nothing goes with it
}

}  // namespace

Sample Timers(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    std::vector<Sleep> armed;
    armed.reserve(n);
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) armed.emplace_back(absl::Milliseconds(FarMillis(i)));
    std::uint64_t pending = 0;
    auto arm = PollFn([&](Context& cx) -> Poll<void> {
      for (Sleep& sleep : armed) pending += sleep.Poll(cx).pending() ? 1 : 0;
      return kReady;
    });
    co_await arm;
    const double arming = watch.Stop(n, true).wall;
    armed.clear();
    // The first ones may be due before the last one is armed.
    Sample sample = watch.Stop(n, pending > n / 2);
    sample.more.emplace_back("arm", arming / static_cast<double>(n));
    sample.more.emplace_back("cancel", (sample.wall - arming) / static_cast<double>(n));
    co_return sample;
  });
}

Sample Sleeps(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    std::vector<std::uint32_t> late_us(n);
    std::vector<JoinHandle<bool>> tasks;
    tasks.reserve(n);
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) {
      tasks.push_back(Spawn(SleepOnce(SleepMicros(i), &late_us[i])));
    }
    std::uint64_t in_time = 0;
    for (JoinHandle<bool>& task : tasks) {
      const absl::StatusOr<bool> ended = co_await task;
      in_time += *ended ? 1 : 0;
    }
    Sample sample = watch.Stop(n, in_time == n);
    AddLateness(late_us, sample);
    co_return sample;
  });
}

Sample IdleSleep(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    std::atomic<std::uint64_t> started{0};
    const double before = Resident();
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) Spawn(SleepForAnHour(started)).Detach();
    // relaxed: as in SleepForAnHour().
    while (started.load(std::memory_order_relaxed) < n) co_await Sleep(absl::Milliseconds(10));
    co_await Sleep(absl::Milliseconds(100));
    const double bytes = (Resident() - before) / static_cast<double>(n);
    Sample sample = watch.Stop(n, true);
    sample.more.emplace_back("bytes", bytes);
    co_return sample;
  });
}

Sample Burst(std::uint64_t n, std::size_t threads) {
  return RunOnWorker(threads, [n]() -> Async<Sample> {
    auto ended = std::make_shared<std::atomic<std::uint64_t>>(0);
    const double before = Resident();
    const Watch watch;
    for (std::uint64_t i = 0; i < n; ++i) Spawn(SleepThrough(ended)).Detach();
    const double peak = (Resident() - before) / static_cast<double>(n);
    // relaxed: as in SleepThrough().
    while (ended->load(std::memory_order_relaxed) < n) co_await Sleep(absl::Milliseconds(10));
    co_await Sleep(absl::Seconds(1));
    const double bytes = (Resident() - before) / static_cast<double>(n);
    Sample sample = watch.Stop(n, true);
    sample.more.emplace_back("peak_bytes", peak);
    sample.more.emplace_back("bytes", bytes);
    co_return sample;
  });
}

}  // namespace home::race
