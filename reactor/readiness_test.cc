#include "home/reactor/readiness.h"

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/testing.h"

namespace home::reactor_internal {
namespace {

using home::testing::CountingWaker;

constexpr ReadySet kReadable(ReadySet::kReadable);

// One poll with `counter`'s waker.
template <typename R>
home::Poll<ReadyEvent> PollWith(R& readiness, CountingWaker& counter) {
  const Waker waker = counter.Make();
  Context cx(waker);
  return readiness.PollReady(cx);
}

// Reports an edge and wakes, as the dispatcher does.
template <typename R>
bool ReportAndWake(R& readiness, std::uint32_t generation, ReadySet ready) {
  Waker waker;
  const bool live = readiness.Report(generation, ready, &waker);
  std::move(waker).Wake();
  return live;
}

TEST(ReadinessTest, AnEdgeIsRememberedUntilItIsCleared) {
  Readiness readiness;
  CountingWaker counter;
  EXPECT_TRUE(ReportAndWake(readiness, 0, kReadable));
  home::Poll<ReadyEvent> first = PollWith(readiness, counter);
  ASSERT_TRUE(first.ready());
  EXPECT_TRUE((*first).ready.readable());
  EXPECT_TRUE(PollWith(readiness, counter).ready());
  readiness.Clear(*first);
  EXPECT_TRUE(PollWith(readiness, counter).pending());
  EXPECT_EQ(counter.alive(), 1);
  EXPECT_TRUE(ReportAndWake(readiness, 0, kReadable));
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_TRUE(PollWith(readiness, counter).ready());
}

TEST(ReadinessTest, InitialReadinessIsBelieved) {
  Readiness readiness;
  EXPECT_FALSE(readiness.Reset(7, kReadable));
  EXPECT_TRUE(readiness.Current().ready.readable());
}

TEST(ReadinessTest, ConditionsAddUp) {
  Readiness readiness;
  ReportAndWake(readiness, 0, kReadable);
  ReportAndWake(readiness, 0, ReadySet(ReadySet::kReadClosed));
  EXPECT_EQ(readiness.Current().ready, ReadySet(ReadySet::kReadable | ReadySet::kReadClosed));
}

// Pitfall: a "would block" that is seen late clears the edge that came after.
TEST(ReadinessTest, LateWouldBlockDoesNotClearANewerEdge) {
  Readiness readiness;
  ReportAndWake(readiness, 0, kReadable);
  const ReadyEvent seen = readiness.Current();
  ReportAndWake(readiness, 0, kReadable);
  readiness.Clear(seen);
  EXPECT_TRUE(readiness.Current().ready.readable());
  readiness.Clear(readiness.Current());
  EXPECT_TRUE(readiness.Current().ready.empty());
}

// Pitfall: the tick wraps, and a late "would block" looks timely. Two bits show
// what the width protects against: three edges are told apart, four are not.
TEST(ReadinessTest, TwoBitTickSurvivesThreeEdgesAndNotFour) {
  for (const int edges : {1, 2, 3, 4}) {
    BasicReadiness<2> narrow;
    BasicReadiness<> wide;
    ReportAndWake(narrow, 0, kReadable);
    ReportAndWake(wide, 0, kReadable);
    const ReadyEvent seen_narrow = narrow.Current();
    const ReadyEvent seen_wide = wide.Current();
    for (int i = 0; i < edges; ++i) {
      ReportAndWake(narrow, 0, kReadable);
      ReportAndWake(wide, 0, kReadable);
    }
    narrow.Clear(seen_narrow);
    wide.Clear(seen_wide);
    EXPECT_EQ(narrow.Current().ready.readable(), edges < 4) << edges;
    EXPECT_TRUE(wide.Current().ready.readable()) << edges;
  }
}

TEST(ReadinessTest, TickWrapsWithoutTouchingItsNeighbours) {
  BasicReadiness<2> readiness;
  EXPECT_FALSE(readiness.Reset(41, ReadySet()));
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(ReportAndWake(readiness, 41, kReadable));
    EXPECT_EQ(readiness.Current().tick, static_cast<std::uint32_t>(i + 1) % 4);
    readiness.Clear(readiness.Current());
    EXPECT_TRUE(readiness.Current().ready.empty());
  }
  EXPECT_FALSE(ReportAndWake(readiness, 42, kReadable));
}

// Pitfall: an event of an old registration is taken for one of the new.
TEST(ReadinessTest, EdgeOfAnotherGenerationIsIgnored) {
  Readiness readiness;
  CountingWaker counter;
  EXPECT_FALSE(readiness.Reset(5, ReadySet()));
  EXPECT_TRUE(PollWith(readiness, counter).pending());
  EXPECT_FALSE(ReportAndWake(readiness, 4, kReadable));
  EXPECT_FALSE(ReportAndWake(readiness, 6, kReadable));
  EXPECT_EQ(counter.wakes(), 0);
  EXPECT_TRUE(ReportAndWake(readiness, 5, kReadable));
  EXPECT_EQ(counter.wakes(), 1);
}

TEST(ReadinessTest, GenerationWrapsFromItsMaximum) {
  Readiness readiness;
  EXPECT_FALSE(readiness.Reset(UINT32_MAX, ReadySet()));
  EXPECT_TRUE(ReportAndWake(readiness, UINT32_MAX, kReadable));
  EXPECT_FALSE(readiness.Reset(0, ReadySet()));
  EXPECT_FALSE(ReportAndWake(readiness, UINT32_MAX, kReadable));
  EXPECT_TRUE(ReportAndWake(readiness, 0, kReadable));
}

TEST(ReadinessTest, TheLastPollsWakerIsWoken) {
  Readiness readiness;
  CountingWaker first;
  CountingWaker second;
  EXPECT_TRUE(PollWith(readiness, first).pending());
  EXPECT_TRUE(PollWith(readiness, first).pending());
  EXPECT_EQ(first.alive(), 1);
  EXPECT_TRUE(PollWith(readiness, second).pending());
  EXPECT_EQ(first.alive(), 0);
  ReportAndWake(readiness, 0, kReadable);
  EXPECT_EQ(first.wakes(), 0);
  EXPECT_EQ(second.wakes(), 1);
}

TEST(ReadinessTest, DisarmGivesTheWakerBack) {
  Readiness readiness;
  CountingWaker counter;
  EXPECT_TRUE(PollWith(readiness, counter).pending());
  {
    const Waker taken = readiness.Disarm();
    EXPECT_TRUE(taken);
    EXPECT_FALSE(readiness.Disarm());
  }
  EXPECT_EQ(counter.alive(), 0);
  ReportAndWake(readiness, 0, kReadable);
  EXPECT_EQ(counter.wakes(), 0);
}

TEST(ReadinessTest, ResetGivesBackWhatTheLastOwnerLeft) {
  Readiness readiness;
  CountingWaker counter;
  EXPECT_TRUE(PollWith(readiness, counter).pending());
  EXPECT_TRUE(readiness.Reset(1, ReadySet()));
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_EQ(counter.wakes(), 0);
  EXPECT_TRUE(PollWith(readiness, counter).pending());
  ReportAndWake(readiness, 1, kReadable);
  EXPECT_EQ(counter.wakes(), 1);
}

TEST(ReadinessTest, ShutdownCannotBeCleared) {
  Readiness readiness;
  ReportAndWake(readiness, 0, ReadySet(ReadySet::kShutdown | ReadySet::kReadable));
  readiness.Clear(readiness.Current());
  EXPECT_EQ(readiness.Current().ready, ReadySet(ReadySet::kShutdown));
}

// A waker that runs the test's code when it is cloned, woken or dropped.
struct HostileWaker : WakerTarget {
  HostileWaker();

