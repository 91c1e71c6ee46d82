#include "home/timer/hedge.h"

#include <array>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::Manual;
using home::testing::ManualState;
using home::testing::PollAfterReady;
using home::testing::PollOnce;
using IntOr = absl::StatusOr<int>;

class HedgeTest : public testing::PausedTimeTest {
 protected:
  // Attempt i waits for states_[i] and yields answers_[i].
  Manual<IntOr> Next() {
    const std::size_t i = made_++;
    return {&states_[i], answers_[i]};
  }

  std::array<ManualState, 3> states_;
  std::array<IntOr, 3> answers_ = {0, 1, 2};
  std::size_t made_ = 0;
};

TEST_F(HedgeTest, AnAnswerInTimeTakesOneAttempt) {
  auto future = Hedge(absl::Milliseconds(30), [this] { return Next(); });
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(absl::Milliseconds(29));
  states_[0].Set();
  EXPECT_EQ((*PollOnce(future, waker_)).value(), 0);
  EXPECT_EQ(made_, 1u);
  EXPECT_EQ(timers_.size(), 0u);
}

#if !defined(NDEBUG)
TEST_F(HedgeTest, PollAfterReadyNamesIt) {
  EXPECT_DEATH(PollAfterReady(Hedge(absl::Seconds(1), [] { return Ready(IntOr(1)); })),
               "\\(Hedge\\) was polled after");
}
#endif

TEST_F(HedgeTest, TheSecondMayWinAndTheFirstIsCancelled) {
  auto future = Hedge(absl::Milliseconds(30), [this] { return Next(); });
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  Advance(absl::Milliseconds(30));
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  EXPECT_EQ(made_, 2u);
  // No third one.
  Advance(absl::Seconds(1));
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  EXPECT_EQ(made_, 2u);
  states_[1].Set();
  EXPECT_EQ((*PollOnce(future, waker_)).value(), 1);
  EXPECT_EQ(states_[0].alive, 0);
}

TEST_F(HedgeTest, AnErrorStartsTheNextAtOnceAndOthersGoOn) {
  answers_[0] = absl::UnavailableError("first");
  auto future = Hedge<3>(absl::Milliseconds(30), [this] { return Next(); });
  states_[0].ready = true;
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  EXPECT_EQ(made_, 2u);
  Advance(absl::Milliseconds(30));
  EXPECT_TRUE(PollOnce(future, waker_).pending());
  EXPECT_EQ(made_, 3u);
  // One of two fails: the other one is waited for.
  answers_[1] = absl::UnavailableError("second");
  states_[2].Set();
  EXPECT_EQ((*PollOnce(future, waker_)).value(), 2);
  EXPECT_EQ(states_[1].alive, 0);
}

TEST_F(HedgeTest, YieldsTheLastErrorIfAllFail) {
  answers_ = {absl::UnavailableError("first"), absl::UnavailableError("second"),
              absl::UnavailableError("third")};
  for (ManualState& state : states_) state.ready = true;
  auto future = Hedge<3>(absl::InfiniteDuration(), [this] { return Next(); });
  EXPECT_EQ((*PollOnce(future, waker_)).status(), absl::UnavailableError("third"));
  EXPECT_EQ(made_, 3u);
}

TEST_F(HedgeTest, TakesAnyAnswerOfFuturesThatCanNotFail) {
  auto future = Hedge(absl::ZeroDuration(), [] { return Ready(5); });
  EXPECT_EQ(*PollOnce(future), 5);
}

TEST_F(HedgeTest, DroppingItDropsAllAttempts) {
  {
    auto future = Hedge<3>(absl::ZeroDuration(), [this] { return Next(); });
    EXPECT_TRUE(PollOnce(future, waker_).pending());
    EXPECT_EQ(made_, 3u);
  }
  for (const ManualState& state : states_) EXPECT_EQ(state.alive, 0);
}

}  // namespace
}  // namespace home
