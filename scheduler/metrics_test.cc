// What a runtime counts and measures.

#include "home/scheduler/metrics.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/prometheus.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/clock.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Oneshot;

TEST(MetricsTest, ASnapshotIsOfTheCurrentRuntime) {
  Runtime runtime = *RuntimeBuilder().CurrentThread().Build();
  RuntimeMetrics metrics = runtime.BlockOn([]() -> Async<RuntimeMetrics> {
    for (int i = 0; i < 3; ++i) {
      JoinHandle<void> handle = Spawn(Ready());
      static_cast<void>(co_await handle);
    }
    co_return RuntimeMetrics::Snapshot();
  });
  EXPECT_EQ(metrics.workers.size(), 1u);
  EXPECT_EQ(metrics.total.spawned, 3u);
  EXPECT_EQ(metrics.total.completed, 3u);
  EXPECT_EQ(metrics.total.polls, 3u);
  EXPECT_EQ(metrics.tasks_alive, 0u);
  EXPECT_FALSE(metrics.poll_time.has_value());
  EXPECT_FALSE(metrics.schedule_latency.has_value());
}

TEST(MetricsTest, ASnapshotOutsideOfARuntimeDies) {
  EXPECT_DEATH(static_cast<void>(RuntimeMetrics::Snapshot()),
               "RuntimeMetrics::Snapshot was called outside of a runtime");
}

TEST(MetricsTest, TheTotalIsTheSumAndTheLongestPollTheLongest) {
  WorkerMetrics one;
  one.polls = 1;
  one.busy = absl::Seconds(1);
  one.longest_poll = absl::Seconds(5);
  WorkerMetrics two;
  two.polls = 2;
  two.busy = absl::Seconds(3);
  two.longest_poll = absl::Seconds(4);
  one += two;
  EXPECT_EQ(one.polls, 3u);
  EXPECT_EQ(one.busy, absl::Seconds(4));
  EXPECT_EQ(one.longest_poll, absl::Seconds(5));
}

TEST(MetricsTest, EachThingIsCountedOnce) {
  Runtime runtime = *RuntimeBuilder().WorkerThreads(1).Build();
  for (int i = 0; i < 5; ++i) {
    const absl::Status status = runtime.BlockOn(runtime.Spawn([]() -> Async<> {
      JoinHandle<void> child = Spawn([]() -> Async<> { co_await Sleep(absl::Milliseconds(1)); });
      static_cast<void>(co_await child);
    }));
    EXPECT_TRUE(status.ok()) << status;
  }
  // A task that was joined may be counted a moment later.
  runtime.Run();
  const RuntimeMetrics metrics = runtime.Metrics();
  EXPECT_EQ(metrics.tasks_spawned, 10u);
  EXPECT_EQ(metrics.tasks_completed, 10u);
  EXPECT_EQ(metrics.tasks_alive, 0u);
  EXPECT_EQ(metrics.total.spawned, 5u);
  EXPECT_EQ(metrics.total.completed, 10u);
  EXPECT_EQ(metrics.injected, 5u);
  EXPECT_EQ(metrics.injector_depth, 0u);
  EXPECT_EQ(metrics.total.timers_fired, 5u);
  // There is nobody to steal from, and it sleeps in the reactor.
  EXPECT_EQ(metrics.total.steals, 0u);
  EXPECT_EQ(metrics.total.stolen, 0u);
  EXPECT_GE(metrics.total.parks, 5u);
  EXPECT_GE(metrics.total.reactor_polls, 5u);
}

// A spawn from outside wakes a worker that sleeps; one that is not counted is waited for in vain.
TEST(MetricsTest, AWakeUpByAnotherThreadIsAnUnpark) {
  Runtime runtime = *RuntimeBuilder().WorkerThreads(1).Build();
  while (runtime.Metrics().total.unparks < 5) {
    const std::uint64_t parks = runtime.Metrics().total.parks;
    EXPECT_TRUE(runtime.BlockOn(runtime.Spawn(Ready())).ok());
    // It lies down again after its last task, sooner or later.
    while (runtime.Metrics().total.parks == parks) std::this_thread::yield();
  }
}

TEST(MetricsTest, AQueueThatGrowsCountsAsOverflow) {
  Runtime runtime = *RuntimeBuilder().CurrentThread().Build();
  std::vector<RuntimeMetrics> metrics = runtime.BlockOn([]() -> Async<std::vector<RuntimeMetrics>> {
    std::vector<RuntimeMetrics> snapshots;
    snapshots.push_back(RuntimeMetrics::Snapshot());
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 1000; ++i) handles.push_back(Spawn(Ready()));
    snapshots.push_back(RuntimeMetrics::Snapshot());
    for (JoinHandle<void>& handle : handles) static_cast<void>(co_await handle);
    snapshots.push_back(RuntimeMetrics::Snapshot());
    co_return snapshots;
  });
  EXPECT_EQ(metrics[0].total.overflows, 0u);
  EXPECT_EQ(metrics[1].total.queue_depth, 1000u);
  EXPECT_GE(metrics[2].total.overflows, 1u);
}

