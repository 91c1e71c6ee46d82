#include "home/future/waker.h"

#include <utility>

#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"

namespace home {
namespace {

using testing::CountingWaker;

TEST(WakerTest, WakeByValueGivesUpTheReference) {
  CountingWaker counter;
  Waker waker = counter.Make();
  std::move(waker).Wake();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(counter.alive(), 0);
}

TEST(WakerTest, WakeByRefKeepsTheReference) {
  CountingWaker counter;
  {
    Waker waker = counter.Make();
    waker.WakeByRef();
    waker.WakeByRef();
    EXPECT_EQ(counter.alive(), 1);
  }
  EXPECT_EQ(counter.wakes(), 2);
  EXPECT_EQ(counter.alive(), 0);
}

TEST(WakerTest, CloneIsASecondReferenceThatWakesTheSameTask) {
  CountingWaker counter;
  Waker waker = counter.Make();
  Waker clone = waker.Clone();
  EXPECT_EQ(counter.alive(), 2);
  EXPECT_TRUE(waker.WillWake(clone));
  CountingWaker other;
  EXPECT_FALSE(waker.WillWake(other.Make()));
}

TEST(WakerTest, AnEmptyWakerDoesNothing) {
  Waker waker;
  EXPECT_FALSE(waker);
  waker.WakeByRef();
  Waker clone = waker.Clone();
  std::move(clone).Wake();
}

TEST(WakerTest, UpdateReplacesOnlyAWakerOfAnotherTask) {
  CountingWaker first;
  CountingWaker second;
  const Waker a = first.Make();
  const Waker b = second.Make();
  Waker slot;
  EXPECT_TRUE(UpdateWaker(slot, a));
  EXPECT_FALSE(UpdateWaker(slot, a));
  EXPECT_EQ(first.alive(), 2);
  EXPECT_TRUE(UpdateWaker(slot, b));
  EXPECT_EQ(first.alive(), 1);
  EXPECT_EQ(second.alive(), 2);
}

TEST(WakeListTest, WakesAllInOrderAndIsEmptyAfterwards) {
  CountingWaker counter;
  WakeList wakes;
  for (int i = 0; i < 40; ++i) wakes.Push(counter.Make());
  EXPECT_EQ(wakes.size(), 40u);
  wakes.WakeAll();
  EXPECT_EQ(counter.wakes(), 40);
  EXPECT_TRUE(wakes.empty());
}

TEST(ContextTest, WithoutABudgetNothingIsEverRefused) {
  const Waker waker;
  Context cx(waker);
  for (int i = 0; i < 100000; ++i) ASSERT_TRUE(cx.ConsumeBudget());
}

TEST(ContextTest, AnExhaustedBudgetWakesTheTaskAndRefuses) {
  CountingWaker counter;
  const Waker waker = counter.Make();
  Turn turn{.budget = 2};
  Context cx(waker, &turn);
  EXPECT_TRUE(cx.ConsumeBudget());
  EXPECT_TRUE(cx.ConsumeBudget());
  EXPECT_FALSE(cx.ConsumeBudget());
  EXPECT_TRUE(turn.budget_exhausted);
  EXPECT_EQ(counter.wakes(), 1);
}

}  // namespace
}  // namespace home
