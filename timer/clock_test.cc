#include "home/timer/clock.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace home {
namespace {

TEST(RealClockTest, NeverGoesBack) {
  const Clock* clock = Clock::Real();
  Instant last = clock->Now();
  for (int i = 0; i < 10'000; ++i) {
    const Instant now = clock->Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(RealClockTest, Advances) {
  const Instant start = Clock::Real()->Now();
  EXPECT_GE(start, Instant());
  while (Clock::Real()->Now() == start) {
  }
}

TEST(PausedClockTest, StandsStillUntilAdvanced) {
  PausedClock clock;
  const Instant start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Milliseconds(3));
  EXPECT_EQ(clock.Now() - start, absl::Milliseconds(3));
}

TEST(PausedClockTest, AdvanceToMovesForwardOnly) {
  PausedClock clock(Instant() + absl::Seconds(10));
  clock.AdvanceTo(Instant() + absl::Seconds(5));
  EXPECT_EQ(clock.Now(), Instant() + absl::Seconds(10));
  clock.AdvanceTo(Instant() + absl::Seconds(15));
  EXPECT_EQ(clock.Now(), Instant() + absl::Seconds(15));
}

}  // namespace
}  // namespace home
