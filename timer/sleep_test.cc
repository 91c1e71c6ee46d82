#include "home/timer/sleep.h"

#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"
#include "home/timer/clock.h"
#include "home/timer/testing.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

using home::testing::CountingWaker;
using home::testing::PollOnce;

static_assert(Future<Sleep>);
static_assert(!std::is_copy_constructible_v<Sleep>);
static_assert(std::is_nothrow_move_constructible_v<Sleep>);
static_assert(!std::is_move_assignable_v<Sleep>);

using SleepTest = testing::PausedTimeTest;

// The seed design's third test.
TEST_F(SleepTest, Basic) {
  Sleep sleep(absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(9));
  EXPECT_EQ(waker_.wakes(), 0);
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_TRUE(PollOnce(sleep, waker_).ready());
  EXPECT_EQ(waker_.alive(), 0);
}

TEST_F(SleepTest, CountsFromItsFirstPoll) {
  Sleep sleep(absl::Milliseconds(10));
  Advance(absl::Seconds(1));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(9));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_TRUE(PollOnce(sleep, waker_).ready());
}

TEST_F(SleepTest, NoTimeIsReadyAtTheFirstPoll) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), -absl::Nanoseconds(1), -absl::Hours(1), -absl::InfiniteDuration()}) {
    Sleep sleep(duration);
    EXPECT_TRUE(PollOnce(sleep, waker_).ready()) << duration;
  }
  EXPECT_EQ(timers_.size(), 0u);
}

TEST_F(SleepTest, ShortestTimeIsNotReadyAtTheFirstPoll) {
  Sleep sleep(absl::Nanoseconds(1) / 4);
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_TRUE(PollOnce(sleep, waker_).ready());
}

