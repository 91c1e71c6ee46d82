#include "home/timer/rate_limit.h"

#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/timer/instant.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::Manual;
using home::testing::ManualState;
using home::testing::PollAfterReady;
using home::testing::PollOnce;

using RateLimitTest = testing::PausedTimeTest;

TEST_F(RateLimitTest, ABurstAtOnceAndThenAnEvenRate) {
  RateLimiter limiter(/*per_second=*/10, /*burst=*/3);
  const Instant start = clock_.Now();
  std::vector<absl::Duration> at;
  while (at.size() < 6) {
    auto acquire = limiter.Acquire();
    while (PollOnce(acquire, waker_).pending()) Advance(absl::Milliseconds(10));
    at.push_back(clock_.Now() - start);
  }
  EXPECT_EQ(at, (std::vector<absl::Duration>{absl::ZeroDuration(), absl::ZeroDuration(),
                                             absl::ZeroDuration(), absl::Milliseconds(100),
                                             absl::Milliseconds(200), absl::Milliseconds(300)}));
  // Idle time is saved up to the burst and no further.
  Advance(absl::Seconds(100));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.TryAcquire(clock_.Now()));
  EXPECT_FALSE(limiter.TryAcquire(clock_.Now()));
}

TEST_F(RateLimitTest, NeverMoreThanTheRateOverAnySecond) {
  RateLimiter limiter(/*per_second=*/7, /*burst=*/2);
  std::vector<Instant> at;
  for (int step = 0; step < 5000; ++step) {
    if (limiter.TryAcquire(clock_.Now())) at.push_back(clock_.Now());
    clock_.Advance(absl::Milliseconds(1 + step % 5));
  }
  for (std::size_t i = 0; i + 9 < at.size(); ++i) {
    EXPECT_GE(at[i + 9] - at[i], absl::Seconds(1));
  }
  EXPECT_GE(at.size(), 7 * 14u);
}

TEST_F(RateLimitTest, IsFirstComeFirstServed) {
  RateLimiter limiter(/*per_second=*/10);
  auto first = limiter.Acquire();
  auto second = limiter.Acquire();
  auto third = limiter.Acquire();
  EXPECT_TRUE(PollOnce(first, waker_).ready());
  EXPECT_TRUE(PollOnce(second, waker_).pending());
  EXPECT_TRUE(PollOnce(third, waker_).pending());
  Advance(absl::Milliseconds(100));
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_TRUE(PollOnce(third, waker_).pending());
  EXPECT_TRUE(PollOnce(second, waker_).ready());
  Advance(absl::Milliseconds(100));
  EXPECT_TRUE(PollOnce(third, waker_).ready());
}

TEST_F(RateLimitTest, SeveralPermitsMoreThanTheBurst) {
  RateLimiter limiter(/*per_second=*/10, /*burst=*/2);
  auto acquire = limiter.Acquire(5);
  EXPECT_TRUE(PollOnce(acquire, waker_).pending());
  Advance(absl::Milliseconds(299));
  EXPECT_TRUE(PollOnce(acquire, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_TRUE(PollOnce(acquire, waker_).ready());
}

// PITFALL 27: a wait that is dropped does not lose what it had been granted.
TEST_F(RateLimitTest, Pitfall27ADroppedWaitGivesItsPermitsBack) {
  RateLimiter limiter(/*per_second=*/10);
  ASSERT_TRUE(limiter.TryAcquire(clock_.Now()));
  {
    auto dropped = limiter.Acquire();
    EXPECT_TRUE(PollOnce(dropped, waker_).pending());
  }
  EXPECT_EQ(timers_.size(), 0u);
  auto next = limiter.Acquire();
  EXPECT_TRUE(PollOnce(next, waker_).pending());
  Advance(absl::Milliseconds(100));
  EXPECT_TRUE(PollOnce(next, waker_).ready());
  // Whoever came later keeps his moment, and the permit of the one before is lost.
  std::optional<RateAcquireFuture> early = limiter.Acquire();
  auto late = limiter.Acquire();
  EXPECT_TRUE(PollOnce(*early, waker_).pending());
  EXPECT_TRUE(PollOnce(late, waker_).pending());
  early.reset();
  Advance(absl::Milliseconds(199));
  EXPECT_TRUE(PollOnce(late, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_TRUE(PollOnce(late, waker_).ready());
}

TEST_F(RateLimitTest, AFutureStartsWhenItMay) {
  RateLimiter limiter(/*per_second=*/10);
  ManualState state;
  state.ready = true;
  auto first = Ready(1) | RateLimit(limiter);
  EXPECT_EQ(*PollOnce(first), 1);
  auto second = RateLimit(limiter, Manual<int>(&state, 2));
  EXPECT_TRUE(PollOnce(second, waker_).pending());
  EXPECT_EQ(state.polls, 0);
  Advance(absl::Milliseconds(100));
  EXPECT_EQ(*PollOnce(second, waker_), 2);
}

TEST_F(RateLimitTest, AHopelessRateWaitsForEver) {
  RateLimiter limiter(/*per_second=*/1e-12, /*burst=*/1000);
  auto acquire = limiter.Acquire(2'000'000'000);
  EXPECT_TRUE(PollOnce(acquire, waker_).pending());
  EXPECT_EQ(timers_.size(), 0u);
}

#if !defined(NDEBUG)
TEST_F(RateLimitTest, PollAfterReadyNamesIt) {
  RateLimiter limiter(1, 2);
  EXPECT_DEATH(PollAfterReady(limiter.Acquire()), "\\(RateLimiter::Acquire\\) was polled after");
  EXPECT_DEATH(PollAfterReady(RateLimit(limiter, Ready(1))), "\\(RateLimit\\) was polled after");
}
#endif

TEST(RateLimitDeathTest, NamesWhatIsWrong) {
  EXPECT_DEATH(RateLimiter limiter(0), "the rate is not between");
  EXPECT_DEATH(RateLimiter limiter(std::nan("")), "the rate is not between");
  EXPECT_DEATH(RateLimiter limiter(2e9), "the rate is not between");
  EXPECT_DEATH(RateLimiter limiter(1, 0), "the burst is less than 1");
  RateLimiter limiter(1);
  EXPECT_DEATH(static_cast<void>(limiter.Acquire(0)), "fewer than 1 permit");
  auto acquire = limiter.Acquire();
  EXPECT_DEATH(static_cast<void>(PollOnce(acquire)), "RateLimiter");
}

}  // namespace
}  // namespace home
