// How a runtime is steered: its knobs, hooks, Run, the ways to end it, and what misuse of
// these is told.

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/random.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/timer/clock.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Flavour;
using testing::MakeRuntime;
using testing::Oneshot;

constexpr Flavour kFlavours[] = {Flavour::kCurrentThread, Flavour::kOneWorker, Flavour::kTwoWorkers,
                                 Flavour::kFourWorkers};

// -- Run -----------------------------------------------------------------------------

TEST(RunTest, ReturnsAtOnceIfThereIsNoTask) {
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    runtime.Run();
    runtime.BlockOn(Ready());
    runtime.Run();
  }
}

TEST(RunTest, ReturnsWhenTheLastTaskHasEnded) {
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    std::atomic<int> ended{0};
    for (int i = 0; i < 10; ++i) {
      runtime
          .Spawn([&ended, i]() -> Async<> {
            co_await Sleep(absl::Milliseconds(i));
            // A task that a task spawns counts as well.
            Spawn([&ended]() -> Async<> {
              co_await YieldNow();
              ended.fetch_add(1);
            }).Detach();
          })
          .Detach();
    }
    runtime.Run();
    EXPECT_EQ(ended.load(), 10);
    EXPECT_EQ(runtime.Metrics().tasks_alive, 0u);
  }
}

TEST(RunTest, WaitsForWhatOtherThreadsWakeAndSpawn) {
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    Oneshot oneshot;
    std::atomic<int> sum{0};
    runtime
        .Spawn([&]() -> Async<> {
          const int value = co_await oneshot.Wait();
          sum.fetch_add(value);
        })
        .Detach();
    std::thread other([&, handle = runtime.handle()] {
      handle
          .Spawn([&sum]() -> Async<> {
            co_await YieldNow();
            sum.fetch_add(1);
          })
          .Detach();
      oneshot.Set(10);
    });
    runtime.Run();
    other.join();
    runtime.Run();
    EXPECT_EQ(sum.load(), 11);
  }
}

TEST(RunTest, AnAbortedTaskIsNotWaitedFor) {
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    JoinHandle<void> task = runtime.Spawn(PendingForever<void>());
    std::thread other([&task] { task.Abort(); });
    runtime.Run();
    other.join();
    EXPECT_EQ(task.status(), TaskStatus::kCancelled);
  }
}

// Tasks end while Run begins to wait.
TEST(RunTest, NoEndIsMissed) {
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    for (int i = 0; i < 500; ++i) {
      runtime
          .Spawn([i]() -> Async<> {
            for (int yields = 0; yields < i % 5; ++yields) co_await YieldNow();
          })
          .Detach();
      runtime.Run();
      ASSERT_EQ(runtime.Metrics().tasks_alive, 0u);
    }
  }
}

TEST(RunTest, SimulatedTasksEndInVirtualTime) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Runtime runtime = Runtime::Simulated(seed);
    int ended = 0;
    for (int i = 0; i < 5; ++i) {
      runtime
          .Spawn([&ended, i]() -> Async<> {
            co_await Sleep(absl::Hours(i));
            ++ended;
          })
          .Detach();
    }
    runtime.Run();
    EXPECT_EQ(ended, 5);
    runtime.Run();
  }
}

// -- Knobs ---------------------------------------------------------------------------

TEST(KnobsTest, OptionsOutOfRangeAreRefusedByName) {
  const std::pair<RuntimeBuilder, absl::string_view> wrong[] = {
      {RuntimeBuilder().WorkerThreads(0), "WorkerThreads"},
      {RuntimeBuilder().WorkerThreads(1025), "WorkerThreads"},
      {RuntimeBuilder().MaxBlockingThreads(0), "MaxBlockingThreads"},
      {RuntimeBuilder().EventInterval(0), "EventInterval"},
      {RuntimeBuilder().GlobalQueueInterval(0), "GlobalQueueInterval"},
      {RuntimeBuilder().TaskBudget(0), "TaskBudget"},
      {RuntimeBuilder().LongPollThreshold(absl::Microseconds(999)), "LongPollThreshold"},
  };
  for (const auto& [builder, name] : wrong) {
    const absl::Status status = builder.Build().status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), name)) << status;
  }
}

