// Functions that block a worker's thread and not the worker.

#include "home/scheduler/block_in_place.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/task/fork.h"
#include "home/task/task_local.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

using testing::Flavour;
using testing::FlavourName;
using testing::Gate;
using testing::MakeRuntime;

Runtime OneWorker() { return *RuntimeBuilder().WorkerThreads(1).Build(); }

// -- What comes back, everywhere ---------------------------------------------------------

class BlockInPlaceTest : public ::testing::TestWithParam<Flavour> {
 protected:
  BlockInPlaceTest() : runtime_(MakeRuntime(GetParam())) {}

  // Runs `body`, a coroutine function of void, in a task, in a pinned one, and in BlockOn.
  template <typename Body>
  void RunEverywhere(Body body) {
    EXPECT_TRUE(runtime_.BlockOn(runtime_.Spawn(body)).ok());
    auto pinned = [body]() -> Async<> {
      auto handle = SpawnLocal(body);
      const absl::Status status = co_await handle;
      EXPECT_TRUE(status.ok());
    };
    EXPECT_TRUE(runtime_.BlockOn(runtime_.Spawn(pinned)).ok());
    runtime_.BlockOn(body);
  }

  Runtime runtime_;
};

INSTANTIATE_TEST_SUITE_P(Flavours, BlockInPlaceTest,
                         ::testing::Values(Flavour::kCurrentThread, Flavour::kOneWorker,
                                           Flavour::kTwoWorkers, Flavour::kSimulated),
                         FlavourName);

TEST_P(BlockInPlaceTest, ReturnsWhatTheFunctionReturns) {
  RunEverywhere([]() -> Async<> {
    EXPECT_EQ(BlockInPlace([] { return 5; }), 5);
    bool called = false;
    BlockInPlace([&called] { called = true; });
    EXPECT_TRUE(called);
    EXPECT_EQ(*BlockInPlace([] { return std::make_unique<int>(6); }), 6);
    int value = 7;
    int& same = BlockInPlace([&value]() -> int& { return value; });
    EXPECT_EQ(&same, &value);
    EXPECT_EQ(BlockInPlace([moved = std::make_unique<int>(8)]() mutable { return *moved; }), 8);
    co_return;
  });
}

TEST_P(BlockInPlaceTest, ThrowsWhatTheFunctionThrows) {
  RunEverywhere([]() -> Async<> {
    std::string caught;
    try {
      BlockInPlace([] { throw std::runtime_error("no such disk"); });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "no such disk");
    co_await YieldNow();
  });
}

TEST_P(BlockInPlaceTest, RunsOnItsThreadAndTheTaskGoesOn) {
  RunEverywhere([]() -> Async<> {
    for (int i = 0; i < 20; ++i) {
      const std::thread::id here = std::this_thread::get_id();
      EXPECT_EQ(BlockInPlace([] { return std::this_thread::get_id(); }), here);
      EXPECT_EQ(std::this_thread::get_id(), here);
      if (i % 3 == 0) co_await YieldNow();
      if (i % 3 == 1) co_await Sleep(absl::Microseconds(100));
      auto other = Spawn(Ready(i));
      absl::StatusOr<int> value = co_await other;
      EXPECT_EQ(*value, i);
    }
  });
}

TEST_P(BlockInPlaceTest, NestedCallsJustCall) {
  RunEverywhere([]() -> Async<> {
    const int value = BlockInPlace([] { return BlockInPlace([] { return 3; }) + 1; });
    EXPECT_EQ(value, 4);
    co_return;
  });
}

TEST_P(BlockInPlaceTest, TheFunctionMayUseTheRuntime) {
  RunEverywhere([]() -> Async<> {
    auto handle = BlockInPlace([] { return Spawn(Ready(1)); });
    absl::StatusOr<int> value = co_await handle;
    EXPECT_EQ(*value, 1);
    auto closure = BlockInPlace([] { return SpawnBlocking([] { return 2; }); });
    absl::StatusOr<int> two = co_await closure;
    EXPECT_EQ(*two, 2);
  });
}

TEST(BlockInPlaceOutsideTest, OutsideOfARuntimeItJustCalls) {
  EXPECT_EQ(BlockInPlace([] { return 9; }), 9);
}

TEST(BlockInPlaceOutsideTest, InAClosureItJustCalls) {
  Runtime runtime = OneWorker();
  JoinHandle<int> handle = runtime.SpawnBlocking([] { return BlockInPlace([] { return 9; }); });
  EXPECT_EQ(*runtime.BlockOn(std::move(handle)), 9);
  EXPECT_EQ(runtime.Metrics().total.handovers, 0u);
}

