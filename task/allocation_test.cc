// Proof that a task is one allocation beside its coroutine's frame, from the recycling
// cache: counts calls of the global operator new across spawning, running and joining.

#include <array>
#include <cstddef>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/frame_allocator.h"
#include "home/future/poll.h"
#include "home/future/sanitizer_testing.h"
#include "home/future/testing.h"
#include "home/task/fork.h"
#include "home/task/join_set.h"
#include "home/task/spawn.h"
#include "home/task/task_group.h"
#include "home/task/task_local.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::AllocationsOf;
using testing::AllocationsOfWarm;
using testing::Countdown;
using testing::IfRecycled;
using testing::kAddressSanitizer;
using testing::ManualScheduler;
using testing::PollOnce;

// The queue of a ManualScheduler takes a block every 64 wakes: no test has as many.
class TaskAllocationTest : public ::testing::Test {
 protected:
  // Spawns what make() makes, and joins it; spawns another, and aborts it where it waits;
  // and lets a third go.
  template <typename Make>
  void SpawnAndJoin(Make make) {
    auto joined = Spawn(make());
    scheduler_.RunUntilIdle();
    EXPECT_TRUE(PollOnce(joined).ready());
    auto aborted = Spawn(make());
    EXPECT_TRUE(scheduler_.RunOne());
    aborted.Abort();
    scheduler_.RunUntilIdle();
    Spawn(make()).Detach();
    scheduler_.RunUntilIdle();
  }
  template <typename Make>
  std::size_t CountWarm(Make make) {
    return AllocationsOfWarm([&] { SpawnAndJoin(make); });
  }

  ManualScheduler scheduler_;
  const TaskSchedulerScope scope_{&scheduler_};
};

Async<int> Work() {
  int x = co_await Countdown(2, 1);
  co_return x;
}

TEST_F(TaskAllocationTest, AWarmSpawnTakesNothing) {
  EXPECT_THAT(CountWarm([] { return Countdown(2, 1); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Work(); }), IfRecycled(0));
  int offset = 1;
  EXPECT_THAT(CountWarm([&offset] {
                return [&offset]() -> Async<int> {
                  int x = co_await Work();
                  co_return x + offset;
                };
              }),
              IfRecycled(0));
}

// Too large for the cache, so that each block is a call of operator new.
struct Large {
  std::array<char, 2 * kMaxCachedBytes> bytes{};
};

class LargeFuture {
 public:
  using Output = int;
  home::Poll<int> Poll(Context& cx) { return inner_.Poll(cx); }

 private:
  Large large_;
  Countdown<int> inner_{2, 1};
};

// Where an optimizer cannot see: what is named here has to be in memory, in the frame.
Large* volatile shown = nullptr;

Async<int> LargeWork(Large large) {
  shown = &large;
  int x = co_await Countdown(2, 1);
  co_return x + shown->bytes[0];
}

// Blocks of one task that is spawned, run and joined.
template <typename Make>
std::size_t CountOne(ManualScheduler& scheduler, Make make) {
  return AllocationsOf([&] {
    auto handle = Spawn(make());
    scheduler.RunUntilIdle();
    EXPECT_TRUE(PollOnce(handle).ready());
  });
}

TEST_F(TaskAllocationTest, OneBlockBesideTheFrame) {
  // The cell of a plain future is all that there is.
  EXPECT_EQ(CountOne(scheduler_, [] { return LargeFuture(); }), 1u);
  // The frame, and a cell that the cache has after the first, if anything is recycled.
  static_cast<void>(CountOne(scheduler_, [] { return LargeWork(Large()); }));
  EXPECT_EQ(CountOne(scheduler_, [] { return LargeWork(Large()); }), kAddressSanitizer ? 2u : 1u);
  // The frame, and the cell, which keeps the lambda.
  const Large large;
  EXPECT_EQ(CountOne(scheduler_,
                     [&large] {
                       return [large]() -> Async<int> {
                         Large mine = large;
                         shown = &mine;
                         int x = co_await Countdown(2, 1);
                         co_return x + shown->bytes[0];
                       };
                     }),
            2u);
}

TEST_F(TaskAllocationTest, TaskLocals) {
  TaskLocal<int> local;
  EXPECT_THAT(CountWarm([&local] { return local.Scope(7, Work()); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([&local] {
                return local.Scope(7, [&local]() -> Async<int> {
                  int x = co_await Work();
                  co_return x + *local.Get();
                });
              }),
              IfRecycled(0));
}

// The children of both kinds of scope: one that ends, and one that goes with the scope.
TEST_F(TaskAllocationTest, Groups) {
  const auto spawn_two = [](TaskGroup& group) -> Async<> {
    group.Spawn(Work());
    group.Spawn([]() -> Async<int> {
      int x = co_await Work();
      co_return x;
    });
    co_return;
  };
  EXPECT_THAT(AllocationsOfWarm([&] {
                {
                  auto group = WithTaskGroup(spawn_two);
                  EXPECT_TRUE(PollOnce(group).pending());
                  scheduler_.RunUntilIdle();
                  EXPECT_TRUE(PollOnce(group).ready());
                }
                {
                  auto dropped = WithTaskGroup(spawn_two);
                  EXPECT_TRUE(PollOnce(dropped).pending());
                  EXPECT_TRUE(scheduler_.RunOne());
                }
                scheduler_.RunUntilIdle();
              }),
              IfRecycled(0));
}

TEST_F(TaskAllocationTest, JoinSets) {
  JoinSet<int> set;
  EXPECT_THAT(AllocationsOfWarm([&] {
                set.Spawn(Work());
                set.Spawn([] { return Work(); });
                for (int i = 0; i < 2; ++i) {
                  scheduler_.RunUntilIdle();
                  auto next = set.JoinNext();
                  EXPECT_TRUE(PollOnce(next).ready());
                }
                set.Spawn(Work());
                EXPECT_TRUE(scheduler_.RunOne());
                set.AbortAll();
                scheduler_.RunUntilIdle();
                auto shutdown = set.Shutdown();
                EXPECT_TRUE(PollOnce(shutdown).ready());
              }),
              IfRecycled(0));
  // A set that is made anew has one block of its own.
  EXPECT_THAT(AllocationsOfWarm([&] {
                JoinSet<int> fresh;
                fresh.Spawn(Work());
                fresh.Spawn(Work());
                scheduler_.RunUntilIdle();
              }),
              IfRecycled(1));
}

Async<int> ForkAndAwait() {
  auto left = Fork(Work());
  int right = co_await Work();
  int x = co_await left;
  co_return x + right;
}

TEST_F(TaskAllocationTest, Forks) {
  // As a task: the scheduler takes the child when its parent waits.
  EXPECT_THAT(CountWarm([] { return ForkAndAwait(); }), IfRecycled(0));
  // Nobody takes it: its parent takes it back, or drops it.
  EXPECT_THAT(AllocationsOfWarm([&] {
                {
                  auto parent = ForkAndAwait();
                  for (int i = 0; i < 2; ++i) EXPECT_TRUE(PollOnce(parent).pending());
                  EXPECT_TRUE(PollOnce(parent).ready());
                  auto dropped = ForkAndAwait();
                  EXPECT_TRUE(PollOnce(dropped).pending());
                }
                scheduler_.RunUntilIdle();
              }),
              IfRecycled(0));
}

}  // namespace
}  // namespace home
