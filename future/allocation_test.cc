// Proof of what combinators allocate, which is nothing for most: counts calls of the
// global operator new across building, polling and dropping each of them.

#include <array>
#include <coroutine>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/async_function.h"
#include "home/future/awaitable.h"
#include "home/future/box_future.h"
#include "home/future/context.h"
#include "home/future/futures_unordered.h"
#include "home/future/join.h"
#include "home/future/join_all.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/pipe.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/shared_future.h"
#include "home/future/testing.h"
#include "home/future/waker.h"

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

TEST(AllocationTest, StagesThatBoxAndShare) {
  EXPECT_THAT(CountWarm([] { return Countdown(2, 1) | Boxed(); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Countdown(2, 1) | Shared(); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Countdown(2, 1) | Shared() | Boxed(); }), IfRecycled(0));
}

TEST(AllocationTest, AsyncFunctions) {
  const std::array<int, 16> large = {1};
  EXPECT_THAT(CountWarm([&large] {
                AsyncFunction<int(int)> function = [large](int i) {
                  return Countdown(2, large[i]);
                };
                return function(0);
              }),
              IfRecycled(0));
  // Given away: the future keeps the callable.
  EXPECT_THAT(CountWarm([&large] {
                AsyncFunction<int(int)> function = [large](int i) {
                  return Countdown(2, large[i]);
                };
                return std::move(function)(0);
              }),
              IfRecycled(0));
  EXPECT_THAT(CountWarm([] {
                AsyncFunction<int(int)> function = [](int x) { return Countdown(2, x); };
                return std::move(function)(1);
              }),
              IfRecycled(0));
}

Async<IntOr> AwaitTry() {
  int x = co_await Try(Countdown<IntOr>(2, 1));
  co_return x;
}
Async<IntOr> AwaitTryOfAChild() {
  int x = co_await Try(AwaitTry());
  co_return x;
}
Async<IntOr> AwaitTryOfAnError() {
  int x = co_await Try(Countdown<IntOr>(2, absl::CancelledError()));
  co_return x;
}
Async<int> AwaitChildren(int depth) {
  if (depth == 0) {
    int leaf = co_await Countdown(2, 1);
    co_return leaf;
  }
  int x = co_await AwaitChildren(depth - 1);
  co_return x;
}
Async<int> AwaitTuple() {
  std::tuple<Countdown<int>, Countdown<int>> both(Countdown(2, 1), Countdown(3, 2));
  std::tuple<int, int> values = co_await std::move(both);
  co_return std::get<0>(values) + std::get<1>(values);
}

TEST(AllocationTest, WhatACoroutineAwaits) {
  EXPECT_THAT(CountWarm(AwaitTry), IfRecycled(0));
  EXPECT_THAT(CountWarm(AwaitTryOfAChild), IfRecycled(0));
  EXPECT_THAT(CountWarm(AwaitTryOfAnError), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return AwaitChildren(10); }), IfRecycled(0));
  EXPECT_THAT(CountWarm(AwaitTuple), IfRecycled(0));
}

// What another library makes to be awaited: it is resumed by hand.
class Foreign {
 public:
  explicit Foreign(std::coroutine_handle<>& waiting) : waiting_(&waiting) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) const { *waiting_ = handle; }
  int await_resume() const { return 1; }

 private:
  std::coroutine_handle<>* waiting_;
};

TEST(AllocationTest, ForeignAwaitables) {
  std::coroutine_handle<> waiting;
  const auto resume = [&waiting] {
    if (waiting) std::exchange(waiting, nullptr).resume();
  };
  EXPECT_THAT(CountWarm(
                  [&] {
                    resume();  // the one that was dropped while it waited
                    return FromAwaitable(Foreign(waiting));
                  },
                  resume),
              IfRecycled(0));
}

// A set polls a child that wakes itself twice in one poll: these make it wait.
using ThreeInts = std::array<Countdown<int>, 3>;
using ThreeOrs = std::array<Countdown<IntOr>, 3>;
using TwoChecks = std::array<Countdown<absl::Status>, 2>;

ThreeInts Ints() { return {Countdown(4, 1), Countdown(5, 2), Countdown(4, 3)}; }
ThreeOrs Ors() { return {Countdown<IntOr>(4, 1), Countdown<IntOr>(5, 2), Countdown<IntOr>(4, 3)}; }
TwoChecks Checks() { return {Countdown(4, absl::OkStatus()), Countdown(5, absl::OkStatus())}; }
// The same, of no value.
auto Wait() {
  return Map(Countdown(4, 1), [](int) {});
}

Async<int> AwaitRange() {
  ThreeInts futures = Ints();
  std::vector<int> values = co_await std::move(futures);
  co_return values[0];
}

// A JoinAll of values has a vector of those that have come, from its making, and makes
// another for the result. So the three lives take 2 + 1 + 1; the awaited one is made at
// the first poll, so that one that is not polled has none.
TEST(AllocationTest, JoinAllTakesItsVectorsAlone) {
  EXPECT_THAT(CountWarm([] { return JoinAll(Ints()); }), IfRecycled(4));
  EXPECT_THAT(CountWarm([] { return TryJoinAll(Ors()); }), IfRecycled(4));
  EXPECT_THAT(CountWarm(AwaitRange), IfRecycled(3));
  // Without values there is nothing to keep.
  EXPECT_THAT(CountWarm([] { return TryJoinAll(Checks()); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return JoinAll(std::array{Wait(), Wait()}); }), IfRecycled(0));
}

TEST(AllocationTest, SelectAllTakesNothing) {
  EXPECT_THAT(CountWarm([] { return SelectAll(Ints()); }), IfRecycled(0));
}

template <typename Set>
auto Filled() {
  Set set;
  for (int i = 0; i < 5; ++i) set.Push(Countdown(4, i));
  return set;
}

TEST(AllocationTest, SetsThatAreMadeAnew) {
  EXPECT_THAT(CountWarm(Filled<FuturesUnordered<Countdown<int>>>), IfRecycled(0));
  // The ring of each of the three.
  EXPECT_THAT(CountWarm(Filled<FuturesOrdered<Countdown<int>>>), IfRecycled(3));
}

template <typename Set>
void FillAndEmpty(Set& set) {
  const Waker waker;
  Context cx(waker);
  for (int i = 0; i < 20; ++i) set.Push(Countdown(4, i));
  int values = 0;
  while (!set.empty()) {
    if (set.PollNext(cx).ready()) ++values;
  }
  EXPECT_EQ(values, 20);
}

TEST(AllocationTest, AWarmSetTakesNothing) {
  FuturesUnordered<Countdown<int>> unordered;
  EXPECT_THAT(AllocationsOfWarm([&] { FillAndEmpty(unordered); }), IfRecycled(0));
  FuturesOrdered<Countdown<int>> ordered;
  EXPECT_THAT(AllocationsOfWarm([&] { FillAndEmpty(ordered); }), IfRecycled(0));
}

}  // namespace
}  // namespace home