TEST(KnobsTest, ASeedFixesWhatAWorkerDraws) {
  const auto draw = [](std::uint64_t seed) {
    absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(1).Seed(seed).Build();
    return *runtime->BlockOn(
        runtime->Spawn([]() -> Async<std::uint64_t> { co_return RandomBits(); }));
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(KnobsTest, TheGlobalQueueIsLookedAtAsOftenAsAskedFor) {
  absl::StatusOr<Runtime> runtime = RuntimeBuilder().CurrentThread().GlobalQueueInterval(3).Build();
  std::atomic<bool> stop{false};
  std::atomic<int> turns{0};
  runtime->BlockOn([&]() -> Async<> {
    JoinHandle<void> busy = Spawn([&]() -> Async<> {
      while (!stop.load()) {
        turns.fetch_add(1);
        co_await YieldNow();
      }
    });
    std::thread outside([&, handle = Handle::Current()] {
      handle
          .Spawn([&stop]() -> Async<> {
            stop.store(true);
            co_return;
          })
          .Detach();
    });
    outside.join();
    turns.store(0);
    static_cast<void>(co_await busy);
  });
  EXPECT_LE(turns.load(), 4);
}

TEST(KnobsTest, TimersAreLookedAtAsOftenAsAskedFor) {
  for (const std::uint32_t interval : {4u, 400u}) {
    PausedClock clock;
    absl::StatusOr<Runtime> runtime =
        RuntimeBuilder().CurrentThread().WithClock(&clock).EventInterval(interval).Build();
    std::uint32_t turns = 0;
    runtime->BlockOn([&]() -> Async<> {
      bool slept = false;
      JoinHandle<void> sleeper = Spawn([&slept]() -> Async<> {
        co_await Sleep(absl::Seconds(1));
        slept = true;
      });
      JoinHandle<void> busy = Spawn([&]() -> Async<> {
        co_await YieldNow();
        clock.Advance(absl::Seconds(2));
        while (!slept) {
          ++turns;
          co_await YieldNow();
        }
      });
      static_cast<void>(co_await busy);
      static_cast<void>(co_await sleeper);
    });
    // What is woken has its turn after the one that is busy.
    EXPECT_LE(turns, interval + 2);
    // The worker looked as it began, a few turns before the time was come.
    EXPECT_GE(turns + 10, interval);
  }
}

// -- Hooks ---------------------------------------------------------------------------

TEST(HooksTest, ThreadsStartAndStop) {
  std::atomic<int> started{0};
  std::atomic<int> stopped{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  {
    absl::StatusOr<Runtime> runtime =
        RuntimeBuilder()
            .WorkerThreads(2)
            .OnThreadStart([&] {
              // Inside the runtime.
              EXPECT_EQ(RuntimeMetrics::Snapshot().workers.size(), 2u);
              const std::lock_guard lock(mutex);
              threads.insert(std::this_thread::get_id());
              started.fetch_add(1);
            })
            .OnThreadStop([&] { stopped.fetch_add(1); })
            .Build();
    EXPECT_TRUE(runtime->BlockOn(runtime->SpawnBlocking([] {})).ok());
    while (started.load() < 3) std::this_thread::yield();
    EXPECT_EQ(stopped.load(), 0);
  }
  EXPECT_EQ(started.load(), 3);
  EXPECT_EQ(stopped.load(), 3);
  EXPECT_EQ(threads.size(), 3u);
}

struct Story {
  int spawns = 0;
  int begins = 0;
  int ends = 0;
  int finishes = 0;
  std::string name;
};

TEST(HooksTest, TellEveryTasksStory) {
  for (const bool current_thread : {true, false}) {
    std::mutex mutex;
    std::map<std::uint64_t, Story> stories;
    const auto story = [&](int Story::* what) {
      return [&stories, &mutex, what](const TaskInfo& task) {
        const std::lock_guard lock(mutex);
        Story& one = stories[task.id.value()];
        ++(one.*what);
        one.name = task.name != nullptr ? task.name : "";
        EXPECT_NE(std::string(task.location.file_name()).find("control_test"), std::string::npos);
      };
    };
    RuntimeBuilder builder;
    builder.WorkerThreads(2);
    if (current_thread) builder.CurrentThread();
    {
      absl::StatusOr<Runtime> runtime = builder.OnTaskSpawn(story(&Story::spawns))
                                            .OnPollBegin(story(&Story::begins))
                                            .OnPollEnd(story(&Story::ends))
                                            .OnTaskFinish(story(&Story::finishes))
                                            .Build();
      runtime->BlockOn([]() -> Async<> {
        JoinHandle<void> yields = Spawn(
            []() -> Async<> {
              co_await YieldNow();
              co_await YieldNow();
            },
            "yields");
        JoinHandle<void> aborted = Spawn(PendingForever<void>(), "aborted");
        Spawn(PendingForever<void>(), "left behind").Detach();
        static_cast<void>(co_await yields);
        aborted.Abort();
        static_cast<void>(co_await aborted);
      });
      EXPECT_TRUE(runtime->BlockOn(runtime->Spawn(Ready(), "from outside")).ok());
    }
    ASSERT_EQ(stories.size(), 4u);
    for (const auto& [id, one] : stories) {
      EXPECT_EQ(one.spawns, 1) << one.name;
      EXPECT_EQ(one.finishes, 1) << one.name;
      EXPECT_EQ(one.begins, one.ends) << one.name;
      if (one.name == "yields") {
        EXPECT_EQ(one.begins, 3);
      }
      if (one.name == "from outside") {
        EXPECT_EQ(one.begins, 1);
      }
    }
  }
}

TEST(HooksTest, ASpawnAfterTheShutdownFinishesToo) {
  std::atomic<int> spawned{0};
  std::atomic<int> finished{0};
  absl::StatusOr<Runtime> runtime =
      RuntimeBuilder()
          .WorkerThreads(1)
          .OnTaskSpawn([&](const TaskInfo&) { spawned.fetch_add(1); })
          .OnTaskFinish([&](const TaskInfo&) { finished.fetch_add(1); })
          .Build();
  const Handle handle = runtime->handle();
  EXPECT_TRUE(runtime->ShutdownTimeout(absl::InfiniteDuration()));
  handle.Spawn(Ready()).Detach();
  EXPECT_EQ(spawned.load(), 1);
  EXPECT_EQ(finished.load(), 1);
}

// -- Handle --------------------------------------------------------------------------

TEST(HandleTest, CurrentIsTheRuntimeOfThisThread) {
  EXPECT_FALSE(Handle::TryCurrent().has_value());
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    Runtime other = MakeRuntime(Flavour::kCurrentThread);
    const auto spawn_by_handle = []() -> Async<int> {
      EXPECT_TRUE(Handle::TryCurrent().has_value());
      const Handle handle = Handle::Current();
      const Handle copy = handle;
      auto five = copy.Spawn(Ready(5));
      absl::StatusOr<int> value = co_await five;
      co_return *value;
    };
    EXPECT_EQ(runtime.BlockOn(spawn_by_handle), 5);
    EXPECT_EQ(*runtime.BlockOn(runtime.Spawn(spawn_by_handle)), 5);
    EXPECT_EQ(runtime.Metrics().tasks_spawned, 3u);
    EXPECT_EQ(other.Metrics().tasks_spawned, 0u);
    EXPECT_FALSE(Handle::TryCurrent().has_value());
  }
}

// -- Ends ----------------------------------------------------------------------------

TEST(ShutdownTest, TimeoutSaysWhetherAllEnded) {
  Runtime runtime = MakeRuntime(Flavour::kTwoWorkers);
  std::promise<void> release;
  std::promise<void> started;
  auto done = std::make_shared<std::promise<void>>();
  runtime
      .SpawnBlocking([&, done] {
        started.set_value();
        release.get_future().wait();
        done->set_value();
      })
      .Detach();
  started.get_future().wait();
  EXPECT_FALSE(runtime.ShutdownTimeout(absl::Milliseconds(1)));
  // It is empty now.
  EXPECT_TRUE(runtime.ShutdownTimeout(absl::Milliseconds(1)));
  release.set_value();
  done->get_future().wait();
  EXPECT_TRUE(MakeRuntime(Flavour::kTwoWorkers).ShutdownTimeout(absl::InfiniteDuration()));
}

TEST(ShutdownTest, BackgroundWaitsForNothing) {
  for (const Flavour flavour : kFlavours) {
    Runtime runtime = MakeRuntime(flavour);
    std::promise<void> release;
    std::promise<void> started;
    auto done = std::make_shared<std::promise<void>>();
    runtime
        .SpawnBlocking([&, done] {
          started.set_value();
          release.get_future().wait();
          done->set_value();
        })
        .Detach();
    started.get_future().wait();
    JoinHandle<void> task = runtime.Spawn(PendingForever<void>());
    runtime.ShutdownBackground();
    // The workers cancel it by themselves.
    while (!task.finished()) std::this_thread::yield();
    EXPECT_EQ(task.status(), TaskStatus::kCancelled);
    release.set_value();
    done->get_future().wait();
  }
}

TEST(ShutdownTest, BackgroundWorksOnTheRuntimesOwnThreads) {
  for (const bool blocking : {false, true}) {
    auto runtime = std::make_shared<Runtime>(MakeRuntime(Flavour::kTwoWorkers));
    const Handle handle = runtime->handle();
    const auto end = [runtime] { runtime->ShutdownBackground(); };
    runtime.reset();
    std::promise<void> ended;
    if (blocking) {
      handle
          .SpawnBlocking([end, &ended] {
            end();
            ended.set_value();
          })
          .Detach();
    } else {
      handle
          .Spawn([end, &ended]() -> Async<> {
            end();
            ended.set_value();
            co_return;
          })
          .Detach();
    }
    ended.get_future().wait();
    JoinHandle<int> late = handle.Spawn(Ready(1));
    while (!late.finished()) std::this_thread::yield();
  }
}

// -- Misuse --------------------------------------------------------------------------

TEST(MisuseDeathTest, ARuntimeDestroyedOnItsOwnWorker) {
  EXPECT_DEATH(
      {
        auto runtime = std::make_unique<Runtime>(MakeRuntime(Flavour::kTwoWorkers));
        Runtime& same = *runtime;
        same.Spawn([&runtime]() -> Async<> {
              runtime.reset();
              co_return;
            })
            .Detach();
        while (true) std::this_thread::yield();
      },
      "destroyed inside itself");
}

TEST(MisuseDeathTest, ARuntimeDestroyedInItsBlockingClosure) {
  EXPECT_DEATH(
      {
        auto runtime = std::make_unique<Runtime>(MakeRuntime(Flavour::kCurrentThread));
        Runtime& same = *runtime;
        same.SpawnBlocking([&runtime] { runtime.reset(); }).Detach();
        while (true) std::this_thread::yield();
      },
      "destroyed inside itself");
}

TEST(MisuseDeathTest, ARuntimeEndedUnderABlockOn) {
  EXPECT_DEATH(
      {
        Runtime runtime = MakeRuntime(Flavour::kTwoWorkers);
        runtime.BlockOn([&runtime]() -> Async<> {
          runtime.ShutdownBackground();
          co_return;
        });
      },
      "while a thread was inside its BlockOn");
}

TEST(MisuseDeathTest, BlockOnInATask) {
  EXPECT_DEATH(
      {
        Runtime runtime = MakeRuntime(Flavour::kTwoWorkers);
        Runtime other = MakeRuntime(Flavour::kCurrentThread);
        static_cast<void>(runtime.BlockOn(runtime.Spawn([&other]() -> Async<> {
          other.BlockOn(Ready());
          co_return;
        })));
      },
      "BlockOn was called inside a runtime");
}

TEST(MisuseDeathTest, UseAfterShutdown) {
  Runtime runtime = MakeRuntime(Flavour::kOneWorker);
  runtime.ShutdownBackground();
  EXPECT_DEATH(runtime.BlockOn(Ready()), "empty or was shut down");
  EXPECT_DEATH(runtime.Run(), "empty or was shut down");
  EXPECT_DEATH(runtime.Spawn(Ready()).Detach(), "empty or was shut down");
  EXPECT_DEATH(static_cast<void>(runtime.handle()), "empty or was shut down");
}

}  // namespace
}  // namespace home
