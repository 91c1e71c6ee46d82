#include "home/timer/timer_service.h"

#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"
#include "home/timer/clock.h"

namespace home {
namespace {

using home::testing::CountingWaker;

class TimerServiceTest : public ::testing::Test {
 protected:
  // An Instant in `ms` milliseconds from the start.
  Instant In(int ms) const { return start_ + absl::Milliseconds(ms); }

  void Arm(TimerNode& node, Instant deadline, std::size_t shard = 0) {
    timers_.Arm(node, shard, deadline, waker_.Make());
  }

  // Fires what is due now and wakes it; returns how many there were.
  std::size_t Fire() {
    WakeList wakes;
    const std::size_t fired = timers_.FireAllExpired(wakes);
    EXPECT_EQ(wakes.size(), fired);
    wakes.WakeAll();
    return fired;
  }

  CountingWaker waker_;
  PausedClock clock_;
  const Instant start_ = clock_.Now();
  int driver_wakes_ = 0;
  TimerService timers_{2, &clock_, [this] { ++driver_wakes_; }};
};

TEST_F(TimerServiceTest, Init) {
  EXPECT_EQ(timers_.shards(), 2u);
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(timers_.NextDeadline(), Instant::Infinite());
  EXPECT_EQ(Fire(), 0u);
  EXPECT_EQ(timers_.PrepareSleep(), Instant::Infinite());
  timers_.FinishSleep();
}

TEST_F(TimerServiceTest, ScheduleAndAdvance) {
  TimerNode a, b;
  Arm(a, In(10), 0);
  Arm(b, In(20), 1);
  EXPECT_EQ(timers_.size(), 2u);
  EXPECT_EQ(timers_.NextDeadline(), In(10));
  EXPECT_EQ(Fire(), 0u);
  EXPECT_EQ(a.state(), TimerNode::State::kArmed);

  clock_.Advance(absl::Milliseconds(10));
  EXPECT_EQ(Fire(), 1u);
  EXPECT_EQ(waker_.wakes(), 1);
  EXPECT_EQ(a.state(), TimerNode::State::kFired);
  EXPECT_EQ(timers_.NextDeadline(), In(20));

  clock_.Advance(absl::Milliseconds(10));
  EXPECT_EQ(Fire(), 1u);
  EXPECT_EQ(b.state(), TimerNode::State::kFired);
  EXPECT_EQ(timers_.NextDeadline(), Instant::Infinite());
  EXPECT_EQ(waker_.alive(), 0);
}

TEST_F(TimerServiceTest, FiresOneShardOnly) {
  TimerNode a, b;
  Arm(a, In(1), 0);
  Arm(b, In(1), 1);
  WakeList wakes;
  EXPECT_EQ(timers_.FireExpired(1, In(1), wakes), 1u);
  EXPECT_EQ(a.state(), TimerNode::State::kArmed);
  EXPECT_EQ(b.state(), TimerNode::State::kFired);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(timers_.FireExpired(0, wakes), 1u);
  EXPECT_EQ(timers_.FireExpired(0, wakes), 0u);
}

// PITFALL 24: a deadline within a tick fires in the next one, never in its own.
TEST_F(TimerServiceTest, NeverEarlyByATick) {
  for (const absl::Duration fraction :
       {absl::Nanoseconds(1), absl::Microseconds(500), absl::Nanoseconds(999'999)}) {
    const Instant from = clock_.Now();
    TimerNode node;
    Arm(node, from + absl::Milliseconds(3) + fraction);
    clock_.Advance(absl::Milliseconds(3) + fraction - absl::Nanoseconds(1));
    EXPECT_EQ(Fire(), 0u);
    clock_.AdvanceTo(from + absl::Milliseconds(4));
    EXPECT_EQ(Fire(), 1u);
  }
}

// A tick of these is 3,906.25 ns. The driver that sleeps until NextDeadline() finds it due.
TEST_F(TimerServiceTest, HighPrecisionIsNeverEarlyAndLateByATickAtMost) {
  for (const int nanos : {1, 3906, 3907, 7813, 500'000, 999'999, 1'000'000, 260'000'001}) {
    const Instant deadline = clock_.Now() + absl::Nanoseconds(nanos);
    TimerNode node;
    timers_.Arm(node, 0, deadline, waker_.Make(), TimerPrecision::kHigh);
    const Instant next = timers_.NextDeadline();
    EXPECT_GE(next, deadline);
    EXPECT_LE(next, deadline + absl::Nanoseconds(3907));
    clock_.AdvanceTo(next - absl::Nanoseconds(1));
    EXPECT_EQ(Fire(), 0u) << nanos;
    clock_.AdvanceTo(next);
    EXPECT_EQ(Fire(), 1u) << nanos;
  }
}

// A driver that was woken by two timers is not woken by the next one a few microseconds later,
// nor does it sleep for ever.
TEST_F(TimerServiceTest, DenseTimersAreBatched) {
  TimerNode nodes[4];
  const auto arm = [this](TimerNode& node, int micros) {
    timers_.Arm(node, 0, start_ + absl::Microseconds(micros), waker_.Make(), TimerPrecision::kHigh);
  };
  const auto sleep_and_fire = [this] {
    const Instant until = timers_.PrepareSleep();
    timers_.FinishSleep();
    clock_.AdvanceTo(until);
    EXPECT_GE(Fire(), 1u);
    return until;
  };
  arm(nodes[0], 1000);
  arm(nodes[1], 1000);
  arm(nodes[2], 1008);
  arm(nodes[3], 1500);
  EXPECT_EQ(sleep_and_fire(), start_ + absl::Microseconds(1000));
  EXPECT_EQ(sleep_and_fire(), start_ + absl::Microseconds(1150));
  EXPECT_EQ(sleep_and_fire(), start_ + absl::Microseconds(1500));
  EXPECT_EQ(timers_.PrepareSleep(), Instant::Infinite());
  timers_.FinishSleep();
}

TEST_F(TimerServiceTest, LonelyTimersAreNotBatched) {
  TimerNode first, second;
  timers_.Arm(first, 0, start_ + absl::Microseconds(1000), waker_.Make(), TimerPrecision::kHigh);
  timers_.Arm(second, 1, start_ + absl::Microseconds(1125), waker_.Make(), TimerPrecision::kHigh);
  clock_.Advance(absl::Microseconds(1000));
  EXPECT_EQ(Fire(), 1u);
  EXPECT_EQ(timers_.PrepareSleep(), start_ + absl::Microseconds(1125));
  timers_.FinishSleep();
  TimerService::Cancel(second);
}

TEST_F(TimerServiceTest, PastDeadlineFiresAtOnce) {
  TimerNode past, very_past;
  Arm(past, start_ - absl::Seconds(5));
  Arm(very_past, Instant::InfinitePast());
  EXPECT_LE(timers_.NextDeadline(), start_);
  EXPECT_EQ(Fire(), 2u);
}

TEST_F(TimerServiceTest, InfiniteDeadlineNeverFires) {
  TimerNode node;
  Arm(node, Instant::Infinite());
  EXPECT_EQ(timers_.NextDeadline(), Instant::Infinite());
  clock_.Advance(absl::Hours(24 * 365 * 200));
  EXPECT_EQ(Fire(), 0u);
  TimerService::Cancel(node);
  EXPECT_EQ(waker_.alive(), 0);
}

TEST_F(TimerServiceTest, FarDeadlineIsRearmed) {
  TimerNode node;
  const Instant deadline = start_ + absl::Hours(24 * 365 * 10);
  Arm(node, deadline);
  clock_.AdvanceTo(deadline - absl::Milliseconds(1));
  EXPECT_EQ(Fire(), 0u);
  clock_.AdvanceTo(deadline);
  EXPECT_EQ(Fire(), 1u);
}

TEST_F(TimerServiceTest, CancelInEveryState) {
  TimerNode node;
  TimerService::Cancel(node);  // never armed
  Arm(node, In(5));
  TimerService::Cancel(node);  // armed
  EXPECT_EQ(node.state(), TimerNode::State::kIdle);
  EXPECT_EQ(waker_.alive(), 0);
  EXPECT_EQ(timers_.size(), 0u);
  clock_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(Fire(), 0u);
  Arm(node, In(5));
  EXPECT_EQ(Fire(), 1u);
  TimerService::Cancel(node);  // fired
  EXPECT_EQ(node.state(), TimerNode::State::kIdle);
  EXPECT_EQ(waker_.wakes(), 1);
}

TEST_F(TimerServiceTest, UpdateWakerReplacesOnlyADifferentOne) {
  CountingWaker other;
  TimerNode node;
  Arm(node, In(1));
  {
    const Waker same = waker_.Make();
    EXPECT_TRUE(TimerService::UpdateWaker(node, same));
    EXPECT_EQ(waker_.alive(), 2);  // `same` and the node's
    const Waker different = other.Make();
    EXPECT_TRUE(TimerService::UpdateWaker(node, different));
    EXPECT_EQ(waker_.alive(), 1);
    EXPECT_EQ(other.alive(), 2);
  }
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Fire(), 1u);
  EXPECT_EQ(waker_.wakes(), 0);
  EXPECT_EQ(other.wakes(), 1);
  const Waker late = other.Make();
  EXPECT_FALSE(TimerService::UpdateWaker(node, late));
}

TEST_F(TimerServiceTest, ManyDueAtOnceAreBoundedPerCall) {
  constexpr std::size_t kCount = 40'000;
  const std::unique_ptr<TimerNode[]> nodes(new TimerNode[kCount]);
  for (std::size_t i = 0; i < kCount; ++i) Arm(nodes[i], In(1));
  clock_.Advance(absl::Milliseconds(1));
  std::size_t fired = 0;
  int calls = 0;
  while (fired < kCount) {
    // What is left holds the driver back from sleeping.
    EXPECT_LE(timers_.PrepareSleep(), clock_.Now());
    timers_.FinishSleep();
    const std::size_t now = Fire();
    ASSERT_GT(now, 0u);
    fired += now;
    ++calls;
  }
  EXPECT_GT(calls, 1);
  EXPECT_EQ(waker_.wakes(), static_cast<int>(kCount));
  EXPECT_EQ(timers_.PrepareSleep(), Instant::Infinite());
  timers_.FinishSleep();
}

TEST_F(TimerServiceTest, ArmingAnEarlierTimerWakesTheSleepingDriverOnce) {
  TimerNode base, later, earlier, earliest, after;
  Arm(base, In(100));
  EXPECT_EQ(driver_wakes_, 0);  // nobody sleeps
  EXPECT_EQ(timers_.PrepareSleep(), In(100));
  Arm(later, In(200), 1);
  EXPECT_EQ(driver_wakes_, 0);
  Arm(earlier, In(50), 1);
  EXPECT_EQ(driver_wakes_, 1);
  Arm(earliest, In(20), 0);
  EXPECT_EQ(driver_wakes_, 1);  // it is awake already
  timers_.FinishSleep();
  Arm(after, In(10));
  EXPECT_EQ(driver_wakes_, 1);
  EXPECT_EQ(timers_.PrepareSleep(), In(10));
  timers_.FinishSleep();
  for (TimerNode* node : {&base, &later, &earlier, &earliest, &after}) TimerService::Cancel(*node);
}

TEST_F(TimerServiceTest, CancelledDeadlineCostsTheDriverOneLook) {
  TimerNode node, other;
  Arm(other, In(1000));
  Arm(node, In(10));
  TimerService::Cancel(node);
  const Instant until = timers_.PrepareSleep();
  EXPECT_LE(until, In(1000));
  clock_.AdvanceTo(until);
  timers_.FinishSleep();
  EXPECT_EQ(Fire(), 0u);
  EXPECT_GT(timers_.PrepareSleep(), until);
  timers_.FinishSleep();
  TimerService::Cancel(other);
}

TEST_F(TimerServiceTest, ClosedServiceFiresNothingAndLetsOwnersCancel) {
  TimerNode before, after;
  Arm(before, In(1));
  timers_.Close();
  EXPECT_EQ(timers_.PrepareSleep(), Instant::Infinite());
  Arm(after, In(1), 1);
  EXPECT_EQ(driver_wakes_, 0);
  timers_.FinishSleep();
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Fire(), 0u);
  EXPECT_EQ(before.state(), TimerNode::State::kArmed);
  TimerService::Cancel(before);
  TimerService::Cancel(after);
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_EQ(waker_.alive(), 0);
}

// PITFALL 22: the service goes away while an entry still points into it.
TEST(TimerServiceDeathTest, DestroyedWithATimerLeft) {
  EXPECT_DEATH(
      {
        PausedClock clock;
        TimerNode node;
        TimerService timers(1, &clock, [] {});
        timers.Arm(node, 0, clock.Now() + absl::Seconds(1), Waker());
      },
      "destroyed with 1 timers armed");
}

TEST(TimerScopeTest, NestsAndRestores) {
  PausedClock clock;
  TimerService outer(2, &clock, [] {});
  TimerService inner(1, &clock, [] {});
  std::size_t shard = 99;
  EXPECT_EQ(TimerService::Current(), nullptr);
  {
    const TimerScope a(&outer, 1);
    EXPECT_EQ(&TimerService::CurrentOrDie("test", shard), &outer);
    EXPECT_EQ(shard, 1u);
    {
      const TimerScope b(&inner, 0);
      EXPECT_EQ(TimerService::Current(), &inner);
      const TimerScope none(nullptr, 0);
      EXPECT_EQ(TimerService::Current(), nullptr);
    }
    EXPECT_EQ(&TimerService::CurrentOrDie("test", shard), &outer);
    EXPECT_EQ(shard, 1u);
    std::thread([] { EXPECT_EQ(TimerService::Current(), nullptr); }).join();
  }
  EXPECT_EQ(TimerService::Current(), nullptr);
}

TEST(TimerScopeDeathTest, NoScopeDiesWithTheUsersName) {
  std::size_t shard = 0;
  EXPECT_DEATH((void)TimerService::CurrentOrDie("Gadget", shard), "Gadget was polled on a thread");
}

}  // namespace
}  // namespace home
