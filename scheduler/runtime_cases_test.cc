// Single cases of the runtime: long polls, the blocking pool's corners, options,
// and misuse.

#include <atomic>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/task/join_handle.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;
using testing::Oneshot;

// tokio#4730: the worker that drove the reactor last runs a task that computes
// for long; timers must go on, on workers that sleep.
TEST(RuntimeWatchTest, ALongPollDoesNotStopTheTimers) {
  for (int workers : {2, 4}) {
    absl::StatusOr<Runtime> runtime =
        RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(workers)).Build();
    std::atomic<int> ticks{0};
    JoinHandle<void> ticker = runtime->Spawn([&ticks]() -> Async<> {
      while (true) {
        co_await Sleep(absl::Milliseconds(1));
        ticks.fetch_add(1);
      }
    });
    for (int round = 0; round < 5; ++round) {
      // Woken by a timer, so on the worker that drives, and long: until others
      // have kept the timers going.
      JoinHandle<void> computes = runtime->Spawn([&ticks]() -> Async<> {
        co_await Sleep(absl::Milliseconds(3));
        const int enough = ticks.load() + 5;
        while (ticks.load() < enough) {
        }
      });
      EXPECT_TRUE(runtime->BlockOn(std::move(computes)).ok());
      // Long enough for the standby to lie down, in some rounds.
      if (round % 2 == 1) absl::SleepFor(absl::Milliseconds(150));
    }
    ticker.Abort();
  }
}

// The same with a computation from outside, which a sleeping worker is woken for.
TEST(RuntimeWatchTest, ALongPollFromOutsideDoesNotStopTheTimers) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(4).Build();
  std::atomic<int> ticks{0};
  JoinHandle<void> ticker = runtime->Spawn([&ticks]() -> Async<> {
    while (true) {
      co_await Sleep(absl::Milliseconds(1));
      ticks.fetch_add(1);
    }
  });
  for (int round = 0; round < 10; ++round) {
    JoinHandle<void> computes = runtime->Spawn([&ticks]() -> Async<> {
      const int enough = ticks.load() + 5;
      while (ticks.load() < enough) {
      }
      co_return;
    });
    EXPECT_TRUE(runtime->BlockOn(std::move(computes)).ok());
    if (round % 2 == 1) absl::SleepFor(absl::Milliseconds(150));
  }
  ticker.Abort();
}

// A task that joins many is not polled once for each.
TEST(LifoSlotTest, WhoJoinsManyRunsOnceForAllThatAreReady) {
  constexpr int kTasks = 1000;
  Runtime runtime = *RuntimeBuilder().WorkerThreads(1).Build();
  JoinHandle<std::uint64_t> parent = runtime.Spawn([]() -> Async<std::uint64_t> {
    const std::uint64_t before = RuntimeMetrics::Snapshot().total.polls;
    std::vector<JoinHandle<void>> children;
    for (int i = 0; i < kTasks; ++i) children.push_back(Spawn(Ready()));
    for (JoinHandle<void>& child : children) static_cast<void>(co_await child);
    co_return RuntimeMetrics::Snapshot().total.polls - before;
  });
  // Twice: at the end of the first child, which may be the only one that is ready, and when
  // all are.
  EXPECT_EQ(*runtime.BlockOn(std::move(parent)), kTasks + 2u);
}

// A closure that comes while the pool's only thread is ending.
TEST(BlockingTest, AClosureIsNotLostOnAThreadThatEnds) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder()
                                        .CurrentThread()
                                        .MaxBlockingThreads(1)
                                        .BlockingKeepAlive(absl::Microseconds(5))
                                        .Build();
  for (int i = 0; i < 3000; ++i) {
    JoinHandle<int> handle = runtime->SpawnBlocking([i] { return i; });
    absl::StatusOr<int> value = runtime->BlockOn(std::move(handle));
    ASSERT_EQ(*value, i);
  }
}

TEST(BlockingTest, AnEndlessKeepAliveKeepsTheThread) {
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder().CurrentThread().BlockingKeepAlive(absl::InfiniteDuration()).Build();
  EXPECT_EQ(*runtime->BlockOn(runtime->SpawnBlocking([] { return 1; })), 1);
  // The thread goes from busy to idle, and would go on to its end.
  while (runtime->Metrics().blocking_idle == 0 && runtime->Metrics().blocking_threads == 1) {
    std::this_thread::yield();
  }
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(runtime->Metrics().blocking_threads, 1u);
  EXPECT_EQ(runtime->Metrics().blocking_idle, 1u);
}