  std::function<void()> on_clone = [] {};
  std::function<void()> on_drop = [] {};
  int alive = 0;

  Waker Make();
};

HostileWaker* Hostile(WakerTarget* target) { return static_cast<HostileWaker*>(target); }

constexpr WakerVTable kHostile = {
    .clone =
        [](WakerTarget* target) {
          ++Hostile(target)->alive;
          Hostile(target)->on_clone();
          return target;
        },
    .wake = [](WakerTarget* target) { --Hostile(target)->alive; },
    .wake_by_ref = [](WakerTarget*) {},
    .drop =
        [](WakerTarget* target) {
          --Hostile(target)->alive;
          Hostile(target)->on_drop();
        },
};

HostileWaker::HostileWaker() : WakerTarget(&kHostile) {}

Waker HostileWaker::Make() {
  ++alive;
  return Waker(this);
}

TEST(ReadinessTest, EdgeWhileTheWakerIsClonedIsNotLost) {
  Readiness readiness;
  HostileWaker hostile;
  hostile.on_clone = [&] { ReportAndWake(readiness, 0, kReadable); };
  {
    const Waker waker = hostile.Make();
    Context cx(waker);
    EXPECT_TRUE(readiness.PollReady(cx).ready());
  }
  EXPECT_EQ(hostile.alive, 0);
}

TEST(ReadinessTest, EdgeWhileTheOldWakerIsDroppedWakesTheNewOne) {
  Readiness readiness;
  HostileWaker hostile;
  CountingWaker counter;
  {
    const Waker waker = hostile.Make();
    Context cx(waker);
    EXPECT_TRUE(readiness.PollReady(cx).pending());
  }
  hostile.on_drop = [&] { ReportAndWake(readiness, 0, kReadable); };
  EXPECT_TRUE(PollWith(readiness, counter).pending());
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_EQ(hostile.alive, 0);
}

}  // namespace
}  // namespace home::reactor_internal
