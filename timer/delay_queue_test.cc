#include "home/timer/delay_queue.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/timer/instant.h"
#include "home/timer/testing.h"

namespace home {
namespace {

using home::testing::PollOnce;

static_assert(Stream<DelayQueue<int>>);

class DelayQueueTest : public testing::PausedTimeTest {
 protected:
  // All values that are due; -1 at the end if the queue is empty.
  template <typename Queue>
  std::vector<int> Take(Queue& queue) {
    std::vector<int> values;
    for (;;) {
      auto next = Next(queue);
      auto result = PollOnce(next, waker_);
      if (result.pending()) return values;
      values.push_back(result.value().value_or(-1));
      if (values.back() == -1) return values;
    }
  }
};

using Values = std::vector<int>;

TEST_F(DelayQueueTest, EarliestFirst) {
  DelayQueue<int> queue;
  queue.Push(30, absl::Milliseconds(30));
  queue.Push(10, absl::Milliseconds(10));
  queue.Push(20, absl::Milliseconds(20));
  queue.Push(11, absl::Milliseconds(10));
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(Take(queue), Values{});
  Advance(absl::Milliseconds(9));
  EXPECT_EQ(waker_.wakes(), 0);
  EXPECT_EQ(Take(queue), Values{});
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_EQ(Take(queue), (Values{10, 11}));
  Advance(absl::Seconds(1));
  EXPECT_EQ(Take(queue), (Values{20, 30, -1}));
  EXPECT_TRUE(queue.empty());
}

TEST_F(DelayQueueTest, AnEmptyOneIsAtItsEndAndGoesOn) {
  DelayQueue<int> queue;
  EXPECT_EQ(Take(queue), Values{-1});
  queue.Push(1, absl::ZeroDuration());
  EXPECT_EQ(Take(queue), (Values{1, -1}));
  Advance(absl::Hours(24 * 100));
  queue.Push(2, absl::Milliseconds(1));
  EXPECT_EQ(Take(queue), Values{});
  Advance(absl::Milliseconds(1));
  EXPECT_EQ(Take(queue), (Values{2, -1}));
}

TEST_F(DelayQueueTest, RemovedOnesDoNotComeOut) {
  DelayQueue<std::unique_ptr<int>> queue;
  const auto one = queue.Push(std::make_unique<int>(1), absl::Milliseconds(10));
  const auto two = queue.Push(std::make_unique<int>(2), absl::Milliseconds(20));
  EXPECT_TRUE(queue.Holds(one));
  std::optional<std::unique_ptr<int>> removed = queue.Remove(one);
  ASSERT_TRUE(removed.has_value());
  EXPECT_EQ(**removed, 1);
  EXPECT_FALSE(queue.Holds(one));
  EXPECT_FALSE(queue.Remove(one).has_value());
  Advance(absl::Milliseconds(20));
  auto next = Next(queue);
  auto result = PollOnce(next, waker_);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ(**result.value(), 2);
  EXPECT_FALSE(queue.Holds(two));
}

// A key means one value, not the next one that has its place.
TEST_F(DelayQueueTest, OldKeysMeanNothing) {
  DelayQueue<int> queue;
  const auto old = queue.Push(1, absl::ZeroDuration());
  EXPECT_EQ(Take(queue), (Values{1, -1}));
  const auto fresh = queue.Push(2, absl::Milliseconds(10));
  EXPECT_NE(old, fresh);
  EXPECT_FALSE(queue.Remove(old).has_value());
  EXPECT_FALSE(queue.Reset(old, absl::ZeroDuration()));
  EXPECT_FALSE(queue.Holds(DelayQueue<int>::Key()));
  EXPECT_EQ(Take(queue), Values{});
  EXPECT_TRUE(queue.Holds(fresh));
}

TEST_F(DelayQueueTest, ResetSetsAnotherTime) {
  DelayQueue<int> queue;
  const auto key = queue.Push(1, absl::Milliseconds(10));
  EXPECT_EQ(Take(queue), Values{});
  Advance(absl::Milliseconds(9));
  EXPECT_TRUE(queue.Reset(key, absl::Milliseconds(10)));
  Advance(absl::Milliseconds(9));
  EXPECT_EQ(Take(queue), Values{});
  EXPECT_TRUE(queue.Reset(key, clock_.Now()));
  EXPECT_EQ(Take(queue), (Values{1, -1}));
}

TEST_F(DelayQueueTest, AnEarlierOneAndTheEndWakeWhoWaits) {
  DelayQueue<int> queue;
  const auto far = queue.Push(1, absl::InfiniteDuration());
  EXPECT_EQ(Take(queue), Values{});
  const auto near = queue.Push(2, absl::Milliseconds(10));
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_EQ(Take(queue), Values{});
  queue.Push(3, absl::Milliseconds(20));
  EXPECT_EQ(waker_.wakes(), 1) << "a later one does not";
  Advance(absl::Milliseconds(10));
  EXPECT_EQ(waker_.wakes(), 2);
  EXPECT_EQ(Take(queue), Values{2});
  EXPECT_FALSE(queue.Holds(near));
  Advance(absl::Milliseconds(10));
  EXPECT_EQ(Take(queue), Values{3});
  EXPECT_EQ(waker_.wakes(), 3);
  EXPECT_EQ(*queue.Remove(far), 1);
  EXPECT_EQ(waker_.wakes(), 4);
  EXPECT_EQ(Take(queue), Values{-1});
}

TEST_F(DelayQueueTest, HighPrecisionOrdersWithinAMillisecond) {
  DelayQueue<int> queue(TimerPrecision::kHigh);
  queue.Push(2, absl::Microseconds(900));
  queue.Push(1, absl::Microseconds(300));
  EXPECT_EQ(Take(queue), Values{});
  Advance(absl::Microseconds(304));
  EXPECT_EQ(Take(queue), Values{1});
  Advance(absl::Microseconds(600));
  EXPECT_EQ(Take(queue), (Values{2, -1}));
}

TEST_F(DelayQueueTest, ManyAtOnceSpendTheBudget) {
  constexpr int kValues = 1000;
  DelayQueue<int> queue;
  // From a level above, so that they have to be moved.
  for (int i = 0; i < kValues; ++i) queue.Push(i, absl::Seconds(100) + absl::Microseconds(i));
  Advance(absl::Seconds(101));
  const Waker waker = waker_.Make();
  int taken = 0;
  int turns = 0;
  while (!queue.empty()) {
    Turn turn;
    turn.budget = 16;
    Context cx(waker, &turn);
    ++turns;
    while (queue.PollNext(cx).ready() && !queue.empty()) ++taken;
  }
  EXPECT_EQ(taken, kValues - 1);
  EXPECT_GE(turns, kValues / 16);
}

TEST_F(DelayQueueTest, DestroyedWithValuesAndAWaiter) {
  auto shared = std::make_shared<int>(1);
  {
    DelayQueue<std::shared_ptr<int>> queue;
    queue.Push(shared, absl::Milliseconds(10));
    auto next = Next(queue);
    EXPECT_TRUE(PollOnce(next, waker_).pending());
  }
  EXPECT_EQ(shared.use_count(), 1);
  EXPECT_EQ(waker_.alive(), 0);
  EXPECT_EQ(timers_.size(), 0u);
}

}  // namespace
}  // namespace home
