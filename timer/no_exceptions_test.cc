// The package without exceptions: this file, and what it instantiates, is compiled with
// -fno-exceptions.

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/timer/chunks_timeout.h"
#include "home/timer/deadline.h"
#include "home/timer/delay_queue.h"
#include "home/timer/hedge.h"
#include "home/timer/interval.h"
#include "home/timer/rate_limit.h"
#include "home/timer/retry.h"
#include "home/timer/sleep.h"
#include "home/timer/testing.h"
#include "home/timer/timeout.h"

#if defined(__cpp_exceptions)
#error "this test is about code that is compiled without exceptions"
#endif

namespace home {
namespace {

using testing::Manual;
using testing::ManualState;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Source;
using IntOr = absl::StatusOr<int>;
using NoExceptionsTest = testing::PausedTimeTest;

constexpr absl::Duration kSecond = absl::Seconds(1);

Async<int> SleepAndReturn(int value) {
  co_await Sleep(kSecond);
  co_return value;
}

TEST_F(NoExceptionsTest, Timeouts) {
  auto in_time = SleepAndReturn(2) | Timeout(2 * kSecond);
  auto late = Timeout(PendingForever<int>(), kSecond);
  EXPECT_TRUE(PollOnce(in_time, waker_).pending());
  EXPECT_TRUE(PollOnce(late, waker_).pending());
  Advance(kSecond);
  EXPECT_EQ(**PollOnce(in_time, waker_), 2);
  EXPECT_TRUE(absl::IsDeadlineExceeded((*PollOnce(late, waker_)).status()));
}

TEST_F(NoExceptionsTest, Deadlines) {
  auto late = SleepAndReturn(1) | WithDeadline(clock_.Now() + kSecond / 2);
  EXPECT_TRUE(PollOnce(late, waker_).pending());
  Advance(kSecond / 2);
  EXPECT_TRUE(absl::IsDeadlineExceeded((*PollOnce(late, waker_)).status()));
}

TEST_F(NoExceptionsTest, DelayQueues) {
  DelayQueue<int> queue;
  queue.Push(3, kSecond);
  EXPECT_TRUE(PollNextOnce(queue, waker_).pending());
  Advance(kSecond);
  EXPECT_EQ(**PollNextOnce(queue, waker_), 3);
}

TEST_F(NoExceptionsTest, Retries) {
  int attempts = 0;
  auto future = Retry(RetryPolicy().set_initial_backoff(kSecond).set_jitter(0), [&attempts] {
    return Ready(++attempts < 2 ? IntOr(absl::UnavailableError("down")) : IntOr(7));
  });
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(kSecond);
  EXPECT_EQ(**PollOnce(future, waker_), 7);
}

TEST_F(NoExceptionsTest, Hedges) {
  std::vector<ManualState> states(2);
  int made = 0;
  auto future = Hedge(kSecond, [&] {
    const int attempt = made++;
    return Manual<IntOr>(&states[static_cast<std::size_t>(attempt)], attempt);
  });
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(kSecond);
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  states[1].Set();
  EXPECT_EQ(**PollOnce(future, waker_), 1);
  EXPECT_EQ(states[0].alive, 0);
}

TEST_F(NoExceptionsTest, RateLimits) {
  RateLimiter limiter(/*per_second=*/1);
  auto first = RateLimit(limiter, Ready(1));
  auto second = Ready(2) | RateLimit(limiter);
  EXPECT_EQ(*PollOnce(first, waker_), 1);
  EXPECT_TRUE(PollOnce(second, waker_).pending());
  Advance(kSecond);
  EXPECT_EQ(*PollOnce(second, waker_), 2);
}

TEST_F(NoExceptionsTest, Intervals) {
  Interval interval(kSecond);
  auto tick = interval.Tick();
  EXPECT_TRUE(PollOnce(tick, waker_).pending());
  Advance(kSecond);
  EXPECT_TRUE(PollOnce(tick, waker_).ready());
}

TEST_F(NoExceptionsTest, ChunksInTime) {
  Source source;
  auto chunks = source.Stream() | ChunksTimeout(3, kSecond);
  source.Give(1);
  EXPECT_TRUE(PollNextOnce(chunks, waker_).pending());
  Advance(kSecond);
  EXPECT_EQ(**PollNextOnce(chunks, waker_), std::vector<int>{1});
}

}  // namespace
}  // namespace home
