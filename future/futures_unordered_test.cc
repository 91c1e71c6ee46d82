// FuturesUnordered, FuturesOrdered, JoinAll, TryJoinAll and SelectAll: what they
// yield, whom they poll, whom they cancel.

#include "home/future/futures_unordered.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/join_all.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::CountingWaker;
using testing::Manual;
using testing::ManualState;
using testing::PollOnce;

// Polls a set for its next value, once.
template <typename Set>
auto PollNextOnce(Set& set, CountingWaker& counter) {
  const Waker waker = counter.Make();
  Context cx(waker);
  return set.PollNext(cx);
}

// Throws at poll number `polls`.
class ThrowingAt {
 public:
  using Output = int;
  explicit ThrowingAt(int polls) : polls_(polls) {}
  home::Poll<int> Poll(Context& cx) {
    if (--polls_ <= 0) throw std::runtime_error("thrown");
    cx.waker().WakeByRef();
    return kPending;
  }

 private:
  int polls_;
};

TEST(FuturesUnorderedTest, YieldsValuesAsTheyAreReady) {
  CountingWaker counter;
  std::vector<ManualState> states(3);
  FuturesUnordered<Manual<int>> set;
  for (int i = 0; i < 3; ++i) set.Push(Manual<int>(&states[i], i));
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  EXPECT_EQ(set.size(), 3u);
  states[2].Set();
  EXPECT_EQ(counter.wakes(), 1);
  auto first = PollNextOnce(set, counter);
  ASSERT_TRUE(first.ready());
  EXPECT_EQ(**first, 2);
  EXPECT_EQ(states[2].alive, 0);
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  states[0].Set();
  states[1].Set();
  EXPECT_EQ(**PollNextOnce(set, counter), 0);
  EXPECT_EQ(**PollNextOnce(set, counter), 1);
  auto end = PollNextOnce(set, counter);
  ASSERT_TRUE(end.ready());
  EXPECT_EQ(*end, std::nullopt);
}

TEST(FuturesUnorderedTest, GoesOnAfterItWasEmpty) {
  CountingWaker counter;
  FuturesUnordered<ReadyFuture<std::unique_ptr<int>>> set;
  EXPECT_EQ(*PollNextOnce(set, counter), std::nullopt);
  set.Push(Ready(std::make_unique<int>(1)));
  auto value = PollNextOnce(set, counter);
  EXPECT_EQ(***value, 1);
  EXPECT_EQ(*PollNextOnce(set, counter), std::nullopt);
}

TEST(FuturesUnorderedTest, ManyWakesOfOneChildAreOnePoll) {
  CountingWaker counter;
  ManualState state;
  FuturesUnordered<Manual<int>> set;
  set.Push(Manual<int>(&state, 1));
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  for (int i = 0; i < 5; ++i) state.waker.WakeByRef();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  EXPECT_EQ(state.polls, 2);
}

TEST(FuturesUnorderedTest, ChildrenThatAlwaysWakeThemselvesDoNotHoldThePoll) {
  CountingWaker counter;
  int polls = 0;
  const auto spinning = [&polls] {
    return PollFn([&polls](Context& cx) -> Poll<int> {
      ++polls;
      cx.waker().WakeByRef();
      return kPending;
    });
  };
  FuturesUnordered<decltype(spinning())> set;
  for (int i = 0; i < 10; ++i) set.Push(spinning());
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  EXPECT_LE(polls, 20);
  EXPECT_GE(counter.wakes(), 1);
  const int before = polls;
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  EXPECT_GE(polls, before + 10);
}

TEST(FuturesUnorderedTest, StopsWhenTheBudgetIsUsedUp) {
  CountingWaker counter;
  int polls = 0;
  const auto spending = [&polls] {
    return PollFn([&polls](Context& cx) -> Poll<int> {
      ++polls;
      if (!cx.ConsumeBudget()) return kPending;
      return 1;
    });
  };
  FuturesUnordered<decltype(spending())> set;
  for (int i = 0; i < 100; ++i) set.Push(spending());
  const Waker waker = counter.Make();
  int taken = 0;
  for (int turns = 0; turns < 9; ++turns) {
    Turn turn{.budget = 10};
    Context cx(waker, &turn);
    const int wakes = counter.wakes();
    while (set.PollNext(cx).ready()) ++taken;
    EXPECT_EQ(taken, 10 * (turns + 1));
    EXPECT_TRUE(turn.budget_exhausted);
    EXPECT_GT(counter.wakes(), wakes);
  }
  EXPECT_EQ(polls, 90);
}

