// Tasks that block in place, wait, spawn, are aborted and shut down, on few workers.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/scheduler/runtime.h"
#include "home/task/fork.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

// One function that blocks: not at all, for a while, or until another task has run.
void BlockSomehow(std::uint32_t random) {
  switch (random % 4) {
    case 0:
      BlockInPlace([] {});
      break;
    case 1:
      BlockInPlace([] { std::this_thread::yield(); });
      break;
    case 2:
      BlockInPlace([] { std::this_thread::sleep_for(std::chrono::microseconds(50)); });
      break;
    default: {
      // Its end is waited for in any case, so it may borrow.
      std::promise<void> promise;
      std::future<void> done = promise.get_future();
      JoinHandle<void> task = Spawn([promise = std::move(promise)]() mutable -> Async<> {
        promise.set_value();
        co_return;
      });
      // Also if it is cancelled: then the promise is broken.
      BlockInPlace([&done] { done.wait(); });
      break;
    }
  }
}

Async<std::uint64_t> Work(std::uint32_t seed, int turns) {
  std::minstd_rand random(seed + 1);
  std::uint64_t sum = 0;
  for (int turn = 0; turn < turns; ++turn) {
    const std::uint32_t draw = static_cast<std::uint32_t>(random() >> 8);
    switch (draw % 7) {
      case 0:
        co_await YieldNow();
        break;
      case 1:
        co_await Sleep(absl::Microseconds(draw % 300));
        break;
      case 2: {
        auto pinned = SpawnLocal([draw]() -> Async<int> {
          const std::thread::id here = std::this_thread::get_id();
          if (draw % 5 == 0) BlockSomehow(draw / 5);
          co_await YieldNow();
          EXPECT_EQ(std::this_thread::get_id(), here);
          co_return 1;
        });
        if (draw % 2 == 0) BlockSomehow(draw / 2);
        absl::StatusOr<int> one = co_await pinned;
        // Its thread may have left the runtime meanwhile.
        sum += static_cast<std::uint64_t>(one.value_or(1));
        break;
      }
      case 3: {
        auto child = Fork([]() -> Async<int> { co_return 1; }());
        BlockSomehow(draw / 7);
        int one = co_await child;
        sum += static_cast<std::uint64_t>(one);
        break;
      }
      case 4: {
        auto child = Spawn([draw]() -> Async<int> {
          BlockSomehow(draw / 7);
          if (draw % 2 == 0) co_await YieldNow();
          co_return 1;
        });
        absl::StatusOr<int> one = co_await child;
        sum += static_cast<std::uint64_t>(one.value_or(1));
        break;
      }
      default:
        BlockSomehow(draw / 7);
        break;
    }
  }
  co_return sum;
}

class BlockInPlaceStressTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  Runtime Make() {
    return *RuntimeBuilder()
                .WorkerThreads(GetParam())
                .BlockingKeepAlive(absl::Milliseconds(2))
                .Build();
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, BlockInPlaceStressTest, ::testing::Values(1, 2, 4));

TEST_P(BlockInPlaceStressTest, AllEnd) {
  Runtime runtime = Make();
  std::vector<JoinHandle<std::uint64_t>> handles;
  for (std::uint32_t i = 0; i < 100; ++i) handles.push_back(runtime.Spawn(Work(i, 20)));
  for (JoinHandle<std::uint64_t>& handle : handles) {
    EXPECT_TRUE(runtime.BlockOn(std::move(handle)).ok());
  }
  runtime.Run();
  EXPECT_EQ(runtime.Metrics().tasks_alive, 0u);
}

TEST_P(BlockInPlaceStressTest, AbortedAnywhere) {
  Runtime runtime = Make();
  std::vector<JoinHandle<std::uint64_t>> handles;
  for (std::uint32_t i = 0; i < 100; ++i) {
    handles.push_back(runtime.Spawn(Work(i, 20)));
    if (i % 2 == 1) handles[i / 2].Abort();
  }
  for (JoinHandle<std::uint64_t>& handle : handles) {
    static_cast<void>(runtime.BlockOn(std::move(handle)));
  }
  runtime.Run();
}

TEST_P(BlockInPlaceStressTest, ShutDownAnywhere) {
  for (std::uint32_t round = 0; round < 30; ++round) {
    Runtime runtime = Make();
    std::vector<JoinHandle<std::uint64_t>> handles;
    for (std::uint32_t i = 0; i < 20; ++i) handles.push_back(runtime.Spawn(Work(round + i, 50)));
    if (round % 3 != 0) {
      static_cast<void>(runtime.BlockOn(std::move(handles[round % handles.size()])));
    }
    if (round % 2 == 0) {
      EXPECT_TRUE(runtime.ShutdownTimeout(absl::InfiniteDuration()));
    } else {
      static_cast<void>(runtime.ShutdownTimeout(absl::ZeroDuration()));
    }
  }
}

}  // namespace
}  // namespace home