TEST_F(SleepTest, HighPrecisionStaysThroughMoveAndReset) {
  Sleep first(absl::Microseconds(250), TimerPrecision::kHigh);
  Sleep sleep(std::move(first));
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(PollOnce(sleep, waker_).pending());
    Advance(absl::Nanoseconds(249'999));
    EXPECT_TRUE(PollOnce(sleep, waker_).pending());
    Advance(absl::Nanoseconds(1 + 3'906));
    EXPECT_TRUE(PollOnce(sleep, waker_).ready());
    sleep.Reset(absl::Microseconds(250));
  }
  Sleep until = SleepUntil(clock_.Now() + absl::Microseconds(10), TimerPrecision::kHigh);
  EXPECT_TRUE(PollOnce(until, waker_).pending());
  Advance(absl::Microseconds(14));
  EXPECT_TRUE(PollOnce(until, waker_).ready());
}

TEST_F(SleepTest, InfiniteNeverWakesAndKeepsNoWaker) {
  for (const absl::Duration duration : {absl::InfiniteDuration(), absl::Hours(24) * 365 * 1000}) {
    Sleep sleep(duration);
    EXPECT_TRUE(PollOnce(sleep, waker_).pending());
    EXPECT_EQ(timers_.size(), 0u);
    Advance(absl::Hours(24 * 365));
    EXPECT_TRUE(PollOnce(sleep, waker_).pending());
    EXPECT_EQ(waker_.alive(), 0);
  }
}

TEST_F(SleepTest, UntilAnInstant) {
  Sleep past = SleepUntil(clock_.Now());
  EXPECT_TRUE(PollOnce(past, waker_).ready());
  Sleep sleep = SleepUntil(clock_.Now() + absl::Milliseconds(10));
  Advance(absl::Milliseconds(4));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(6));
  EXPECT_TRUE(PollOnce(sleep, waker_).ready());
}

TEST_F(SleepTest, MovesBeforeItsFirstPoll) {
  Sleep first(absl::Milliseconds(10));
  Sleep second(std::move(first));
  EXPECT_TRUE(PollOnce(second, waker_).pending());
  Advance(absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(second, waker_).ready());
}

TEST_F(SleepTest, DroppedSleepIsCancelled) {
  {
    Sleep sleep(absl::Milliseconds(10));
    EXPECT_TRUE(PollOnce(sleep, waker_).pending());
    EXPECT_EQ(timers_.size(), 1u);
    EXPECT_EQ(waker_.alive(), 1);
  }
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(waker_.alive(), 0);
  Advance(absl::Seconds(1));
  EXPECT_EQ(waker_.wakes(), 0);
}

// PITFALL 22: created, never armed, dropped.
TEST_F(SleepTest, DroppedBeforeTheFirstPollLeavesNothing) {
  {
    Sleep sleep(absl::Milliseconds(10));
  }
  EXPECT_EQ(timers_.size(), 0u);
}

TEST_F(SleepTest, DroppedBetweenFiringAndPolling) {
  {
    Sleep sleep(absl::Milliseconds(10));
    EXPECT_TRUE(PollOnce(sleep, waker_).pending());
    Advance(absl::Milliseconds(10));
  }
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_EQ(waker_.alive(), 0);
}

TEST_F(SleepTest, WakesTheWakerOfTheLastPoll) {
  CountingWaker other;
  Sleep sleep(absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  EXPECT_TRUE(PollOnce(sleep, other).pending());
  EXPECT_EQ(waker_.alive(), 0);
  EXPECT_EQ(other.alive(), 1);
  Advance(absl::Milliseconds(10));
  EXPECT_EQ(waker_.wakes(), 0);
  EXPECT_EQ(other.wakes(), 1);
}

TEST_F(SleepTest, ResetStartsAnew) {
  Sleep sleep(absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(9));
  sleep.Reset(absl::Milliseconds(10));
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(9));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_TRUE(PollOnce(sleep, waker_).ready());
  sleep.Reset(clock_.Now() + absl::Milliseconds(5));  // after it was ready
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  Advance(absl::Milliseconds(5));
  sleep.Reset(absl::Milliseconds(1));  // fired, not polled
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
}

TEST_F(SleepTest, LaterPollsNeedNoScope) {
  Sleep sleep(absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  scope_.reset();
  EXPECT_TRUE(PollOnce(sleep, waker_).pending());
  std::thread([&] {
    Advance(absl::Milliseconds(10));
    EXPECT_TRUE(PollOnce(sleep, waker_).ready());
  }).join();
}

TEST_F(SleepTest, SpendsOneStepOfTheBudgetWhenReady) {
  const Waker waker = waker_.Make();
  Turn turn;
  turn.budget = 1;
  Context cx(waker, &turn);
  Sleep first(absl::ZeroDuration());
  EXPECT_TRUE(first.Poll(cx).ready());
  Sleep second(absl::ZeroDuration());
  EXPECT_TRUE(second.Poll(cx).pending());
  EXPECT_TRUE(turn.budget_exhausted);
  EXPECT_EQ(waker_.wakes(), 1);
  turn.budget = 1;
  EXPECT_TRUE(second.Poll(cx).ready());
}

TEST(SleepDeathTest, FirstPollWithoutAScope) {
  Sleep sleep(absl::Seconds(1));
  EXPECT_DEATH((void)PollOnce(sleep).ready(), "Sleep was polled on a thread without timers");
}

TEST(SleepSizeTest, ItIsItsEntryAndAWaker) { EXPECT_LE(sizeof(Sleep), 48u); }

// On the machine's own clock: late is allowed, early is not.
TEST(RealSleepTest, NeverEarly) {
  TimerService timers(1, Clock::Real(), [] {});
  const TimerScope scope(&timers, 0);
  for (int micros : {1, 300, 999, 1000, 1001, 2500, 7000}) {
    Sleep sleep{absl::Microseconds(micros)};
    const Instant start = Clock::Real()->Now();
    while (PollOnce(sleep).pending()) {
      WakeList wakes;
      timers.FireAllExpired(wakes);
    }
    EXPECT_GE(Clock::Real()->Now() - start, absl::Microseconds(micros));
  }
}

}  // namespace
}  // namespace home