TEST(BlockInPlaceOutsideTest, ASimulationKeepsItsTime) {
  Runtime runtime = Runtime::Simulated(1);
  runtime.BlockOn([]() -> Async<> {
    auto task = Spawn([]() -> Async<> {
      auto later = Spawn([]() -> Async<> { co_await Sleep(absl::Hours(1)); });
      BlockInPlace([] { std::this_thread::yield(); });
      EXPECT_FALSE(later.finished());
      later.Abort();
      static_cast<void>(co_await later);
    });
    static_cast<void>(co_await task);
  });
}

// -- The worker goes on -------------------------------------------------------------------

TEST(BlockInPlaceWorkerTest, OtherTasksRunMeanwhile) {
  Runtime runtime = OneWorker();
  Gate gate;
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&gate]() -> Async<> {
                    // Two, so that one is in the deque and one in the LIFO slot.
                    auto first = Spawn([]() -> Async<> { co_await YieldNow(); });
                    auto second = Spawn([&gate]() -> Async<> {
                      co_await Sleep(absl::Milliseconds(1));
                      gate.Open();
                    });
                    BlockInPlace([&gate] { gate.Wait(); });
                    static_cast<void>(co_await first);
                    static_cast<void>(co_await second);
                  }))
                  .ok());
  EXPECT_EQ(runtime.Metrics().total.handovers, 1u);
}

// As many at once as it takes.
TEST(BlockInPlaceWorkerTest, EachCallHandsTheWorkerOn) {
  constexpr std::size_t kCalls = 20;
  Runtime runtime = OneWorker();
  std::array<Gate, kCalls> gates;
  std::vector<JoinHandle<void>> handles;
  for (std::size_t i = 0; i < kCalls; ++i) {
    handles.push_back(runtime.Spawn([&gates, i]() -> Async<> {
      // Opens the gate of the one before, and waits for the one after.
      if (i > 0) gates[i - 1].Open();
      if (i + 1 < kCalls) BlockInPlace([&gates, i] { gates[i].Wait(); });
      co_await YieldNow();
    }));
  }
  for (JoinHandle<void>& handle : handles) EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
  EXPECT_GE(runtime.Metrics().total.handovers, 1u);
}

TEST(BlockInPlaceWorkerTest, NoLimitOfClosuresHoldsItUp) {
  Runtime runtime = *RuntimeBuilder().WorkerThreads(1).MaxBlockingThreads(1).Build();
  Gate closure_gate;
  Gate gate;
  JoinHandle<void> closure = runtime.SpawnBlocking([&] { closure_gate.Wait(); });
  JoinHandle<void> waiting = runtime.SpawnBlocking([] {});
  JoinHandle<void> blocked =
      runtime.Spawn([&]() -> Async<> { co_return BlockInPlace([&] { gate.Wait(); }); });
  // It runs although the worker and the only general thread are blocked.
  while (runtime.Metrics().total.handovers == 0) std::this_thread::yield();
  JoinHandle<void> other = runtime.Spawn(Ready());
  EXPECT_TRUE(runtime.BlockOn(std::move(other)).ok());
  EXPECT_EQ(runtime.Metrics().blocking_in_place, 1u);
  EXPECT_EQ(runtime.Metrics().blocking_classes[0].running, 1u);
  EXPECT_EQ(waiting.status(), TaskStatus::kPending);
  gate.Open();
  EXPECT_TRUE(runtime.BlockOn(std::move(blocked)).ok());
  closure_gate.Open();
  EXPECT_TRUE(runtime.BlockOn(std::move(closure)).ok());
  EXPECT_TRUE(runtime.BlockOn(std::move(waiting)).ok());
  while (runtime.Metrics().blocking_in_place != 0) std::this_thread::yield();
}

// What the rest of the poll does without the worker: forks, task locals, wakes of its own.
TEST(BlockInPlaceWorkerTest, TheRestOfThePollNeedsNoWorker) {
  static constinit TaskLocal<int> local;
  Runtime runtime = OneWorker();
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&runtime]() -> Async<> {
                    auto body = [&runtime]() -> Async<int> {
                      auto child = []() -> Async<int> {
                        co_await YieldNow();
                        co_return 1;
                      };
                      auto before = Fork(child());
                      Gate gate;
                      Spawn([&gate]() -> Async<> {
                        gate.Open();
                        co_return;
                      }).Detach();
                      const std::uint64_t handovers = runtime.Metrics().total.handovers;
                      BlockInPlace([&] {
                        gate.Wait();
                        EXPECT_GT(runtime.Metrics().total.handovers, handovers);
                      });
                      EXPECT_EQ(*local.Get(), 5);
                      auto after = Fork(child());
                      int sum = co_await before;
                      sum += co_await after;
                      EXPECT_EQ(*local.Get(), 5);
                      co_return sum;
                    };
                    const int sum = co_await local.Scope(5, body());
                    EXPECT_EQ(sum, 2);
                  }))
                  .ok());
}

