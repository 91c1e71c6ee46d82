// Proof of what combinators allocate, which is nothing for most: counts calls of the
// global operator new across building, polling and dropping each of them.

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/async_function.h"
#include "home/future/box_future.h"
#include "home/future/futures_unordered.h"
#include "home/future/join.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/shared_future.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::AllocationsOf;
using testing::AllocationsOfWarm;
using testing::Count;
using testing::Countdown;
using testing::CountWarm;
using testing::IfRecycled;
using IntOr = absl::StatusOr<int>;

TEST(AllocationTest, TheCounterCounts) {
  std::string text;
  EXPECT_EQ(AllocationsOf([&text] { text = std::string(1000, 'x'); }), 1u);
  EXPECT_GE(Count([text] { return Countdown(2, text); }), 1u);
}

TEST(AllocationTest, SimpleFutures) {
  EXPECT_EQ(Count([] { return Countdown(2, 1); }), 0u);
  EXPECT_EQ(Count([] {
              int polls = 0;
              return PollFn([polls](Context&) mutable -> Poll<int> {
                if (++polls < 2) return kPending;
                return 1;
              });
            }),
            0u);
  EXPECT_EQ(Count([] { return Lazy([] { return Countdown(2, 1); }); }), 0u);
  EXPECT_EQ(Count([] { return Then(Ready(), [] { return Countdown(2, 1); }); }), 0u);
}

TEST(AllocationTest, MapThenInspect) {
  const auto inc = [](int x) { return x + 1; };
  EXPECT_EQ(Count([&] { return Map(Countdown(2, 1), inc); }), 0u);
  EXPECT_EQ(Count([&] { return Inspect(Countdown(2, 1), [](int) {}); }), 0u);
  EXPECT_EQ(Count([] { return Then(Countdown(2, 1), [](int x) { return Countdown(2, x); }); }), 0u);
  EXPECT_EQ(Count([&] { return Countdown(2, 1) | Map(inc) | Inspect([](int) {}) | Map(inc); }), 0u);
}

TEST(AllocationTest, AndThenOrElse) {
  const auto next = [](int x) { return Countdown<IntOr>(2, x); };
  const auto retry = [](const absl::Status&) { return Countdown<IntOr>(2, 1); };
  EXPECT_EQ(Count([&] { return AndThen(Countdown<IntOr>(2, 1), next); }), 0u);
  EXPECT_EQ(Count([&] { return OrElse(Countdown<IntOr>(2, absl::CancelledError()), retry); }), 0u);
  EXPECT_EQ(Count([&] { return Countdown<IntOr>(2, 1) | AndThen(next) | OrElse(retry); }), 0u);
}

TEST(AllocationTest, JoinTryJoin) {
  EXPECT_EQ(Count([] { return Join(Countdown(2, 1), Countdown(3, 2), Ready()); }), 0u);
  EXPECT_EQ(Count([] { return TryJoin(Countdown<IntOr>(2, 1), Ready(absl::OkStatus())); }), 0u);
}

TEST(AllocationTest, SelectRace) {
  EXPECT_EQ(Count([] { return Select(Countdown(2, 1), Countdown(3, 2)); }), 0u);
  EXPECT_EQ(Count([] { return SelectBiased(PendingForever<int>(), Countdown(3, 2)); }), 0u);
  EXPECT_EQ(Count([] { return Race(Countdown(2, 1), PendingForever<int>()); }), 0u);
  EXPECT_EQ(Count([] { return RaceBiased(Countdown(2, 1), PendingForever<int>()); }), 0u);
}

Async<int> Await() {
  int x = co_await Countdown(2, 1);
  co_return x;
}

// What takes a block takes it from the recycling cache, and once that is warm
// nothing comes from operator new.
TEST(AllocationTest, WhatTakesABlockRecyclesIt) {
  EXPECT_THAT(CountWarm(Await), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return BoxFuture<int>(Await()); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return BoxFuture<int>(Countdown(2, 1)); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Shared(Countdown(2, 1)); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] {
                AsyncFunction<int(int)> function = [](int x) { return Countdown(2, x); };
                return function(1);
              }),
              IfRecycled(0));
}

TEST(AllocationTest, AWarmSetTakesNothing) {
  const Waker waker;
  Context cx(waker);
  FuturesUnordered<Countdown<int>> set;
  const auto round = [&] {
    for (int i = 0; i < 20; ++i) set.Push(Countdown(2, i));
    int values = 0;
    while (!set.empty()) {
      if (set.PollNext(cx).ready()) ++values;
    }
    EXPECT_EQ(values, 20);
  };
  EXPECT_THAT(AllocationsOfWarm(round), IfRecycled(0));
}

}  // namespace
}  // namespace home
