// What an Async may yield and await: references, nothing, what can only be
// moved, tuples of futures.

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_testing.h"
#include "home/future/join.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Gate;
using testing::PollOnce;

Async<std::string&> Same(std::string& text) { co_return text; }
Async<const std::string&> SameConst(const std::string& text) { co_return text; }

TEST(AsyncValuesTest, AReferenceIsTheObjectItself) {
  std::string text = "a";
  Async<std::string&> future = Same(text);
  Poll<std::string&> polled = PollOnce(future);
  ASSERT_TRUE(polled.ready());
  EXPECT_EQ(&*polled, &text);
}

TEST(AsyncValuesTest, AReferencePassesThroughAwaitsOfEveryKind) {
  std::string text = "a";
  auto body = [](std::string& object) -> Async<std::string*> {
    std::string& child = co_await Same(object);
    child += "b";
    Async<const std::string&> named = SameConst(object);
    const std::string& in_place = co_await named;
    std::string* result = &child;
    if (&in_place != result) result = nullptr;
    co_return result;
  };
  Async<std::string*> future = body(text);
  EXPECT_EQ(*PollOnce(future), &text);
  EXPECT_EQ(text, "ab");
}

Async<std::string&> AfterGate(Gate& gate, std::string& text) {
  co_await Gate::Wait(gate);
  co_return text;
}

TEST(AsyncValuesTest, AReferenceArrivesAfterAWait) {
  Gate gate;
  std::string text;
  Async<std::string&> future = AfterGate(gate, text);
  EXPECT_TRUE(PollOnce(future).pending());
  gate.Open(0);
  EXPECT_EQ(&*PollOnce(future), &text);
}

// A reference to what a conversion made would dangle: it does not compile.
template <typename T, typename U>
concept Returns =
    requires(async_internal::Promise<T>& promise, U value) { promise.return_value(value); };
static_assert(Returns<const std::string&, std::string>);
static_assert(!Returns<const std::string&, const char*>);
static_assert(Returns<std::string, const char*>);

Async<> Add(std::vector<int>& log, int value) {
  log.push_back(value);
  co_return;
}

TEST(AsyncValuesTest, VoidIsAwaitedAsAChildAndInPlace) {
  std::vector<int> log;
  auto body = [](std::vector<int>& out) -> Async<> {
    co_await Add(out, 1);
    Async<void> named = Add(out, 2);
    co_await named;
    co_await Ready();
  };
  Async<> future = body(log);
  EXPECT_TRUE(PollOnce(future).ready());
  EXPECT_EQ(log, (std::vector<int>{1, 2}));
}

Async<std::unique_ptr<int>> Make(int value) { co_return std::make_unique<int>(value); }

TEST(AsyncValuesTest, MoveOnlyValuesAreAwaitedAsChildrenInPlaceAndAfterAWait) {
  Gate gate;
  auto body = [](Gate& entry) -> Async<std::unique_ptr<int>> {
    std::unique_ptr<int> child = co_await Make(1);
    Async<std::unique_ptr<int>> named = Make(10);
    std::unique_ptr<int> in_place = co_await named;
    int waited = co_await Gate::Wait(entry);
    auto leaf = Ready(std::make_unique<int>(100));
    std::unique_ptr<int> from_leaf = co_await leaf;
    *child += *in_place + *from_leaf + waited;
    co_return child;
  };
  Async<std::unique_ptr<int>> future = body(gate);
  EXPECT_TRUE(PollOnce(future).pending());
  gate.Open(1000);
  Poll<std::unique_ptr<int>> polled = PollOnce(future);
  ASSERT_TRUE(polled.ready());
  EXPECT_EQ(*polled.value(), 1111);
}

Async<int> AddOne(Gate& gate) {
  int value = co_await Gate::Wait(gate);
  co_return value + 1;
}

TEST(AsyncValuesTest, ATupleOfFuturesIsAwaitedAsTheirJoin) {
  Gate left;
  Gate right;
  auto body = [](Gate& a, Gate& b) -> Async<int> {
    auto pair = std::tuple(AddOne(a), AddOne(b), Ready());
    auto [x, y, nothing] = co_await std::move(pair);
    static_cast<void>(nothing);
    co_return 10 * x + y;
  };
  CountingWaker counter;
  Async<int> future = body(left, right);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  EXPECT_TRUE(left.has_waker());
  EXPECT_TRUE(right.has_waker());
  right.Open(2);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  left.Open(3);
  EXPECT_EQ(*PollOnce(future, counter), 43);
}

TEST(AsyncValuesTest, DroppingAnAwaitedTupleCancelsItsFutures) {
  Gate left;
  Gate right;
  {
    auto body = [](Gate& a, Gate& b) -> Async<> {
      auto pair = std::tuple(AddOne(a), AddOne(b));
      auto values = co_await std::move(pair);
      static_cast<void>(values);
    };
    CountingWaker counter;
    Async<> future = body(left, right);
    EXPECT_TRUE(PollOnce(future, counter).pending());
    EXPECT_TRUE(left.has_waker());
  }
  EXPECT_FALSE(left.has_waker());
  EXPECT_FALSE(right.has_waker());
}

TEST(AsyncValuesTest, ARangeOfFuturesIsAwaitedAsTheirJoinAll) {
  std::vector<Gate> gates(3);
  CountingWaker counter;
  auto body = [](std::vector<Gate>& entries) -> Async<std::vector<int>> {
    std::vector<Async<int>> futures;
    for (Gate& gate : entries) futures.push_back(AddOne(gate));
    std::vector<int> values = co_await std::move(futures);
    co_return values;
  };
  Async<std::vector<int>> future = body(gates);
  EXPECT_TRUE(PollOnce(future, counter).pending());
  for (int i : {2, 0, 1}) gates[static_cast<std::size_t>(i)].Open(10 * i);
  EXPECT_EQ(*PollOnce(future, counter), (std::vector<int>{1, 11, 21}));
}

TEST(AsyncValuesTest, ARangeOfVoidYieldsNothing) {
  std::vector<int> log;
  auto body = [](std::vector<int>& out) -> Async<> {
    std::vector<Async<>> futures;
    for (int i = 0; i < 3; ++i) futures.push_back(Add(out, i));
    co_await std::move(futures);
  };
  Async<> future = body(log);
  EXPECT_TRUE(PollOnce(future).ready());
  EXPECT_EQ(log.size(), 3u);
}

}  // namespace
}  // namespace home