// A worker hands over to a task that is awaited at once; if that blocks, who awaits it does not.
TEST(BlockInPlaceWorkerTest, WhoHasHandedOverIsLetGo) {
  Runtime runtime = OneWorker();
  Gate blocked;
  Gate gate;
  bool ended = false;
  JoinHandle<void> parent = runtime.Spawn([&]() -> Async<> {
    auto child = Spawn([&]() -> Async<> {
      BlockInPlace([&] {
        blocked.Open();
        gate.Wait();
      });
      // Once more, without the worker or with it.
      BlockInPlace([] {});
      ended = true;
      co_return;
    });
    static_cast<void>(co_await child);
  });
  blocked.Wait();
  parent.Abort();
  EXPECT_TRUE(absl::IsCancelled(runtime.BlockOn(std::move(parent))));
  gate.Open();
  runtime.Run();
  EXPECT_TRUE(ended);
}

TEST(BlockInPlaceWorkerTest, WhoHasHandedOverIsJoined) {
  Runtime runtime = OneWorker();
  JoinHandle<int> sum = runtime.Spawn([]() -> Async<int> {
    int value = 0;
    for (int i = 0; i < 1000; ++i) {
      auto child = Spawn([i]() -> Async<int> {
        BlockInPlace([i] {
          if (i % 3 == 0) std::this_thread::yield();
        });
        if (i % 2 == 0) co_await YieldNow();
        co_return 1;
      });
      absl::StatusOr<int> one = co_await child;
      value += one.value_or(0);
    }
    co_return value;
  });
  EXPECT_EQ(*runtime.BlockOn(std::move(sum)), 1000);
}

// -- Pinned tasks ---------------------------------------------------------------------------

TEST(BlockInPlacePinnedTest, PinnedTasksStayOnTheThread) {
  Runtime runtime = OneWorker();
  Gate gate;
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&gate]() -> Async<> {
                    const std::thread::id here = std::this_thread::get_id();
                    std::vector<JoinHandle<void>> pinned;
                    for (int i = 0; i < 3; ++i) {
                      pinned.push_back(SpawnLocal([here]() -> Async<> {
                        for (int turn = 0; turn < 5; ++turn) {
                          EXPECT_EQ(std::this_thread::get_id(), here);
                          // Woken from the worker, which is elsewhere now.
                          auto other = Spawn([]() -> Async<> { co_await YieldNow(); });
                          static_cast<void>(co_await other);
                          co_await Sleep(absl::Microseconds(100));
                        }
                      }));
                    }
                    auto opener = Spawn([&gate, here]() -> Async<> {
                      EXPECT_NE(std::this_thread::get_id(), here);
                      gate.Open();
                      co_return;
                    });
                    BlockInPlace([&gate] { gate.Wait(); });
                    // Pinned here in the rest of the poll, too.
                    pinned.push_back(SpawnLocal([here]() -> Async<> {
                      EXPECT_EQ(std::this_thread::get_id(), here);
                      co_await YieldNow();
                      EXPECT_EQ(std::this_thread::get_id(), here);
                    }));
                    static_cast<void>(co_await opener);
                    for (JoinHandle<void>& handle : pinned) {
                      const absl::Status status = co_await handle;
                      EXPECT_TRUE(status.ok());
                    }
                  }))
                  .ok());
  // The thread is done with them, and the pool's.
  while (runtime.Metrics().blocking_in_place != 0) std::this_thread::yield();
}

TEST(BlockInPlacePinnedTest, APinnedTaskMayBlock) {
  Runtime runtime = OneWorker();
  Gate gate;
  EXPECT_TRUE(runtime
                  .BlockOn(runtime.Spawn([&gate]() -> Async<> {
                    auto pinned = SpawnLocal([&gate]() -> Async<int> {
                      const std::thread::id here = std::this_thread::get_id();
                      Spawn([&gate]() -> Async<> {
                        gate.Open();
                        co_return;
                      }).Detach();
                      BlockInPlace([&gate] { gate.Wait(); });
                      co_await YieldNow();
                      EXPECT_EQ(std::this_thread::get_id(), here);
                      co_return 4;
                    });
                    absl::StatusOr<int> value = co_await pinned;
                    EXPECT_EQ(*value, 4);
                  }))
                  .ok());
}

