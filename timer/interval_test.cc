#include "home/timer/interval.h"

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/timer/instant.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::PollOnce;

static_assert(Future<Interval::TickFuture>);

class IntervalTest : public testing::PausedTimeTest {
 protected:
  void AdvanceTo(int ms) { Advance(start_ + absl::Milliseconds(ms) - clock_.Now()); }

  // Takes all ticks that are there; in milliseconds from the start.
  std::vector<int> Ticks(Interval& interval) {
    std::vector<int> ticks;
    for (;;) {
      Interval::TickFuture tick = interval.Tick();
      auto result = PollOnce(tick, waker_);
      if (result.pending()) return ticks;
      ticks.push_back(static_cast<int>(absl::ToInt64Milliseconds(*result - start_)));
    }
  }

  const Instant start_ = clock_.Now();
};

using Millis = std::vector<int>;

TEST_F(IntervalTest, TicksEveryPeriod) {
  Interval interval(absl::Milliseconds(10));
  EXPECT_EQ(interval.period(), absl::Milliseconds(10));
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(9);
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(10);
  EXPECT_EQ(Ticks(interval), Millis{10});
  AdvanceTo(20);
  EXPECT_EQ(Ticks(interval), Millis{20});
}

TEST_F(IntervalTest, TicksBelowAMillisecondWithHighPrecision) {
  Interval interval(absl::Microseconds(250), MissedTick::kSkip, TimerPrecision::kHigh);
  EXPECT_EQ(Ticks(interval), Millis{});
  for (int tick = 1; tick <= 4; ++tick) {
    Interval::TickFuture next = interval.Tick();
    EXPECT_TRUE(PollOnce(next, waker_).pending());
    Advance(absl::Microseconds(250));
    EXPECT_EQ(*PollOnce(next, waker_), start_ + tick * absl::Microseconds(250));
  }
}

TEST_F(IntervalTest, LateTickDoesNotDrift) {
  for (const MissedTick missed : {MissedTick::kBurst, MissedTick::kSkip, MissedTick::kDelay}) {
    Interval interval(absl::Milliseconds(10), missed);
    const int from = static_cast<int>(absl::ToInt64Milliseconds(clock_.Now() - start_));
    EXPECT_EQ(Ticks(interval), Millis{});
    AdvanceTo(from + 17);
    EXPECT_EQ(Ticks(interval), Millis{from + 10});
    AdvanceTo(from + 20);
    EXPECT_EQ(Ticks(interval), Millis{from + 20});
  }
}

TEST_F(IntervalTest, MissedTicksBurst) {
  Interval interval(absl::Milliseconds(10), MissedTick::kBurst);
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(35);
  EXPECT_EQ(Ticks(interval), (Millis{10, 20, 30}));
  AdvanceTo(40);
  EXPECT_EQ(Ticks(interval), Millis{40});
}

TEST_F(IntervalTest, MissedTicksAreSkipped) {
  Interval interval(absl::Milliseconds(10), MissedTick::kSkip);
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(35);
  EXPECT_EQ(Ticks(interval), Millis{10});
  AdvanceTo(40);
  EXPECT_EQ(Ticks(interval), Millis{40});
  AdvanceTo(60);  // exactly on a tick: 50 is late by one period, 60 is due now
  EXPECT_EQ(Ticks(interval), Millis{50});
  AdvanceTo(70);
  EXPECT_EQ(Ticks(interval), Millis{70});
}

TEST_F(IntervalTest, MissedTicksDelayTheRest) {
  Interval interval(absl::Milliseconds(10), MissedTick::kDelay);
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(35);
  EXPECT_EQ(Ticks(interval), Millis{10});
  AdvanceTo(44);
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(45);
  EXPECT_EQ(Ticks(interval), Millis{45});
}

TEST_F(IntervalTest, DroppedTickIsNotLostAndLeavesNoWaker) {
  Interval interval(absl::Milliseconds(10));
  {
    Interval::TickFuture tick = interval.Tick();
    EXPECT_TRUE(PollOnce(tick, waker_).pending());
    EXPECT_EQ(timers_.size(), 1u);
  }
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(waker_.alive(), 0);
  AdvanceTo(10);
  EXPECT_EQ(waker_.wakes(), 0);
  EXPECT_EQ(Ticks(interval), Millis{10});
}

TEST_F(IntervalTest, TickMovesBeforeItsFirstPoll) {
  Interval interval(absl::Milliseconds(10));
  Interval::TickFuture first = interval.Tick();
  Interval::TickFuture second(std::move(first));
  EXPECT_TRUE(PollOnce(second, waker_).pending());
  AdvanceTo(10);
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_TRUE(PollOnce(second, waker_).ready());
}

TEST_F(IntervalTest, ResetStartsAnew) {
  Interval interval(absl::Milliseconds(10));
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(7);
  interval.Reset();
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(16);
  EXPECT_EQ(Ticks(interval), Millis{});
  AdvanceTo(17);
  EXPECT_EQ(Ticks(interval), Millis{17});
}

TEST_F(IntervalTest, InfinitePeriodNeverTicks) {
  Interval interval(absl::InfiniteDuration());
  EXPECT_EQ(Ticks(interval), Millis{});
  clock_.Advance(absl::Hours(24 * 365));
  EXPECT_EQ(Ticks(interval), Millis{});
}

TEST(IntervalDeathTest, PeriodMustBePositive) {
  EXPECT_DEATH(Interval interval(absl::ZeroDuration()), "period above zero, not 0");
  EXPECT_DEATH(Interval interval(-absl::Seconds(1)), "period above zero, not -1s");
}

}  // namespace
}  // namespace home
