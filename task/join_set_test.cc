#include "home/task/join_set.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/task/spawn.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using ::testing::ElementsAre;
using testing::ManualScheduler;
using testing::PollOnce;

class JoinSetTest : public ::testing::Test {
 protected:
  ManualScheduler scheduler_;
  const TaskSchedulerScope scope_{&scheduler_};
};

// Yields its value when it is told.
struct Slot {
  Waker waker;
  std::optional<int> value;
  void Set(int to) {
    value = to;
    std::move(waker).Wake();
  }
};
auto Get(Slot& slot) {
  return PollFn([&slot](Context& cx) -> Poll<int> {
    if (slot.value) return *slot.value;
    UpdateWaker(slot.waker, cx.waker());
    return kPending;
  });
}

TEST_F(JoinSetTest, JoinsInTheOrderOfTheEnds) {
  Slot first;
  Slot second;
  JoinSet<int> set;
  set.Spawn(Get(first));
  set.Spawn(Get(second));
  EXPECT_EQ(set.size(), 2u);
  scheduler_.RunUntilIdle();
  auto next = set.JoinNext();
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(next, counter).pending());
  second.Set(2);
  scheduler_.RunUntilIdle();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(**PollOnce(next).value(), 2);
  first.Set(1);
  scheduler_.RunUntilIdle();
  auto last = set.JoinNext();
  EXPECT_EQ(**PollOnce(last).value(), 1);
  EXPECT_TRUE(set.empty());
  auto none = set.JoinNext();
  EXPECT_EQ(PollOnce(none).value(), std::nullopt);
}

TEST_F(JoinSetTest, JoinAllGivesEveryOutcome) {
  JoinSet<int> set;
  for (int i = 0; i < 3; ++i) set.Spawn(Ready(i));
  scheduler_.RunUntilIdle();
  auto all = set.JoinAll();
  std::vector<int> values;
  auto outcomes = PollOnce(all);
  for (absl::StatusOr<int>& one : *outcomes) values.push_back(*one);
  EXPECT_THAT(values, ElementsAre(0, 1, 2));
}

// The waker is cloned once and an idle poll looks at no task.
TEST_F(JoinSetTest, AHundredThousandTasks) {
  constexpr int kTasks = 100'000;
  JoinSet<int> set;
  for (int i = 0; i < kTasks; ++i) set.Spawn([i] { return Ready(i); });
  std::int64_t sum = 0;
  JoinHandle<void> joins = Spawn([&]() -> Async<> {
    while (true) {
      std::optional<absl::StatusOr<int>> one = co_await set.JoinNext();
      if (!one) break;
      sum += **one;
    }
  });
  // One poll a task, one of the joiner and at most one for each batch.
  EXPECT_LE(scheduler_.RunUntilIdle(), 2u * kTasks);
  EXPECT_TRUE(joins.finished());
  EXPECT_EQ(sum, std::int64_t{kTasks} * (kTasks - 1) / 2);
}

TEST_F(JoinSetTest, ExceptionsAreRethrownAtTheJoin) {
  JoinSet<int> set;
  set.Spawn([]() -> Async<int> {
    co_await Ready();
    throw std::runtime_error("child");
  });
  scheduler_.RunUntilIdle();
  auto next = set.JoinNext();
  EXPECT_THROW(static_cast<void>(PollOnce(next)), std::runtime_error);
  EXPECT_TRUE(set.empty());
}

TEST_F(JoinSetTest, AbortAllCancelsAndIsJoined) {
  JoinSet<void> set;
  set.Spawn(PendingForever<void>());
  AbortHandle one = set.SpawnAbortable(PendingForever<void>(), "one");
  scheduler_.RunUntilIdle();
  one.Abort();
  scheduler_.RunUntilIdle();
  auto first = set.JoinNext();
  EXPECT_TRUE(absl::IsCancelled(**PollOnce(first)));
  EXPECT_EQ(set.size(), 1u);
  set.AbortAll();
  scheduler_.RunUntilIdle();
  auto second = set.JoinNext();
  EXPECT_TRUE(absl::IsCancelled(**PollOnce(second)));
  EXPECT_TRUE(set.empty());
}

TEST_F(JoinSetTest, DroppingItAbortsWhatRunsAndDropsWhatEnded) {
  auto canary = std::make_shared<int>(0);
  Slot slot;
  {
    JoinSet<std::shared_ptr<int>> set;
    set.Spawn(Ready(canary));
    set.Spawn([&slot, canary]() -> Async<std::shared_ptr<int>> {
      co_await Get(slot);
      co_return canary;
    });
    scheduler_.RunUntilIdle();
    EXPECT_GT(canary.use_count(), 2);
  }
  scheduler_.RunUntilIdle();
  EXPECT_EQ(canary.use_count(), 1);
}

TEST_F(JoinSetTest, DetachAllLetsThemRunOn) {
  Slot slot;
  int ran = 0;
  JoinSet<void> set;
  set.Spawn([&]() -> Async<> { ran = co_await Get(slot); });
  scheduler_.RunUntilIdle();
  set.DetachAll();
  EXPECT_TRUE(set.empty());
  slot.Set(7);
  scheduler_.RunUntilIdle();
  EXPECT_EQ(ran, 7);
}

TEST_F(JoinSetTest, ShutdownWaitsForTheEnd) {
  auto canary = std::make_shared<int>(0);
  JoinSet<void> set;
  set.Spawn([canary]() -> Async<> { co_await PendingForever<void>(); });
  scheduler_.RunUntilIdle();
  auto shutdown = set.Shutdown();
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(shutdown, counter).pending());
  scheduler_.RunUntilIdle();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(shutdown).ready());
  EXPECT_EQ(canary.use_count(), 1);
}

// The set goes while its tasks report their ends.
TEST(JoinSetStressTest, TheSetGoesWhileTasksEnd) {
  for (int round = 0; round < 1000; ++round) {
    auto canary = std::make_shared<int>(0);
    ManualScheduler scheduler;
    std::atomic<bool> go{false};
    std::optional<JoinSet<std::shared_ptr<int>>> set(std::in_place);
    {
      const TaskSchedulerScope scope(&scheduler);
      for (int i = 0; i < 8; ++i) set->Spawn(Ready(canary));
    }
    std::thread runner([&] {
      go.store(true);
      scheduler.RunUntilIdle();
    });
    while (!go.load()) std::this_thread::yield();
    if (round % 2 == 0) {
      auto next = set->JoinNext();
      static_cast<void>(PollOnce(next));
    }
    if (round % 4 == 1) set->DetachAll();
    set.reset();
    runner.join();
    scheduler.RunUntilIdle();
    EXPECT_EQ(canary.use_count(), 1);
  }
}

// No wake is lost: the joiner only goes on when it is woken.
TEST(JoinSetStressTest, NoWakeIsLost) {
  for (int round = 0; round < 300; ++round) {
    ManualScheduler scheduler;
    JoinSet<int> set;
    {
      const TaskSchedulerScope scope(&scheduler);
      for (int i = 0; i < 20; ++i) set.Spawn(Ready(i));
    }
    std::thread runner([&] { scheduler.RunUntilIdle(); });
    CountingWaker counter;
    for (int joined = 0; joined < 20;) {
      const int woken = counter.wakes();
      auto next = set.JoinNext();
      if (PollOnce(next, counter).ready()) {
        ++joined;
        continue;
      }
      while (counter.wakes() == woken) std::this_thread::yield();
    }
    runner.join();
    EXPECT_EQ(counter.alive(), 0);
  }
}

}  // namespace
}  // namespace home