TEST(BlockInPlacePinnedTest, TheEndCancelsThemOnTheThread) {
  Runtime runtime = OneWorker();
  Gate lost;
  std::thread::id here;
  std::thread::id cancelled_on;
  runtime
      .Spawn([&]() -> Async<> {
        here = std::this_thread::get_id();
        std::shared_ptr<void> end(
            nullptr, [&cancelled_on](void*) { cancelled_on = std::this_thread::get_id(); });
        SpawnLocal([end = std::move(end)]() -> Async<> { co_await PendingForever(); }).Detach();
        Gate gate;
        Spawn([&gate]() -> Async<> {
          gate.Open();
          co_return;
        }).Detach();
        BlockInPlace([&gate] { gate.Wait(); });
        lost.Open();
        co_return;
      })
      .Detach();
  lost.Wait();
  EXPECT_EQ(runtime.Metrics().blocking_in_place, 1u);
  EXPECT_TRUE(runtime.ShutdownTimeout(absl::InfiniteDuration()));
  EXPECT_EQ(cancelled_on, here);
}

// -- BlockOn inside ---------------------------------------------------------------------------

TEST(BlockInPlaceBlockOnTest, OfTheSameRuntime) {
  Runtime runtime = OneWorker();
  JoinHandle<int> handle = runtime.Spawn([&runtime]() -> Async<int> {
    const int value = BlockInPlace([&runtime] {
      return runtime.BlockOn([]() -> Async<int> {
        co_await Sleep(absl::Milliseconds(1));
        auto task = Spawn(Ready(3));
        absl::StatusOr<int> three = co_await task;
        auto pinned = SpawnLocal(Ready(4));
        absl::StatusOr<int> four = co_await pinned;
        co_return *three + *four;
      });
    });
    co_await YieldNow();
    co_return value;
  });
  EXPECT_EQ(*runtime.BlockOn(std::move(handle)), 7);
}

TEST(BlockInPlaceBlockOnTest, OfAnotherRuntime) {
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  Runtime runtime = OneWorker();
  JoinHandle<int> handle = runtime.Spawn([&other]() -> Async<int> {
    co_return BlockInPlace([&other] {
      return other.BlockOn([]() -> Async<int> {
        auto task = Spawn(Ready(3));
        absl::StatusOr<int> three = co_await task;
        co_return *three;
      });
    });
  });
  EXPECT_EQ(*runtime.BlockOn(std::move(handle)), 3);
}

TEST(BlockInPlaceBlockOnTest, InABlockOn) {
  Runtime runtime = OneWorker();
  EXPECT_EQ(runtime.BlockOn([&runtime]() -> Async<int> {
    co_return BlockInPlace([&runtime] { return runtime.BlockOn(Ready(6)); });
  }),
            6);
}

TEST(BlockInPlaceDeathTest, BlockOnAfterItIsStillRefused) {
  EXPECT_DEATH(
      {
        Runtime runtime = OneWorker();
        static_cast<void>(runtime.BlockOn(runtime.Spawn([&runtime]() -> Async<> {
          BlockInPlace([&runtime] { runtime.BlockOn(Ready()); });
          runtime.BlockOn(Ready());
          co_return;
        })));
      },
      "BlockOn was called inside a runtime");
}

TEST(BlockInPlaceDeathTest, BlockOnUnderACurrentThreadRuntimeIsRefused) {
  EXPECT_DEATH(
      {
        Runtime runtime = *RuntimeBuilder().CurrentThread().Build();
        runtime.BlockOn([&runtime]() -> Async<> {
          co_return BlockInPlace([&runtime] { runtime.BlockOn(Ready()); });
        });
      },
      "BlockOn was called inside a runtime");
}

// -- The end of the runtime -------------------------------------------------------------------

TEST(BlockInPlaceShutdownTest, WaitsForTheFunction) {
  Runtime runtime = OneWorker();
  Gate gate;
  Gate blocked;
  JoinHandle<void> handle = runtime.Spawn([&]() -> Async<> {
    BlockInPlace([&] {
      blocked.Open();
      gate.Wait();
    });
    co_await PendingForever();
  });
  blocked.Wait();
  EXPECT_FALSE(runtime.ShutdownTimeout(absl::ZeroDuration()));
  EXPECT_EQ(handle.status(), TaskStatus::kRunning);
  gate.Open();
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  EXPECT_TRUE(absl::IsCancelled(other.BlockOn(std::move(handle))));
}

