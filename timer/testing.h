// A fixture for tests of what waits for time: a clock that stands still until the test moves
// it, and the timers that go by it.

#ifndef HOME_TIMER_TESTING_H_
#define HOME_TIMER_TESTING_H_

#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"
#include "home/timer/clock.h"
#include "home/timer/timer_service.h"

namespace home::testing {

class PausedTimeTest : public ::testing::Test {
 protected:
  // Moves the clock and wakes whom it concerns.
  void Advance(absl::Duration duration) {
    clock_.Advance(duration);
    WakeList wakes;
    timers_.FireAllExpired(wakes);
    wakes.WakeAll();
  }

  // Outlives the timers and what the test polls.
  CountingWaker waker_;
  PausedClock clock_;
  TimerService timers_{1, &clock_, [] {}};
  // Optional, for a test that leaves it.
  std::optional<TimerScope> scope_{std::in_place, &timers_, 0};
};

}  // namespace home::testing

#endif  // HOME_TIMER_TESTING_H_
