#include "home/scheduler/busy_time.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/timer/instant.h"

namespace home::scheduler_internal {
namespace {

Instant At(int second) { return Instant() + absl::Seconds(second); }

TEST(BusyTimeTest, CountsWhatLiesBetweenWakingUpAndFallingAsleep) {
  BusyTime busy;
  EXPECT_EQ(busy.Until(At(5)), absl::ZeroDuration());
  busy.WakeUp(At(10));
  EXPECT_EQ(busy.Until(At(10)), absl::ZeroDuration());
  EXPECT_EQ(busy.Until(At(12)), absl::Seconds(2));
  busy.Sleep(At(13));
  EXPECT_EQ(busy.Until(At(20)), absl::Seconds(3));
  busy.WakeUp(At(30));
  EXPECT_EQ(busy.Until(At(34)), absl::Seconds(7));
  busy.Sleep(At(35));
  EXPECT_EQ(busy.Until(At(40)), absl::Seconds(8));
}

TEST(BusyTimeTest, ToWakeUpTwiceOrToSleepTwiceChangesNothing) {
  BusyTime busy;
  busy.Sleep(At(1));
  busy.WakeUp(At(2));
  busy.WakeUp(At(3));
  busy.Sleep(At(5));
  busy.Sleep(At(9));
  EXPECT_EQ(busy.Until(At(10)), absl::Seconds(3));
}

TEST(BusyTimeTest, WorksAtTheClocksOrigin) {
  BusyTime busy;
  busy.WakeUp(Instant());
  EXPECT_EQ(busy.Until(At(1)), absl::Seconds(1));
}

TEST(BusyTimeTest, AReaderWhoseClockIsBehindSeesNoNegativeTime) {
  BusyTime busy;
  busy.WakeUp(At(10));
  EXPECT_EQ(busy.Until(At(9)), absl::ZeroDuration());
}

}  // namespace
}  // namespace home::scheduler_internal
