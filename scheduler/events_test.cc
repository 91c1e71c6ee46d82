// Tasks that a timer woke take turns with all others.

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/parker/barrier_testing.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/yield.h"
#include "home/timer/clock.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

TEST(EventsTest, ABacklogHoldsUpNoTimer) {
  constexpr int kBacklog = 20'000;
  PausedClock clock;
  Runtime runtime = *RuntimeBuilder().CurrentThread().WithClock(&clock).Build();
  int ran = 0;
  int before_last = 0;
  runtime.BlockOn([&]() -> Async<> {
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 100; ++i) {
      tasks.push_back(Spawn([&]() -> Async<> {
        co_await Sleep(absl::Seconds(1));
        before_last = std::max(before_last, ran);
      }));
    }
    co_await YieldNow();
    for (int i = 0; i < kBacklog; ++i) {
      tasks.push_back(Spawn([&, i]() -> Async<> {
        if (i == 0) clock.Advance(absl::Seconds(1));
        ++ran;
        co_return;
      }));
    }
    for (JoinHandle<void>& task : tasks) static_cast<void>(co_await task);
  });
  EXPECT_EQ(ran, kBacklog);
  // A look at the timers every 61 tasks, and then a turn for each.
  EXPECT_LE(before_last, 300);
}

TEST(EventsTest, TimersWithoutEndHoldUpNobody) {
  PausedClock clock;
  Runtime runtime = *RuntimeBuilder().CurrentThread().WithClock(&clock).Build();
  runtime.BlockOn([&]() -> Async<> {
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < 200; ++i) {
      tasks.push_back(Spawn([&]() -> Async<> {
        while (true) {
          co_await Sleep(absl::Milliseconds(1));
          // All others are due at once.
          clock.Advance(absl::Milliseconds(1));
        }
      }));
    }
    co_await YieldNow();
    clock.Advance(absl::Milliseconds(1));
    for (int i = 0; i < 10'000; ++i) co_await YieldNow();
    for (JoinHandle<void>& task : tasks) task.Abort();
    for (JoinHandle<void>& task : tasks) static_cast<void>(co_await task);
  });
}

TEST(EventsTest, OthersStealWhatTimersWoke) {
  constexpr int kWorkers = 4;
  Runtime runtime = *RuntimeBuilder().WorkerThreads(kWorkers).Build();
  // Each blocks its worker until all have met.
  testing::Barrier all(kWorkers);
  const absl::Status ended = runtime.BlockOn(runtime.Spawn([&]() -> Async<> {
    std::vector<JoinHandle<void>> tasks;
    for (int i = 0; i < kWorkers; ++i) {
      tasks.push_back(Spawn([&]() -> Async<> {
        co_await Sleep(absl::Milliseconds(20));
        all.ArriveAndWait();
      }));
    }
    for (JoinHandle<void>& task : tasks) static_cast<void>(co_await task);
  }));
  EXPECT_TRUE(ended.ok()) << ended;
}

}  // namespace
}  // namespace home