TEST(FuturesUnorderedTest, DroppingItCancelsTheChildren) {
  CountingWaker counter;
  std::vector<ManualState> states(3);
  {
    FuturesUnordered<Manual<int>> set;
    for (ManualState& state : states) set.Push(Manual<int>(&state, 1));
    EXPECT_TRUE(PollNextOnce(set, counter).pending());
    states[1].waker.WakeByRef();
  }
  for (const ManualState& state : states) EXPECT_EQ(state.alive, 0);
  EXPECT_EQ(counter.alive(), 0);
}

TEST(FuturesUnorderedTest, MovesWhileItsChildrenWait) {
  CountingWaker counter;
  ManualState state;
  FuturesUnordered<Manual<int>> set;
  set.Push(Manual<int>(&state, 5));
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  FuturesUnordered<Manual<int>> moved = std::move(set);
  state.Set();
  EXPECT_EQ(**PollNextOnce(moved, counter), 5);
}

TEST(FuturesUnorderedTest, AChildThatThrowsIsGoneAndTheOthersAreNot) {
  CountingWaker counter;
  FuturesUnordered<ThrowingAt> set;
  set.Push(ThrowingAt(1));
  set.Push(ThrowingAt(1));
  EXPECT_THROW(static_cast<void>(PollNextOnce(set, counter)), std::runtime_error);
  EXPECT_EQ(set.size(), 1u);
  EXPECT_THROW(static_cast<void>(PollNextOnce(set, counter)), std::runtime_error);
  EXPECT_EQ(*PollNextOnce(set, counter), std::nullopt);
}