// The only wake-ups are those of BlockOn's own future, which is no task.
TEST(MetricsTest, ASleepWithoutAPollThereafterIsANoopWake) {
  Runtime runtime = *RuntimeBuilder().CurrentThread().Build();
  const RuntimeMetrics before = runtime.Metrics();
  runtime.BlockOn([]() -> Async<> {
    for (int i = 0; i < 3; ++i) {
      // From another thread, or the worker would not sleep.
      JoinHandle<void> handle = SpawnBlocking([] {});
      static_cast<void>(co_await handle);
    }
  });
  const RuntimeMetrics after = runtime.Metrics();
  EXPECT_EQ(before.total.noop_wakes, 0u);
  EXPECT_EQ(after.total.polls, 0u);
  // The first sleep has no sleep before it.
  EXPECT_EQ(after.total.noop_wakes + 1, std::max<std::uint64_t>(after.total.parks, 1));
}

TEST(MetricsTest, BusyTimeIsTheTimeAwake) {
  PausedClock clock;
  Runtime runtime = *RuntimeBuilder().CurrentThread().WithClock(&clock).Build();
  clock.Advance(absl::Seconds(1));
  RuntimeMetrics during = runtime.BlockOn([&clock]() -> Async<RuntimeMetrics> {
    clock.Advance(absl::Seconds(2));
    RuntimeMetrics metrics = RuntimeMetrics::Snapshot();
    clock.Advance(absl::Seconds(3));
    co_return metrics;
  });
  clock.Advance(absl::Seconds(4));
  EXPECT_EQ(during.total.busy, absl::Seconds(2));
  EXPECT_EQ(runtime.Metrics().total.busy, absl::Seconds(5));
}

TEST(MetricsTest, HistogramsTellHowLongPollsAndWaitsForThemAre) {
  PausedClock clock;
  Runtime runtime =
      *RuntimeBuilder().CurrentThread().WithClock(&clock).TimeHistograms(true).Build();
  Oneshot oneshot;
  runtime.BlockOn([&clock, &oneshot]() -> Async<> {
    JoinHandle<void> waiter = Spawn([&clock, &oneshot]() -> Async<> {
      clock.Advance(absl::Nanoseconds(1 << 20));
      static_cast<void>(co_await oneshot.Wait());
      clock.Advance(absl::Nanoseconds(1 << 24));
      co_await YieldNow();
    });
    clock.Advance(absl::Nanoseconds(1 << 10));
    co_await YieldNow();
    oneshot.Set(1);
    clock.Advance(absl::Nanoseconds(1 << 12));
    static_cast<void>(co_await waiter);
  });
  const RuntimeMetrics metrics = runtime.Metrics();
  ASSERT_TRUE(metrics.poll_time.has_value());
  const auto count = [](const Histogram& histogram, std::uint64_t nanoseconds) {
    return histogram.bucket(Histogram::BucketOf(nanoseconds));
  };
  // Up to the first wait; up to the yield; up to the end.
  EXPECT_EQ(metrics.poll_time->count(), 3u);
  EXPECT_EQ(count(*metrics.poll_time, 1 << 20), 1u);
  EXPECT_EQ(count(*metrics.poll_time, 1 << 24), 1u);
  EXPECT_EQ(count(*metrics.poll_time, 0), 1u);
  EXPECT_EQ(metrics.total.longest_poll, absl::Nanoseconds(1 << 24));
  // From the spawn; from the wake; from the yield.
  EXPECT_EQ(metrics.schedule_latency->count(), 3u);
  EXPECT_EQ(count(*metrics.schedule_latency, 1 << 10), 1u);
  EXPECT_EQ(count(*metrics.schedule_latency, 1 << 12), 1u);
  EXPECT_EQ(count(*metrics.schedule_latency, 0), 1u);
  EXPECT_TRUE(absl::StrContains(PrometheusText(metrics), "home_runtime_poll_seconds_count 3\n"));
}

// Under ThreadSanitizer: the stamp of a task travels with it through every queue.
TEST(MetricsTest, HistogramsCountEveryPollOfEveryWorker) {
  Runtime runtime = *RuntimeBuilder().WorkerThreads(4).TimeHistograms(true).Build();
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 500; ++i) {
    handles.push_back(runtime.Spawn([]() -> Async<> {
      for (int j = 0; j < 4; ++j) {
        JoinHandle<void> child = Spawn(Ready());
        static_cast<void>(co_await child);
        co_await YieldNow();
      }
    }));
  }
  for (JoinHandle<void>& handle : handles) {
    EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
  }
  const RuntimeMetrics metrics = runtime.Metrics();
  EXPECT_GE(metrics.poll_time->count(), 500u * (1 + 4 + 4));
  EXPECT_GE(metrics.schedule_latency->count(), metrics.poll_time->count());
  EXPECT_GE(metrics.poll_time->Quantile(0.99), metrics.poll_time->Quantile(0.5));
}

}  // namespace
}  // namespace home
