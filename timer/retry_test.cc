#include "home/timer/retry.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/random.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/timer/instant.h"
#include "home/timer/testing.h"
#include "home/timer/timeout.h"

namespace home {
namespace {

using home::testing::PollAfterReady;
using home::testing::PollOnce;
using IntOr = absl::StatusOr<int>;

class RetryTest : public testing::PausedTimeTest {
 protected:
  // A policy whose pauses are exact: 100 ms, 200 ms, 400 ms.
  static RetryPolicy Exact() {
    return RetryPolicy().set_initial_backoff(absl::Milliseconds(100)).set_jitter(0);
  }
};

TEST_F(RetryTest, ASuccessAtOnceTakesOneAttempt) {
  int attempts = 0;
  auto future = Retry(RetryPolicy(), [&attempts] { return Ready(IntOr(++attempts)); });
  EXPECT_EQ((*PollOnce(future)).value(), 1);
  EXPECT_EQ(timers_.size(), 0u);
}

#if !defined(NDEBUG)
TEST_F(RetryTest, PollAfterReadyNamesIt) {
  EXPECT_DEATH(PollAfterReady(Retry(RetryPolicy(), [] { return Ready(IntOr(1)); })),
               "\\(Retry\\) was polled after");
}
#endif

TEST_F(RetryTest, PausesGrowUntilASuccess) {
  std::vector<Instant> at;
  auto future = Retry(Exact(), [&] {
    at.push_back(clock_.Now());
    return Ready(at.size() < 4 ? IntOr(absl::UnavailableError("down")) : IntOr(7));
  });
  const Instant start = clock_.Now();
  std::optional<IntOr> result;
  for (int i = 0; i < 100 && !result.has_value(); ++i) {
    auto polled = PollOnce(future, waker_);
    if (polled.ready()) {
      result = *std::move(polled);
    } else {
      Advance(absl::Milliseconds(10));
    }
  }
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->value(), 7);
  EXPECT_EQ(
      at, (std::vector<Instant>{start, start + absl::Milliseconds(100),
                                start + absl::Milliseconds(300), start + absl::Milliseconds(700)}));
}

TEST_F(RetryTest, YieldsTheLastErrorAfterTheLastAttempt) {
  int attempts = 0;
  auto future = Retry(Exact().set_max_attempts(3).set_initial_backoff(absl::ZeroDuration()), [&] {
    return Ready(absl::UnavailableError(++attempts == 3 ? "third" : "earlier"));
  });
  EXPECT_EQ(*PollOnce(future), absl::UnavailableError("third"));
}

TEST_F(RetryTest, AnErrorThatIsNotTransientIsFinal) {
  int attempts = 0;
  const auto fails = [&attempts] {
    ++attempts;
    return Ready(absl::NotFoundError("no such page"));
  };
  auto future = Retry(Exact(), fails);
  EXPECT_EQ(*PollOnce(future), absl::NotFoundError("no such page"));
  EXPECT_EQ(attempts, 1);
  auto stubborn = Retry(
      Exact().set_initial_backoff(absl::ZeroDuration()).set_retryable([](const absl::Status& s) {
        return absl::IsNotFound(s);
      }),
      fails);
  EXPECT_EQ(*PollOnce(stubborn), absl::NotFoundError("no such page"));
  EXPECT_EQ(attempts, 1 + 5);
}

TEST_F(RetryTest, ALambdaCoroutineKeepsItsCaptures) {
  auto future =
      Retry(Exact(), [box = std::make_unique<int>(3), first = true]() mutable -> Async<IntOr> {
        if (std::exchange(first, false)) co_return absl::UnavailableError("down");
        co_return *box;
      });
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(absl::Milliseconds(100));
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_EQ((*PollOnce(future, waker_)).value(), 3);
}

TEST_F(RetryTest, DroppingItDropsTheAttemptAndThePause) {
  home::testing::ManualState state;
  {
    auto attempt =
        Retry(Exact(), [&state] { return home::testing::Manual<IntOr>(&state, IntOr(1)); });
    EXPECT_TRUE(PollOnce(attempt, waker_).pending());
    EXPECT_EQ(state.alive, 1);
    auto pause = Retry(Exact(), [] { return Ready(absl::UnavailableError("down")); });
    EXPECT_TRUE(PollOnce(pause, waker_).pending());
    EXPECT_EQ(timers_.size(), 1u);
  }
  EXPECT_EQ(state.alive, 0);
  EXPECT_EQ(timers_.size(), 0u);
}

TEST_F(RetryTest, ATimeoutAroundItEndsItInAPause) {
  auto future = Retry(Exact(), [] { return Ready(absl::UnavailableError("down")); }) |
                Timeout(absl::Milliseconds(50));
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(absl::Milliseconds(50));
  EXPECT_EQ((*PollOnce(future, waker_)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(timers_.size(), 0u);
}

TEST(RetryPolicyTest, BackoffGrowsUpToItsLimit) {
  const RetryPolicy policy = RetryPolicy()
                                 .set_initial_backoff(absl::Milliseconds(10))
                                 .set_multiplier(3)
                                 .set_max_backoff(absl::Milliseconds(100))
                                 .set_jitter(0);
  EXPECT_EQ(policy.Backoff(1), absl::Milliseconds(10));
  EXPECT_EQ(policy.Backoff(2), absl::Milliseconds(30));
  EXPECT_EQ(policy.Backoff(3), absl::Milliseconds(90));
  EXPECT_EQ(policy.Backoff(4), absl::Milliseconds(100));
  EXPECT_EQ(policy.Backoff(1'000'000), absl::Milliseconds(100));
  RetryPolicy negative = policy;
  negative.set_initial_backoff(-absl::Seconds(1));
  EXPECT_EQ(negative.Backoff(1), absl::ZeroDuration());
  RetryPolicy none = RetryPolicy().set_initial_backoff(absl::ZeroDuration()).set_jitter(0);
  EXPECT_EQ(none.Backoff(1), absl::ZeroDuration());
  EXPECT_EQ(none.Backoff(1'000'000), absl::ZeroDuration());
}

TEST(RetryPolicyTest, JitterTakesOffUpToItsShareAndRepeatsUnderAScope) {
  const RetryPolicy policy =
      RetryPolicy().set_initial_backoff(absl::Milliseconds(100)).set_jitter(0.5);
  const auto draw = [&policy] {
    const RandomScope scope(11);
    std::vector<absl::Duration> drawn;
    for (int i = 0; i < 100; ++i) drawn.push_back(policy.Backoff(1));
    return drawn;
  };
  const auto drawn = draw();
  EXPECT_EQ(draw(), drawn);
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most = absl::ZeroDuration();
  for (const absl::Duration backoff : drawn) {
    least = std::min(least, backoff);
    most = std::max(most, backoff);
  }
  EXPECT_GE(least, absl::Milliseconds(50));
  EXPECT_LT(least, absl::Milliseconds(60));
  EXPECT_LE(most, absl::Milliseconds(100));
  EXPECT_GT(most, absl::Milliseconds(90));
}

TEST(RetryPolicyDeathTest, NamesWhatIsWrong) {
  RetryPolicy policy;
  EXPECT_DEATH(policy.set_max_attempts(0), "max_attempts is less than 1");
  EXPECT_DEATH(policy.set_multiplier(0.5), "multiplier is less than 1");
  EXPECT_DEATH(policy.set_multiplier(std::nan("")), "multiplier is less than 1");
  EXPECT_DEATH(policy.set_jitter(1.5), "jitter is not between 0 and 1");
}

}  // namespace
}  // namespace home
