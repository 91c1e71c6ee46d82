// BoxFuture, SharedFuture and AsyncFunction.

#include "home/future/box_future.h"

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_function.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::Manual;
using testing::ManualState;
using testing::PollOnce;

Async<int> After(int polls, int value) {
  co_await Countdown(polls, 0);
  co_return value;
}

TEST(BoxFutureTest, HoldsAnyFuture) {
  std::vector<BoxFuture<int>> futures;
  futures.push_back(Ready(0));
  futures.push_back(After(1, 1));
  futures.push_back(Ready(1) | Map([](int x) { return x + 1; }) | Boxed());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*PollOnce(futures[i]), i);
  BoxFuture<> nothing = Ready();
  EXPECT_TRUE(PollOnce(nothing).ready());
  static_assert(sizeof(BoxFuture<int>) == 2 * sizeof(void*));
}

TEST(BoxFutureTest, MovesAlsoAfterTheFirstPoll) {
  ManualState state;
  BoxFuture<int> boxed = Manual<int>(&state, 3);
  BoxFuture<int> async = After(2, 4);
  EXPECT_TRUE(PollOnce(boxed).pending());
  EXPECT_TRUE(PollOnce(async).pending());
  BoxFuture<int> moved = std::move(boxed);
  BoxFuture<int> moved_async;
  moved_async = std::move(async);
  EXPECT_FALSE(boxed);  // NOLINT: looks at what was moved from
  EXPECT_FALSE(async);  // NOLINT
  state.Set();
  EXPECT_EQ(*PollOnce(moved), 3);
  EXPECT_EQ(*PollOnce(moved_async), 4);
}

TEST(BoxFutureTest, DestroysTheFutureBeforeReadyAndWhenDropped) {
  ManualState state;
  {
    BoxFuture<int> future = Manual<int>(&state, 3);
    EXPECT_TRUE(PollOnce(future).pending());
    EXPECT_EQ(state.alive, 1);
    future = Ready(1);
    EXPECT_EQ(state.alive, 0);
  }
  BoxFuture<int> future = Manual<int>(&state, 3);
  state.ready = true;
  EXPECT_EQ(*PollOnce(future), 3);
  EXPECT_EQ(state.alive, 0);
  EXPECT_FALSE(future);
}

TEST(BoxFutureTest, RespectsAlignment) {
  class alignas(64) Aligned {
   public:
    using Output = bool;
    Aligned() = default;
    home::Poll<bool> Poll(Context&) { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
  };
  BoxFuture<bool> future = Aligned();
  EXPECT_TRUE(*PollOnce(future));
}

// The pattern for virtual functions that is in the header.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;
  virtual BoxFuture<int> Get(int key) = 0;
};
class ConstantStore : public Store {
 public:
  BoxFuture<int> Get(int key) override { return Ready(key + value_); }

 private:
  int value_ = 10;
};
class RemoteStore : public Store {
 public:
  BoxFuture<int> Get(int key) override { return DoGet(key); }

 private:
  Async<int> DoGet(int key) {
    co_await Countdown(2, 0);
    co_return key + value_;
  }
  int value_ = 20;
};
Async<int> Sum(std::vector<std::unique_ptr<Store>> stores) {
  int sum = 0;
  for (const auto& store : stores) {
    int value = co_await store->Get(1);
    sum += value;
  }
  co_return sum;
}
TEST(BoxFutureTest, IsWhatVirtualFunctionsReturn) {
  std::vector<std::unique_ptr<Store>> stores;
  stores.push_back(std::make_unique<ConstantStore>());
  stores.push_back(std::make_unique<RemoteStore>());
  auto future = Sum(std::move(stores));
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), 32);
}

TEST(BoxFutureDeathTest, PollOfAnEmptyOne) {
  BoxFuture<int> empty;
  EXPECT_DEATH(static_cast<void>(PollOnce(empty)), "BoxFuture that is empty or finished");
  BoxFuture<int> finished = Ready(1);
  EXPECT_EQ(*PollOnce(finished), 1);
  EXPECT_DEATH(static_cast<void>(PollOnce(finished)), "BoxFuture that is empty or finished");
}

TEST(AsyncFunctionTest, CallsWhatItHolds) {
  AsyncFunction<int(int)> function = [](int x) { return Ready(x + 1); };
  auto first = function(1);
  EXPECT_EQ(*PollOnce(first), 2);
  function = [](int x) { return After(2, 10 * x); };
  auto second = function(2);
  EXPECT_TRUE(PollOnce(second).pending());
  EXPECT_EQ(*PollOnce(second), 20);
}

TEST(AsyncFunctionTest, ALambdaCoroutineUsesItsCaptures) {
  AsyncFunction<std::string(std::string)> greet =
      [greeting = std::string("a greeting longer than any small buffer: ")](
          std::string name) -> Async<std::string> {
    co_await Countdown(2, 0);
    co_return greeting + name;
  };
  auto moved = std::move(greet);
  auto future = moved("you");
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_EQ(*PollOnce(future), "a greeting longer than any small buffer: you");
}

TEST(AsyncFunctionTest, AnRvalueGivesTheCallableToTheFuture) {
  const auto make = [] {
    AsyncFunction<int(int)> function = [box = std::make_unique<int>(5)](int x) -> Async<int> {
      co_await Countdown(2, 0);
      co_return x + *box;
    };
    return std::move(function)(1);
  };
  auto future = make();
  EXPECT_TRUE(PollOnce(future).pending());
  auto moved = std::move(future);
  EXPECT_EQ(*PollOnce(moved), 6);
}

TEST(AsyncFunctionTest, HoldsMoveOnlySmallAndLargeCallables) {
  auto counter = std::make_shared<int>(0);
  struct Large {
    std::shared_ptr<int> counter;
    char bytes[100] = {};
  };
  {
    AsyncFunction<void()> small = [counter] {
      ++*counter;
      return Ready();
    };
    AsyncFunction<void()> large = [large = Large{counter}] {
      ++*large.counter;
      return Ready();
    };
    EXPECT_EQ(counter.use_count(), 3);
    auto moved_small = std::move(small);
    auto moved_large = std::move(large);
    EXPECT_FALSE(small);  // NOLINT: looks at what was moved from
    EXPECT_FALSE(large);  // NOLINT
    auto one = moved_small();
    auto two = moved_large();
    EXPECT_TRUE(PollOnce(one).ready());
    EXPECT_TRUE(PollOnce(two).ready());
    EXPECT_EQ(*counter, 2);
    moved_small = std::move(moved_large);
    EXPECT_EQ(counter.use_count(), 2);
  }
  EXPECT_EQ(counter.use_count(), 1);
}

TEST(AsyncFunctionTest, PassesReferencesAndMoveOnlyArguments) {
  AsyncFunction<int(std::unique_ptr<int>, int&)> function = [](std::unique_ptr<int> from, int& to) {
    to = *from;
    return Ready(*from);
  };
  int to = 0;
  auto future = function(std::make_unique<int>(8), to);
  EXPECT_EQ(to, 8);
  EXPECT_EQ(*PollOnce(future), 8);
}

TEST(AsyncFunctionDeathTest, CallOfAnEmptyOne) {
  AsyncFunction<int()> empty;
  EXPECT_DEATH(static_cast<void>(empty()), "AsyncFunction that is empty");
}

}  // namespace
}  // namespace home