// A closure that is left behind by a shutdown may still use its runtime.
TEST(BlockingTest, AClosureThatOutlivesTheShutdownMaySpawn) {
  std::promise<void> release;
  std::promise<void> started;
  std::promise<bool> cancelled;
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(1).Build();
  runtime
      ->SpawnBlocking([&] {
        started.set_value();
        release.get_future().wait();
        JoinHandle<int> late = Spawn(Ready(1));
        // Its workers may be on their way out still.
        while (!late.finished()) std::this_thread::yield();
        cancelled.set_value(late.status() == TaskStatus::kCancelled);
      })
      .Detach();
  started.get_future().wait();
  EXPECT_FALSE(runtime->ShutdownTimeout(absl::Milliseconds(1)));
  release.set_value();
  EXPECT_TRUE(cancelled.get_future().get());
}

TEST(BlockOnTest, TheFuturesDestructorMayUseTheRuntime) {
  struct Spawns {
    Spawns() = default;
    Spawns(Spawns&& other) noexcept : armed(std::exchange(other.armed, false)) {}
    ~Spawns() {
      if (armed) Spawn(Ready(1)).Detach();
    }
    bool armed = true;
  };
  for (Flavour flavour : {Flavour::kCurrentThread, Flavour::kTwoWorkers}) {
    Runtime runtime = MakeRuntime(flavour);
    runtime.BlockOn([spawns = Spawns()]() -> Async<> { co_return; });
    EXPECT_EQ(runtime.Metrics().tasks_spawned, 1u);
  }
}

TEST(RuntimeOptionsTest, AnUnjoinedExceptionReachesThePanicHandler) {
  std::atomic<int> panics{0};
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder()
          .WorkerThreads(1)
          .OnPanic([&panics](const TaskHeader&, std::exception_ptr) { panics.fetch_add(1); })
          .Build();
  Oneshot detached;
  runtime
      ->Spawn([&detached]() -> Async<> {
        const int ignored = co_await detached.Wait();
        static_cast<void>(ignored);
        throw std::runtime_error("nobody joins");
      })
      .Detach();
  detached.Set(1);
  while (panics.load() == 0) std::this_thread::yield();
  // The worker goes on.
  EXPECT_EQ(*runtime->BlockOn(runtime->Spawn(Ready(1))), 1);
}

TEST(RuntimeOptionsTest, TheBudgetMakesAGreedyTaskYield) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().CurrentThread().TaskBudget(16).Build();
  runtime->BlockOn([]() -> Async<> {
    auto other_ran = std::make_shared<bool>(false);
    JoinHandle<int> greedy = Spawn([other_ran]() -> Async<int> {
      int steps = 0;
      while (!*other_ran) {
        co_await PollFn([](Context& cx) -> Poll<void> {
          if (!cx.ConsumeBudget()) return kPending;
          return kReady;
        });
        ++steps;
      }
      co_return steps;
    });
    JoinHandle<void> other = Spawn([other_ran]() -> Async<> {
      *other_ran = true;
      co_return;
    });
    absl::StatusOr<int> steps = co_await greedy;
    EXPECT_EQ(*steps, 17);
    static_cast<void>(co_await other);
  });
  EXPECT_EQ(runtime->Metrics().workers[0].budget_yields, 1u);
}

TEST(RuntimeDeathTest, SpawnOutsideOfARuntimeIsNamed) {
  EXPECT_DEATH(Spawn(Ready(1)).Detach(), "Spawn was called outside of a runtime");
}

TEST(RuntimeDeathTest, BlockOnInsideOfARuntimeIsNamed) {
  EXPECT_DEATH(
      {
        Runtime runtime = MakeRuntime(Flavour::kCurrentThread);
        runtime.BlockOn([&runtime]() -> Async<> {
          runtime.BlockOn(Ready(1));
          co_return;
        });
      },
      "BlockOn was called inside a runtime");
}

TEST(RuntimeDeathTest, DestructionInsideItselfIsNamed) {
  EXPECT_DEATH(
      {
        auto runtime = std::make_unique<Runtime>(MakeRuntime(Flavour::kTwoWorkers));
        runtime->BlockOn([&runtime]() -> Async<> {
          runtime.reset();
          co_return;
        });
      },
      "destroyed inside itself");
}

}  // namespace
}  // namespace home
