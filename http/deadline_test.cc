#include "home/http/deadline.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"
#include "home/timer/clock.h"
#include "home/timer/timer_service.h"

namespace home::http {
namespace {

using home::testing::CountingWaker;

class DeadlineTest : public ::testing::Test {
 protected:
  bool Poll() {
    const Waker waker = counter_.Make();
    Context cx(waker);
    return deadline_.Poll(cx);
  }
  // Returns how often the task was woken.
  int Advance(absl::Duration duration) {
    const int before = counter_.wakes();
    clock_.Advance(duration);
    WakeList wakes;
    timers_.FireAllExpired(wakes);
    wakes.WakeAll();
    return counter_.wakes() - before;
  }

  PausedClock clock_;
  TimerService timers_{1, &clock_, [] {}};
  TimerScope scope_{&timers_, 0};
  CountingWaker counter_;
  Deadline deadline_{&clock_};
};

TEST_F(DeadlineTest, WithoutADeadlineNothingPasses) {
  EXPECT_FALSE(Poll());
  EXPECT_EQ(Advance(absl::Hours(1000)), 0);
  EXPECT_FALSE(Poll());
}

TEST_F(DeadlineTest, PassesOnceAndNotEarly) {
  deadline_.Set(deadline_.In(absl::Seconds(10)));
  EXPECT_FALSE(Poll());
  EXPECT_EQ(Advance(absl::Seconds(9)), 0);
  EXPECT_FALSE(Poll());
  EXPECT_EQ(Advance(absl::Seconds(2)), 1);
  EXPECT_TRUE(Poll());
  EXPECT_FALSE(Poll());
  deadline_.Set(deadline_.In(absl::Seconds(10)));
  EXPECT_FALSE(Poll());
  EXPECT_EQ(Advance(absl::Seconds(11)), 1);
  EXPECT_TRUE(Poll());
}

TEST_F(DeadlineTest, ALaterDeadlineLeavesTheTimerAlone) {
  deadline_.Set(deadline_.In(absl::Seconds(10)));
  EXPECT_FALSE(Poll());
  // Pushed back again and again, as by the requests of a busy connection.
  int wakes = 0;
  for (int i = 0; i < 100; ++i) {
    wakes += Advance(absl::Seconds(1));
    deadline_.Set(deadline_.In(absl::Seconds(10)));
    EXPECT_FALSE(Poll());
  }
  EXPECT_LE(wakes, 11);
  Advance(absl::Seconds(11));
  EXPECT_TRUE(Poll());
}

TEST_F(DeadlineTest, AnEarlierDeadlineIsHeeded) {
  deadline_.Set(deadline_.In(absl::Hours(1)));
  EXPECT_FALSE(Poll());
  deadline_.Set(deadline_.In(absl::Seconds(1)));
  EXPECT_FALSE(Poll());
  EXPECT_EQ(Advance(absl::Seconds(2)), 1);
  EXPECT_TRUE(Poll());
}

TEST_F(DeadlineTest, ADeadlineThatIsTakenBackDoesNotPass) {
  deadline_.Set(deadline_.In(absl::Seconds(1)));
  EXPECT_FALSE(Poll());
  deadline_.Set(Instant::Infinite());
  Advance(absl::Seconds(2));
  EXPECT_FALSE(Poll());
  Advance(absl::Hours(100));
  EXPECT_FALSE(Poll());
}

}  // namespace
}  // namespace home::http
