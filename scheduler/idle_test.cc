#include "home/scheduler/idle.h"

#include <optional>

#include "gtest/gtest.h"

namespace home::scheduler_internal {
namespace {

TEST(IdleTest, NobodyIsWokenWhileAllAreAwake) {
  Idle idle(2);
  EXPECT_EQ(idle.WorkerToNotify(), std::nullopt);
}

TEST(IdleTest, ASleeperIsWokenOnceAndCountsAsSearching) {
  Idle idle(2);
  idle.Sleep(1, false);
  EXPECT_EQ(idle.awake(), 1u);
  EXPECT_EQ(idle.WorkerToNotify(), std::optional<std::size_t>(1));
  EXPECT_EQ(idle.awake(), 2u);
  EXPECT_EQ(idle.searching(), 1u);
  EXPECT_EQ(idle.WorkerToNotify(), std::nullopt);
  EXPECT_TRUE(idle.WakeUp(1));
}

TEST(IdleTest, ASearcherIsTrusted) {
  Idle idle(2);
  idle.Sleep(1, false);
  EXPECT_TRUE(idle.StartSearching());
  EXPECT_EQ(idle.WorkerToNotify(), std::nullopt);
  EXPECT_TRUE(idle.StopSearching());
  EXPECT_EQ(idle.WorkerToNotify(), std::optional<std::size_t>(1));
}

TEST(IdleTest, AtMostHalfOfTheWorkersSearch) {
  Idle idle(4);
  EXPECT_TRUE(idle.StartSearching());
  EXPECT_TRUE(idle.StartSearching());
  EXPECT_FALSE(idle.StartSearching());
  EXPECT_FALSE(idle.StopSearching());
  EXPECT_TRUE(idle.StopSearching());
}

TEST(IdleTest, AWorkerThatWakesByItselfCountsAsAwakeAndNotSearching) {
  Idle idle(2);
  idle.Sleep(0, false);
  EXPECT_FALSE(idle.WakeUp(0));
  EXPECT_EQ(idle.awake(), 2u);
  EXPECT_EQ(idle.searching(), 0u);
}

// tokio#8056: a worker that was promised work must not be promised it again.
TEST(IdleTest, AWorkerOnItsWayUpIsNotChosenTwice) {
  Idle idle(2);
  idle.Sleep(0, false);
  idle.Sleep(1, false);
  const std::optional<std::size_t> first = idle.WorkerToNotify();
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(idle.StopSearching());
  const std::optional<std::size_t> second = idle.WorkerToNotify();
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(*first, *second);
}

TEST(IdleTest, TheSparedSleeperIsChosenLast) {
  Idle idle(3);
  idle.Sleep(0, false);
  idle.Sleep(1, false);
  EXPECT_EQ(idle.WorkerToNotify(1), std::optional<std::size_t>(0));
  EXPECT_TRUE(idle.StopSearching());
  EXPECT_EQ(idle.WorkerToNotify(1), std::optional<std::size_t>(1));
}

TEST(IdleTest, ASearcherThatSleepsIsCountedOut) {
  Idle idle(2);
  EXPECT_TRUE(idle.StartSearching());
  idle.Sleep(0, true);
  EXPECT_EQ(idle.searching(), 0u);
  EXPECT_EQ(idle.awake(), 1u);
}

}  // namespace
}  // namespace home::scheduler_internal