class alignas(64) Aligned {
 public:
  using Output = bool;
  Aligned() = default;
  home::Poll<bool> Poll(Context&) { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
};
TEST(FuturesUnorderedTest, RespectsAlignment) {
  CountingWaker counter;
  FuturesUnordered<Aligned> set;
  set.Push(Aligned());
  EXPECT_TRUE(**PollNextOnce(set, counter));
}

Async<int> SumOf(int count) {
  FuturesUnordered<Async<int>> set;
  const auto one = [](int i) -> Async<int> {
    co_await Countdown(2, 0);
    co_return i;
  };
  for (int i = 1; i <= count; ++i) set.Push(one(i));
  int sum = 0;
  std::optional<int> value = co_await Next(set);
  while (value.has_value()) {
    sum += *value;
    value = co_await Next(set);
  }
  co_return sum;
}
TEST(FuturesUnorderedTest, IsAStream) {
  static_assert(Stream<FuturesUnordered<Async<int>>>);
  auto future = SumOf(100);
  auto sum = PollOnce(future);
  ASSERT_TRUE(sum.ready());
  EXPECT_EQ(*sum, 5050);
}

TEST(FuturesOrderedTest, YieldsInTheOrderOfThePushes) {
  CountingWaker counter;
  std::vector<ManualState> states(3);
  FuturesOrdered<Manual<int>> set;
  for (int i = 0; i < 3; ++i) set.Push(Manual<int>(&states[i], i));
  states[2].Set();
  states[1].Set();
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  EXPECT_EQ(set.size(), 3u);
  states[0].Set();
  EXPECT_EQ(**PollNextOnce(set, counter), 0);
  ManualState late;
  late.ready = true;
  set.Push(Manual<int>(&late, 3));
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(**PollNextOnce(set, counter), i);
  EXPECT_EQ(*PollNextOnce(set, counter), std::nullopt);
}

// The values that wait lie in a ring, which grows while some of them have been taken,
// others are early, and it has gone round.
TEST(FuturesOrderedTest, KeepsTheOrderWhileItGrowsAndMoves) {
  CountingWaker counter;
  constexpr int kFutures = 100;
  std::vector<ManualState> states(kFutures);
  FuturesOrdered<Manual<std::unique_ptr<int>>> set;
  int pushed = 0;
  int taken = 0;
  const auto push = [&](int count) {
    for (; count > 0; --count, ++pushed) {
      set.Push(Manual(&states[pushed], std::make_unique<int>(pushed)));
    }
  };
  const auto take = [&](int count) {
    for (; count > 0; --count, ++taken) {
      states[taken].Set();
      EXPECT_EQ(***PollNextOnce(set, counter), taken);
    }
  };
  push(6);
  take(5);
  push(6);  // round the end
  // The youngest are early.
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  for (int i = 8; i < 12; ++i) states[i].Set();
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  push(30);  // larger, twice
  EXPECT_EQ(set.size(), 37u);
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  take(20);
  FuturesOrdered<Manual<std::unique_ptr<int>>> moved(std::move(set));
  EXPECT_TRUE(set.empty());  // NOLINT: as a set that is new
  EXPECT_EQ(moved.size(), 17u);
  for (; taken < pushed; ++taken) {
    states[taken].Set();
    EXPECT_EQ(***PollNextOnce(moved, counter), taken);
  }
  EXPECT_FALSE((*PollNextOnce(moved, counter)).has_value());
}

TEST(FuturesOrderedTest, SkipsAChildThatThrew) {
  CountingWaker counter;
  FuturesOrdered<Async<int>> set;
  const auto make = [](int i) -> Async<int> {
    co_await Countdown(i == 0 ? 2 : 1, 0);
    if (i == 1) throw std::runtime_error("thrown");
    co_return i;
  };
  for (int i = 0; i < 3; ++i) set.Push(make(i));
  EXPECT_THROW(static_cast<void>(PollNextOnce(set, counter)), std::runtime_error);
  EXPECT_EQ(**PollNextOnce(set, counter), 0);
  EXPECT_EQ(**PollNextOnce(set, counter), 2);
  EXPECT_EQ(*PollNextOnce(set, counter), std::nullopt);
}

TEST(FuturesOrderedTest, ClearStartsAnew) {
  CountingWaker counter;
  ManualState state;
  FuturesOrdered<Manual<int>> set;
  set.Push(Manual<int>(&state, 1));
  set.Push(Manual<int>(&state, 2));
  EXPECT_TRUE(PollNextOnce(set, counter).pending());
  set.Clear();
  EXPECT_EQ(state.alive, 0);
  EXPECT_TRUE(set.empty());
  state.ready = true;
  set.Push(Manual<int>(&state, 3));
  EXPECT_EQ(**PollNextOnce(set, counter), 3);
}

TEST(JoinAllTest, YieldsAllInOrder) {
  std::vector<Countdown<int>> futures;
  for (int i = 0; i < 5; ++i) futures.emplace_back(5 - i, i);
  auto future = JoinAll(std::move(futures));
  auto ready = PollOnce(future);
  while (ready.pending()) {
    auto again = PollOnce(future);
    if (!again.ready()) continue;
    EXPECT_EQ(*again, (std::vector<int>{0, 1, 2, 3, 4}));
    return;
  }
  FAIL() << "was not pending once";
}

TEST(JoinAllTest, TakesViewsAndVoidAndNothing) {
  auto squares =
      JoinAll(std::views::iota(1, 4) | std::views::transform([](int x) { return Ready(x * x); }));
  EXPECT_EQ(*PollOnce(squares), (std::vector<int>{1, 4, 9}));
  auto nothing = JoinAll(std::vector<ReadyFuture<void>>(3));
  static_assert(std::is_void_v<FutureOutput<decltype(nothing)>>);
  EXPECT_TRUE(PollOnce(nothing).ready());
  auto none = JoinAll(std::vector<Async<int>>());
  EXPECT_TRUE((*PollOnce(none)).empty());
}

// PITFALL 38.
TEST(JoinAllTest, AnExceptionCancelsTheSiblingsBeforeTheirStorageGoes) {
  ManualState state;
  std::vector<Async<int>> futures;
  const auto waiting = [](ManualState* s) -> Async<int> {
    int x = co_await Manual<int>(s, 1);
    co_return x;
  };
  const auto throwing = []() -> Async<int> {
    co_await Countdown(1, 0);
    throw std::runtime_error("thrown");
  };
  futures.push_back(waiting(&state));
  futures.push_back(throwing());
  futures.push_back(waiting(&state));
  auto future = JoinAll(std::move(futures));
  EXPECT_THROW(static_cast<void>(PollOnce(future)), std::runtime_error);
  EXPECT_EQ(state.polls, 1);
  EXPECT_EQ(state.alive, 0);
}

TEST(TryJoinAllTest, YieldsAllOrTheFirstError) {
  using IntOr = absl::StatusOr<int>;
  std::vector<ReadyFuture<IntOr>> good;
  for (int i = 0; i < 3; ++i) good.push_back(Ready(IntOr(i)));
  auto all = TryJoinAll(std::move(good));
  EXPECT_EQ((*PollOnce(all)).value(), (std::vector<int>{0, 1, 2}));

  int cancelled = 0;
  std::vector<Countdown<IntOr>> bad;
  bad.emplace_back(9, 1, &cancelled);
  bad.emplace_back(1, absl::DataLossError("broken"));
  bad.emplace_back(9, 1, &cancelled);
  auto failed = TryJoinAll(std::move(bad));
  auto result = PollOnce(failed);
  ASSERT_TRUE(result.ready());
  EXPECT_EQ((*result).status(), absl::DataLossError("broken"));
  EXPECT_EQ(cancelled, 2);

  std::vector<ReadyFuture<absl::Status>> statuses(2, Ready(absl::OkStatus()));
  auto ok = TryJoinAll(std::move(statuses));
  EXPECT_TRUE((*PollOnce(ok)).ok());
}

TEST(SelectAllTest, YieldsTheFirstAndCancelsTheOthers) {
  CountingWaker counter;
  std::vector<ManualState> states(3);
  std::vector<Manual<int>> futures;
  for (int i = 0; i < 3; ++i) futures.emplace_back(&states[i], 10 * i);
  auto future = SelectAll(std::move(futures));
  EXPECT_TRUE(PollOnce(future, counter).pending());
  futures.clear();
  states[1].Set();
  auto winner = PollOnce(future, counter);
  ASSERT_TRUE(winner.ready());
  EXPECT_EQ(*winner, std::make_pair(std::size_t{1}, 10));
  for (const ManualState& state : states) EXPECT_EQ(state.alive, 0);
}

// All orders of waking some of them.
TEST(SelectAllTest, BiasedAsksInTheOrderOfTheRange) {
  constexpr std::size_t kChildren = 6;
  std::vector<std::size_t> order(kChildren);
  std::iota(order.begin(), order.end(), 0u);
  do {
    for (std::size_t woken = 1; woken <= kChildren; ++woken) {
      CountingWaker counter;
      std::vector<ManualState> states(kChildren);
      std::vector<Manual<std::size_t>> futures;
      for (std::size_t i = 0; i < kChildren; ++i) futures.emplace_back(&states[i], 10 * i);
      auto future = SelectAllBiased(std::move(futures));
      ASSERT_TRUE(PollOnce(future, counter).pending());
      for (std::size_t i = 0; i < woken; ++i) states[order[i]].Set();
      const std::size_t least = *std::min_element(order.begin(), order.begin() + woken);
      auto winner = PollOnce(future, counter);
      ASSERT_TRUE(winner.ready());
      ASSERT_EQ(*winner, std::make_pair(least, 10 * least));
      // Nothing of those that are ready, too, is lost.
      for (std::size_t i = 0; i < kChildren; ++i) ASSERT_EQ(states[i].polls, i == least ? 2 : 1);
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(SelectAllTest, BiasedPollsInOrderFromTheStart) {
  std::vector<ReadyFuture<int>> ready(3, Ready(1));
  auto first = SelectAllBiased(std::move(ready));
  EXPECT_EQ((*PollOnce(first)).first, 0u);
}

TEST(SelectAllDeathTest, OfNothingIsAMistake) {
  EXPECT_DEATH(static_cast<void>(SelectAll(std::vector<Async<int>>())), "SelectAll of no futures");
}

}  // namespace
}  // namespace home