// A value whose end opens a gate.
std::shared_ptr<void> AtEnd(Gate& gate) {
  return {nullptr, [&gate](void*) { gate.Open(); }};
}

// The drain cancels all others while it blocks.
TEST(BlockInPlaceShutdownTest, WhatTheFunctionWaitsForIsCancelled) {
  for (const std::size_t workers : {1, 2}) {
    Runtime runtime = *RuntimeBuilder().WorkerThreads(workers).Build();
    Gate blocked;
    Gate cancelled;
    JoinHandle<bool> handle = runtime.Spawn([&]() -> Async<bool> {
      Spawn([end = AtEnd(cancelled)]() -> Async<> { co_await PendingForever(); }).Detach();
      BlockInPlace([&] {
        blocked.Open();
        cancelled.Wait();
      });
      co_return true;
    });
    blocked.Wait();
    EXPECT_TRUE(runtime.ShutdownTimeout(absl::InfiniteDuration()));
    Runtime other = *RuntimeBuilder().CurrentThread().Build();
    EXPECT_TRUE(*other.BlockOn(std::move(handle)));
  }
}

TEST(BlockInPlaceShutdownTest, ABlockOnInsideHasItsTimers) {
  Runtime runtime = OneWorker();
  Gate blocked;
  JoinHandle<bool> handle = runtime.Spawn([&]() -> Async<bool> {
    auto endless = Spawn([]() -> Async<> { co_await PendingForever(); });
    co_return BlockInPlace([&] {
      return runtime.BlockOn([&]() -> Async<bool> {
        blocked.Open();
        absl::Status status = co_await endless;
        EXPECT_TRUE(absl::IsCancelled(status));
        // Now there is no worker any more.
        co_await Sleep(absl::Milliseconds(5));
        auto late = Spawn(Ready());
        status = co_await late;
        co_return absl::IsCancelled(status);
      });
    });
  });
  blocked.Wait();
  EXPECT_TRUE(runtime.ShutdownTimeout(absl::InfiniteDuration()));
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  EXPECT_TRUE(*other.BlockOn(std::move(handle)));
}

// The end has begun when it is called.
TEST(BlockInPlaceShutdownTest, CalledDuringTheShutdown) {
  Runtime runtime = OneWorker();
  Gate begun;
  Gate go;
  Gate cancelled;
  JoinHandle<bool> handle = runtime.Spawn([&]() -> Async<bool> {
    Spawn([end = AtEnd(cancelled)]() -> Async<> { co_await PendingForever(); }).Detach();
    begun.Open();
    go.Wait();
    BlockInPlace([&] { cancelled.Wait(); });
    co_return true;
  });
  begun.Wait();
  EXPECT_FALSE(runtime.ShutdownTimeout(absl::ZeroDuration()));
  go.Open();
  Runtime other = *RuntimeBuilder().CurrentThread().Build();
  EXPECT_TRUE(*other.BlockOn(std::move(handle)));
}

// -- With everything that a runtime may do beside -----------------------------------------------

TEST(BlockInPlaceOptionsTest, HooksHistogramsAndPinnedWorkers) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::atomic<int> finished{0};
  {
    Runtime runtime = *RuntimeBuilder()
                           .WorkerThreads(2)
                           .PinWorkers(true)
                           .Seed(3)
                           .TimeHistograms(true)
                           .OnPollBegin([&](const TaskInfo&) { ++begun; })
                           .OnPollEnd([&](const TaskInfo&) { ++ended; })
                           .OnTaskFinish([&](const TaskInfo&) { ++finished; })
                           .Build();
    std::vector<JoinHandle<void>> handles;
    for (int i = 0; i < 50; ++i) {
      handles.push_back(runtime.Spawn([]() -> Async<> {
        for (int turn = 0; turn < 4; ++turn) {
          Gate gate;
          Spawn([&gate]() -> Async<> {
            gate.Open();
            co_return;
          }).Detach();
          BlockInPlace([&gate] { gate.Wait(); });
          co_await YieldNow();
        }
      }));
    }
    for (JoinHandle<void>& handle : handles) EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
    // Who joins may know before the runtime does.
    runtime.Run();
    EXPECT_EQ(runtime.Metrics().tasks_alive, 0u);
  }
  EXPECT_EQ(begun, ended);
  EXPECT_EQ(finished, 250);
}

}  // namespace
}  // namespace home
