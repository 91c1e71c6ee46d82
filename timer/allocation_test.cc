// Proof that waiting allocates nothing: counts calls of the global operator new across
// building, polling and dropping each of the package's futures, under a clock that is
// moved by hand. Nothing here takes blocks of the recycling cache either: so there is no
// run that warms it.

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/pipe.h"
#include "home/future/ready.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"
#include "home/timer/chunks_timeout.h"
#include "home/timer/clock.h"
#include "home/timer/hedge.h"
#include "home/timer/interval.h"
#include "home/timer/rate_limit.h"
#include "home/timer/retry.h"
#include "home/timer/sleep.h"
#include "home/timer/timeout.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

using testing::AllocationsOf;
using testing::Countdown;
using testing::PollOnce;
using testing::Ticks;
using IntOr = absl::StatusOr<int>;

constexpr absl::Duration kStep = absl::Milliseconds(10);

class TimerAllocationTest : public ::testing::Test {
 protected:
  void Advance() {
    clock_.Advance(kStep);
    WakeList wakes;
    timers_.FireAllExpired(wakes);
    wakes.WakeAll();
  }
  // The clock moves where the future waits.
  template <typename Make>
  std::size_t Count(Make make) {
    return testing::Count(std::move(make), [this] { Advance(); });
  }

  PausedClock clock_;
  TimerService timers_{1, &clock_, [] {}};
  TimerScope scope_{&timers_, 0};
};

// An error without a message takes no memory of its own.
IntOr Unavailable() { return absl::Status(absl::StatusCode::kUnavailable, ""); }

TEST_F(TimerAllocationTest, Sleeps) {
  EXPECT_EQ(Count([] { return Sleep(2 * kStep); }), 0u);
  EXPECT_EQ(Count([this] { return SleepUntil(clock_.Now() + 2 * kStep); }), 0u);
  Sleep sleep(kStep);
  EXPECT_EQ(AllocationsOf([&] {
              for (int i = 0; i < 3; ++i) {
                sleep.Reset(kStep);
                EXPECT_TRUE(PollOnce(sleep).pending());
              }
              Advance();
              EXPECT_TRUE(PollOnce(sleep).ready());
            }),
            0u);
}

TEST_F(TimerAllocationTest, Intervals) {
  for (MissedTick missed : {MissedTick::kBurst, MissedTick::kSkip, MissedTick::kDelay}) {
    EXPECT_EQ(AllocationsOf([&] {
                Interval interval(2 * kStep, missed);
                EXPECT_EQ(Count([&interval] { return interval.Tick(); }), 0u);
              }),
              0u);
  }
}

TEST_F(TimerAllocationTest, TimeoutsInTime) {
  EXPECT_EQ(Count([] { return Timeout(Countdown(2, 1), 5 * kStep); }), 0u);
  EXPECT_EQ(Count([] { return Countdown<IntOr>(2, 1) | Timeout(5 * kStep); }), 0u);
}

// What the header says: only the error's message. Its text, that of the duration in it,
// and the Status that keeps it are a handful of blocks, of Abseil's and the library's
// choosing; those that end unready make no error.
TEST_F(TimerAllocationTest, ATimeoutThatIsOverMakesItsMessage) {
  const std::size_t message = AllocationsOf(
      [] { EXPECT_TRUE(absl::IsDeadlineExceeded(timer_internal::TimedOut(2 * kStep))); });
  EXPECT_GE(message, 1u);
  EXPECT_EQ(Count([] { return Timeout(PendingForever<int>(), 2 * kStep); }), message);
}

TEST_F(TimerAllocationTest, Retries) {
  const RetryPolicy policy = RetryPolicy().set_initial_backoff(kStep).set_max_attempts(3);
  EXPECT_EQ(Count([&policy] {
              return Retry(policy, [attempt = 0]() mutable {
                return Countdown<IntOr>(2, ++attempt < 3 ? Unavailable() : IntOr(1));
              });
            }),
            0u);
  EXPECT_EQ(Count([&policy] { return Retry(policy, [] { return Ready(Unavailable()); }); }), 0u);
}

TEST_F(TimerAllocationTest, Hedges) {
  // The first is late, and the second wins.
  EXPECT_EQ(Count([] {
              return Hedge(2 * kStep, [attempt = 0]() mutable {
                return Countdown<IntOr>(++attempt == 1 ? 99 : 2, 1);
              });
            }),
            0u);
  // All fail.
  EXPECT_EQ(
      Count([] { return Hedge<3>(2 * kStep, [] { return Countdown<IntOr>(4, Unavailable()); }); }),
      0u);
}

TEST_F(TimerAllocationTest, RateLimits) {
  EXPECT_EQ(AllocationsOf([&] {
              RateLimiter limiter(/*per_second=*/10, /*burst=*/2);
              // So that all have to wait.
              EXPECT_TRUE(limiter.TryAcquire(clock_.Now(), 2));
              EXPECT_EQ(Count([&limiter] { return limiter.Acquire(); }), 0u);
              EXPECT_EQ(Count([&limiter] { return RateLimit(limiter, Countdown(2, 1)); }), 0u);
              EXPECT_EQ(Count([&limiter] { return Countdown(2, 1) | RateLimit(limiter); }), 0u);
            }),
            0u);
}

// A block a chunk: of the one that goes to its end, and one of the one that waits with its
// first item.
TEST_F(TimerAllocationTest, ChunksInTime) {
  // Full ones: of two items each, before the time is up.
  EXPECT_EQ(Count([] { return ChunksTimeout(Ticks(4), 2, 5 * kStep); }), 2u + 1u);
  // Those that the time ends: each has the item that came as its time was up.
  EXPECT_EQ(Count([] { return Ticks(4) | ChunksTimeout(100, kStep); }), 2u + 1u);
}

}  // namespace
}  // namespace home
