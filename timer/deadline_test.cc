#include "home/timer/deadline.h"

#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::PollOnce;

class DeadlineTest : public testing::PausedTimeTest {
 protected:
  Instant In(int ms) const { return start_ + absl::Milliseconds(ms); }

  const Instant start_ = clock_.Now();
};

static_assert(Future<WithDeadlineFuture<PendingForever<int>>>);

// The deadline that is current when it is polled.
auto Seen() {
  return PollFn([](Context&) -> Poll<Instant> { return CurrentDeadline(); });
}

TEST_F(DeadlineTest, NoneIsCurrentOutside) {
  EXPECT_TRUE(CurrentDeadline().is_infinite());
  EXPECT_TRUE(CheckDeadline("work").ok());
}

TEST_F(DeadlineTest, IsCurrentWhileTheFutureIsPolled) {
  auto future = Seen() | WithDeadline(In(10));
  EXPECT_EQ(**PollOnce(future, waker_), In(10));
  EXPECT_TRUE(CurrentDeadline().is_infinite());
}

TEST_F(DeadlineTest, WhenItHasPassedTheFutureIsGone) {
  auto future = PendingForever<int>() | WithDeadline(In(10));
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(absl::Milliseconds(9));
  EXPECT_EQ(waker_.wakes(), 0);
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(waker_.wakes(), 1);
  auto result = PollOnce(future, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(result.value().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(timers_.size(), 0u);
}

TEST_F(DeadlineTest, InnerOnesOnlyShorten) {
  for (const auto& [outer, inner, seen] : {std::tuple(10, 20, 10), std::tuple(20, 10, 10)}) {
    auto future = Seen() | WithDeadline(In(inner)) | WithDeadline(In(outer));
    EXPECT_EQ(**PollOnce(future, waker_), In(seen));
  }
}

// What is beneath asks for more, and ends in time all the same, with its own error.
TEST_F(DeadlineTest, TheOuterOneEndsTheInner) {
  auto future = PendingForever<int>() | WithDeadline(In(1000)) | WithDeadline(In(10));
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(absl::Milliseconds(10));
  auto result = PollOnce(future, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(result.value().status().code(), absl::StatusCode::kDeadlineExceeded);
}

Async<Instant> SeenAfter(absl::Duration pause) {
  co_await Sleep(pause);
  co_return CurrentDeadline();
}

// A coroutine that waits is resumed at its leaf: also then the deadline is there.
TEST_F(DeadlineTest, ReachesACoroutineAfterItsWait) {
  auto future = SeenAfter(absl::Milliseconds(5)) | WithDeadline(In(10));
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  EXPECT_TRUE(CurrentDeadline().is_infinite());
  Advance(absl::Milliseconds(5));
  EXPECT_EQ(**PollOnce(future, waker_), In(10));
}

TEST_F(DeadlineTest, CheckTellsThatItHasPassed) {
  auto future = PollFn([this](Context&) -> Poll<absl::Status> {
                  absl::Status before = CheckDeadline("sort");
                  if (!before.ok()) return before;
                  clock_.Advance(absl::Milliseconds(10));
                  return CheckDeadline("sort");
                }) |
                WithDeadline(In(10));
  auto result = PollOnce(future, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(result.value().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(result.value().message(), "sort: the deadline has passed before it began");
}

TEST_F(DeadlineTest, AnInfiniteOneArmsNothing) {
  auto future = PendingForever<int>() | WithDeadline(Instant::Infinite());
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  EXPECT_EQ(timers_.size(), 0u);
}

}  // namespace
}  // namespace home
