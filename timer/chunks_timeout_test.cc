#include "home/timer/chunks_timeout.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::PollNextOnce;
using home::testing::Source;

using Ints = std::vector<int>;
constexpr absl::Duration kLimit = absl::Milliseconds(10);

class ChunksTimeoutTest : public testing::PausedTimeTest {
 protected:
  Source source_;
};

TEST_F(ChunksTimeoutTest, AFullChunkDoesNotWait) {
  auto stream = ChunksTimeout(source_.Stream(), 2, kLimit);
  for (int i = 1; i <= 4; ++i) source_.Give(i);
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{1, 2}));
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{3, 4}));
  EXPECT_EQ(timers_.size(), 0u);
}

TEST_F(ChunksTimeoutTest, AnItemWaitsForTheLimitAtMost) {
  auto stream = source_.Stream() | ChunksTimeout(3, kLimit);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  EXPECT_EQ(timers_.size(), 0u);
  Advance(absl::Seconds(1));
  source_.Give(1);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  Advance(absl::Milliseconds(9));
  // The second item does not start the time anew.
  source_.Give(2);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  const int wakes = waker_.wakes();
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(waker_.wakes(), wakes + 1);
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{1, 2}));
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
}

TEST_F(ChunksTimeoutTest, TheNextChunkHasItsOwnTime) {
  auto stream = ChunksTimeout(source_.Stream(), 2, kLimit);
  source_.Give(1);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  Advance(absl::Milliseconds(9));
  source_.Give(2);
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{1, 2}));
  source_.Give(3);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  Advance(absl::Milliseconds(9));
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{3}));
}

TEST_F(ChunksTimeoutTest, TheEndGivesWhatIsLeftAtOnce) {
  auto stream = ChunksTimeout(source_.Stream(), 2, kLimit);
  source_.Give(1);
  source_.End();
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{1}));
  EXPECT_FALSE((*PollNextOnce(stream, waker_)).has_value());
  EXPECT_FALSE((*PollNextOnce(stream, waker_)).has_value());
}

TEST_F(ChunksTimeoutTest, NoTimeGivesWhatIsReadyTogether) {
  for (const absl::Duration duration : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    Source source;
    auto stream = ChunksTimeout(source.Stream(), 10, duration);
    EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
    source.Give(1);
    source.Give(2);
    EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{1, 2}));
  }
}

TEST_F(ChunksTimeoutTest, InfiniteTimeWaitsForFullChunks) {
  auto stream = ChunksTimeout(source_.Stream(), 2, absl::InfiniteDuration());
  source_.Give(1);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  Advance(absl::Hours(1000));
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  source_.Give(2);
  EXPECT_EQ(**PollNextOnce(stream, waker_), (Ints{1, 2}));
}

// The stream answers Pending because the budget is used up.
TEST_F(ChunksTimeoutTest, AStreamWithoutBudgetDoesNotHoldBackTheDeadline) {
  auto stream = ChunksTimeout(source_.Stream(), 2, kLimit);
  source_.Give(1);
  EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
  Advance(kLimit);
  const Waker waker = waker_.Make();
  Turn turn;
  Context cx(waker, &turn);
  EXPECT_EQ(**stream.PollNext(cx), (Ints{1}));
}

TEST_F(ChunksTimeoutTest, DroppingItCancelsTheTimerAndTheStream) {
  {
    auto stream = ChunksTimeout(source_.Stream(), 2, kLimit);
    source_.Give(1);
    EXPECT_TRUE(PollNextOnce(stream, waker_).pending());
    EXPECT_EQ(timers_.size(), 1u);
  }
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_FALSE(source_.has_waker());
  EXPECT_EQ(waker_.alive(), 0);
}

using ChunksTimeoutDeathTest = ChunksTimeoutTest;

TEST_F(ChunksTimeoutDeathTest, ChunksOfNothingAreNamed) {
  EXPECT_DEATH(static_cast<void>(ChunksTimeout(source_.Stream(), 0, kLimit)),
               "ChunksTimeout of no items");
}

}  // namespace
}  // namespace home
