#include "home/timer/timeout.h"

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/timer/instant.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::PollAfterReady;
using home::testing::PollOnce;

// Ready once `*ready`; counts how many of it are alive.
template <typename T>
class Gate {
 public:
  using Output = T;

  Gate(const bool* ready, int* alive, T value)
      : ready_(ready), alive_(alive), value_(std::move(value)) {
    ++*alive_;
  }
  Gate(Gate&& other) noexcept
      : ready_(other.ready_), alive_(other.alive_), value_(std::move(other.value_)) {
    ++*alive_;
  }
  ~Gate() { --*alive_; }

  home::Poll<T> Poll(Context& cx) {
    if (!cx.ConsumeBudget() || !*ready_) return kPending;
    return std::move(value_);
  }

 private:
  const bool* ready_;
  int* alive_;
  T value_;
};

class VoidGate {
 public:
  using Output = void;
  explicit VoidGate(const bool* ready) : ready_(ready) {}
  home::Poll<void> Poll(Context&) {
    if (!*ready_) return kPending;
    return kReady;
  }

 private:
  const bool* ready_;
};

template <typename F>
using TimeoutOf = decltype(Timeout(std::declval<F>(), absl::Seconds(1)));
template <typename T>
using OutputFor = FutureOutput<TimeoutOf<Gate<T>>>;

static_assert(Future<TimeoutOf<Gate<int>>>);
static_assert(std::is_same_v<OutputFor<int>, absl::StatusOr<int>>);
static_assert(std::is_same_v<OutputFor<absl::StatusOr<int>>, absl::StatusOr<int>>);
static_assert(std::is_same_v<OutputFor<absl::Status>, absl::Status>);
static_assert(std::is_same_v<FutureOutput<TimeoutOf<VoidGate>>, absl::Status>);

class TimeoutTest : public testing::PausedTimeTest {
 protected:
  bool ready_ = false;
  int alive_ = 0;
};

TEST_F(TimeoutTest, ReadyAtTheFirstPollArmsNoTimer) {
  ready_ = true;
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Seconds(1));
  auto result = PollOnce(timeout, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(**result, 7);
  EXPECT_EQ(timers_.NextDeadline(), Instant::Infinite());
}

#if !defined(NDEBUG)
TEST_F(TimeoutTest, PollAfterReadyNamesIt) {
  EXPECT_DEATH(PollAfterReady(Timeout(Ready(7), absl::Seconds(1))),
               "\\(Timeout\\) was polled after");
}
#endif

TEST_F(TimeoutTest, ReadyInTimeCancelsTheTimer) {
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Seconds(1));
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  EXPECT_EQ(timers_.size(), 1u);
  ready_ = true;
  auto result = PollOnce(timeout, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(**result, 7);
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(waker_.alive(), 0);
  EXPECT_EQ(alive_, 0);
}

TEST_F(TimeoutTest, TimeIsUp) {
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Milliseconds(1500));
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  Advance(absl::Milliseconds(1499));
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  EXPECT_EQ(alive_, 1);
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(waker_.wakes(), 1);
  auto result = PollOnce(timeout, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE((*result).status().message().find("1.5s"), std::string::npos)
      << (*result).status().message();
  EXPECT_EQ(alive_, 0);  // cancelled before Ready was returned
}

TEST_F(TimeoutTest, ResultThatIsThereWinsOverAPassedDeadline) {
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  Advance(absl::Seconds(1));
  ready_ = true;
  auto result = PollOnce(timeout, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_TRUE((*result).ok());
}

TEST_F(TimeoutTest, NoTimeStillAsksTheFutureFirst) {
  ready_ = true;
  for (const absl::Duration duration : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), duration);
    auto result = PollOnce(timeout);
    ASSERT_TRUE(result.ready());
    EXPECT_TRUE((*result).ok());
  }
  ready_ = false;
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), -absl::Seconds(1));
  auto result = PollOnce(timeout);
  ASSERT_TRUE(result.ready());
  EXPECT_TRUE(absl::IsDeadlineExceeded((*result).status()));
}

TEST_F(TimeoutTest, InfiniteTimeNeverRunsOut) {
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::InfiniteDuration());
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  Advance(absl::Hours(24 * 365));
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  ready_ = true;
  EXPECT_TRUE(PollOnce(timeout, waker_).ready());
}

TEST_F(TimeoutTest, StatusesPassThrough) {
  ready_ = true;
  auto status =
      Timeout(Gate<absl::Status>(&ready_, &alive_, absl::NotFoundError("gone")), absl::Seconds(1));
  EXPECT_EQ(*PollOnce(status), absl::NotFoundError("gone"));
  auto status_or = Timeout(Gate<absl::StatusOr<int>>(&ready_, &alive_, absl::NotFoundError("gone")),
                           absl::Seconds(1));
  EXPECT_EQ((*PollOnce(status_or)).status(), absl::NotFoundError("gone"));
  auto none = Timeout(VoidGate(&ready_), absl::Seconds(1));
  EXPECT_EQ(*PollOnce(none), absl::OkStatus());
}

TEST_F(TimeoutTest, MoveOnlyResult) {
  ready_ = true;
  auto timeout = Timeout(Gate<std::unique_ptr<int>>(&ready_, &alive_, std::make_unique<int>(5)),
                         absl::Seconds(1));
  auto result = PollOnce(timeout);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(***result, 5);
}

TEST_F(TimeoutTest, MovesBeforeItsFirstPoll) {
  auto first = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Seconds(1));
  auto second = std::move(first);
  EXPECT_TRUE(PollOnce(second, waker_).pending());
  Advance(absl::Seconds(1));
  EXPECT_TRUE(PollOnce(second, waker_).ready());
}

TEST_F(TimeoutTest, DroppedTimeoutCancelsBoth) {
  {
    auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Seconds(1));
    EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  }
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(alive_, 0);
  EXPECT_EQ(waker_.alive(), 0);
}

TEST_F(TimeoutTest, Nests) {
  auto timeout =
      Timeout(Timeout(Gate<int>(&ready_, &alive_, 7), absl::Seconds(1)), absl::Milliseconds(10));
  EXPECT_TRUE(PollOnce(timeout, waker_).pending());
  EXPECT_EQ(timers_.size(), 2u);
  Advance(absl::Milliseconds(10));
  auto result = PollOnce(timeout, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_TRUE(absl::IsDeadlineExceeded((*result).status()));
  EXPECT_EQ(timers_.size(), 0u);
}

// A future that uses up its budget in every poll is timed out nevertheless.
TEST_F(TimeoutTest, DeadlineNeedsNoBudget) {
  auto timeout = Timeout(Gate<int>(&ready_, &alive_, 7), absl::Milliseconds(10));
  const Waker waker = waker_.Make();
  Turn turn;
  Context cx(waker, &turn);
  EXPECT_TRUE(timeout.Poll(cx).pending());
  Advance(absl::Milliseconds(10));
  EXPECT_TRUE(timeout.Poll(cx).ready());
}

TEST_F(TimeoutTest, IsAStageOfAPipe) {
  auto quick = Ready(1) | Timeout(absl::Seconds(1)) |
               Map([](absl::StatusOr<int> x) { return x.value() + 1; });
  EXPECT_EQ(*PollOnce(quick), 2);
  auto slow = PendingForever<int>() | Map([](int x) { return x; }) | Timeout(absl::ZeroDuration());
  EXPECT_EQ((*PollOnce(slow)).status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace home
