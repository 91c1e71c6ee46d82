// Ready, PendingForever, PollFn, Lazy, Map, Then, Join and Select.

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/join.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::CountingWaker;
using testing::PollOnce;

class Throwing {
 public:
  using Output = int;
  Throwing() = default;
  home::Poll<int> Poll(Context&) { throw std::runtime_error("thrown"); }
};

TEST(FutureTest, Ready) {
  auto future = Ready(std::string("value"));
  EXPECT_EQ(*PollOnce(future), "value");
  auto nothing = Ready();
  EXPECT_TRUE(PollOnce(nothing).ready());
}

TEST(FutureTest, Pending) {
  PendingForever<int> future;
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_EQ(counter.alive(), 0);
}

TEST(FutureTest, PollFnPollsTheFunction) {
  int polls = 0;
  auto future = PollFn([&polls](Context&) -> Poll<int> {
    if (++polls < 3) return kPending;
    return polls;
  });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), 3);
}

TEST(FutureTest, LazyCallsNothingBeforeTheFirstPoll) {
  int calls = 0;
  auto future = Lazy([&calls] {
    ++calls;
    return Ready(calls);
  });
  auto moved = std::move(future);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(*PollOnce(moved), 1);
}

TEST(FutureTest, LazyKeepsTheCapturesOfALambdaCoroutineAlive) {
  auto make = [] {
    auto text = std::make_unique<std::string>("captured");
    return Lazy([text = std::move(text)]() -> Async<std::string> {
      co_await Countdown(2, 0);
      co_return *text;
    });
  };
  auto future = make();
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), "captured");
}

TEST(FutureTest, Map) {
  auto future = Map(Countdown(2, 20), [](int x) { return std::to_string(x + 1); });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), "21");
  bool called = false;
  auto nothing = Map(Ready(), [&called] { called = true; });
  EXPECT_TRUE(PollOnce(nothing).ready());
  EXPECT_TRUE(called);
}

TEST(FutureTest, AndThen) {
  auto future = Then(Countdown(2, 1), [](int x) { return Countdown(2, x + 1); });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), 2);
}

TEST(FutureTest, ThenKeepsTheFunctionAliveBesideItsFuture) {
  auto future = Then(Ready(1), [text = std::string("kept")](int x) -> Async<std::string> {
    co_await Countdown(2, 0);
    co_return text + std::to_string(x);
  });
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), "kept1");
}

TEST(FutureTest, Join) {
  auto future = Join(Countdown(1, 1), Countdown(3, 2), Ready());
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_TRUE(PollOnce(future).pending());
  auto ready = PollOnce(future);
  ASSERT_TRUE(ready.ready());
  EXPECT_EQ(*ready, std::make_tuple(1, 2, std::monostate()));
}

TEST(FutureTest, DroppingAJoinCancelsTheUnfinished) {
  int cancelled = 0;
  {
    auto future = Join(Countdown(1, 1, &cancelled), Countdown(3, 2, &cancelled));
    EXPECT_TRUE(PollOnce(future).pending());
  }
  EXPECT_EQ(cancelled, 1);
}

TEST(FutureTest, AnExceptionInJoinCancelsTheSiblingsFirst) {
  int cancelled = 0;
  auto future = Join(Countdown(5, 1, &cancelled), Throwing(), Countdown(5, 1, &cancelled));
  EXPECT_THROW(static_cast<void>(PollOnce(future)), std::runtime_error);
  EXPECT_EQ(cancelled, 2);
}

TEST(FutureTest, SelectFirst) {
  int cancelled = 0;
  auto future = Select(Countdown(5, 1, &cancelled), Countdown(2, 7));
  EXPECT_TRUE(PollOnce(future).pending());
  auto winner = PollOnce(future);
  ASSERT_TRUE(winner.ready());
  EXPECT_EQ((*winner).index(), 1u);
  EXPECT_EQ(std::get<1>(*winner), 7);
  EXPECT_EQ(cancelled, 1);
}

TEST(FutureTest, SelectBiasedPrefersTheFirst) {
  for (int i = 0; i < 20; ++i) {
    auto future = SelectBiased(Ready(1), Ready(2));
    EXPECT_EQ((*PollOnce(future)).index(), 0u);
  }
}

TEST(FutureTest, RaceYieldsTheWinnersValue) {
  int cancelled = 0;
  auto future = Race(Countdown(5, 1, &cancelled), Countdown(2, 7), Countdown(5, 1, &cancelled));
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), 7);
  EXPECT_EQ(cancelled, 2);
  auto nothing = RaceBiased(Ready(), PendingForever<void>());
  EXPECT_TRUE(PollOnce(nothing).ready());
}

TEST(FutureTest, SelectIsFairAmongTheReady) {
  int wins[2] = {0, 0};
  for (int i = 0; i < 4; ++i) {
    // One future polled again and again, so that its generator moves on.
    int polls = 0;
    auto future = Select(PollFn([&polls, &wins](Context&) -> Poll<int> {
                           if (polls++ % 2 == 0) ++wins[0];
                           return kPending;
                         }),
                         PollFn([&polls, &wins](Context&) -> Poll<int> {
                           if (polls++ % 2 == 0) ++wins[1];
                           return kPending;
                         }));
    for (int j = 0; j < 100; ++j) EXPECT_TRUE(PollOnce(future).pending());
  }
  EXPECT_GT(wins[0], 100);
  EXPECT_GT(wins[1], 100);
}

}  // namespace
}  // namespace home
