#include "home/future/async_generator.h"

#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_testing.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/stream.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Gate;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Tracked;

AsyncGenerator<int> Count(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}

TEST(AsyncGeneratorTest, GivesItsItemsAndThenEndsForGood) {
  AsyncGenerator<int> stream = Count(2);
  EXPECT_EQ(**PollNextOnce(stream), 0);
  EXPECT_EQ(**PollNextOnce(stream), 1);
  for (int i = 0; i < 3; ++i) {
    Poll<std::optional<int>> polled = PollNextOnce(stream);
    ASSERT_TRUE(polled.ready());
    EXPECT_FALSE(polled.value().has_value());
  }
}

AsyncGenerator<int> Log(std::vector<std::string>& log) {
  log.push_back("start");
  co_yield 1;
  log.push_back("middle");
  co_yield 2;
  log.push_back("end");
}

TEST(AsyncGeneratorTest, RunsOnlyWhenAskedForAnItem) {
  std::vector<std::string> log;
  AsyncGenerator<int> stream = Log(log);
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(**PollNextOnce(stream), 1);
  EXPECT_EQ(log, (std::vector<std::string>{"start"}));
  EXPECT_EQ(**PollNextOnce(stream), 2);
  EXPECT_EQ(log, (std::vector<std::string>{"start", "middle"}));
}

Async<int> Sum(AsyncGenerator<int> stream) {
  int sum = 0;
  std::optional<int> item = co_await Next(stream);
  while (item.has_value()) {
    sum += *item;
    item = co_await Next(stream);
  }
  co_return sum;
}

TEST(AsyncGeneratorTest, IsConsumedByACoroutine) {
  Async<int> future = Sum(Count(5));
  EXPECT_EQ(*PollOnce(future), 10);
}

Async<int> WaitDeep(Gate& gate, int depth) {
  if (depth == 0) {
    int value = co_await Gate::Wait(gate);
    co_return value;
  }
  int value = co_await WaitDeep(gate, depth - 1);
  co_return value;
}

AsyncGenerator<int> WaitAndYield(Gate& gate, int depth) {
  int first = co_await WaitDeep(gate, depth);
  co_yield first;
  int second = co_await Ready(2);
  co_yield second;
}

TEST(AsyncGeneratorTest, AwaitsAtAnyDepthAndAPollGoesToTheLeafAlone) {
  for (int depth : {0, 1, 1000}) {
    Gate gate;
    CountingWaker counter;
    AsyncGenerator<int> stream = WaitAndYield(gate, depth);
    for (int i = 0; i < 3; ++i) {
      auto next = Next(stream);
      EXPECT_TRUE(PollOnce(next, counter).pending());
    }
    EXPECT_EQ(gate.polls(), 3);
    gate.Open(7);
    EXPECT_EQ(counter.wakes(), 1);
    EXPECT_EQ(**PollNextOnce(stream), 7);
    EXPECT_EQ(**PollNextOnce(stream), 2);
    EXPECT_FALSE((*PollNextOnce(stream)).has_value());
  }
}

AsyncGenerator<int> Hold(Gate& gate, std::vector<std::string>* log) {
  Tracked outer(log, "generator");
  co_yield 1;
  auto child = [](Gate& entry, std::vector<std::string>* out) -> Async<int> {
    Tracked inner(out, "child");
    int value = co_await Gate::Wait(entry);
    co_return value;
  };
  int value = co_await child(gate, log);
  co_yield value;
}

TEST(AsyncGeneratorTest, DroppingItCancelsAtAnItemAndInTheMiddleOfAWait) {
  for (bool waits : {false, true}) {
    Gate gate;
    CountingWaker counter;
    std::vector<std::string> log;
    {
      AsyncGenerator<int> stream = Hold(gate, &log);
      EXPECT_EQ(**PollNextOnce(stream), 1);
      if (waits) {
        auto next = Next(stream);
        EXPECT_TRUE(PollOnce(next, counter).pending());
        EXPECT_TRUE(gate.has_waker());
      }
      EXPECT_TRUE(log.empty());
    }
    EXPECT_FALSE(gate.has_waker());
    EXPECT_EQ(counter.alive(), 0);
    EXPECT_EQ(log.back(), "generator");
    EXPECT_EQ(log.size(), waits ? 2u : 1u);
  }
}

TEST(AsyncGeneratorTest, DroppingUnstartedRunsNothing) {
  std::vector<std::string> log;
  {
    AsyncGenerator<int> stream = Log(log);
  }
  EXPECT_TRUE(log.empty());
}

// The losing branch of a Select is a Next(): the item comes later.
TEST(AsyncGeneratorTest, DroppingANextLosesNothing) {
  Gate gate;
  auto body = [](Gate& entry) -> Async<int> {
    AsyncGenerator<int> stream = WaitAndYield(entry, 3);
    auto race = SelectBiased(Next(stream), Ready());
    auto winner = co_await race;
    int lost = static_cast<int>(winner.index());
    entry.Open(40);
    std::optional<int> item = co_await Next(stream);
    co_return lost + *item;
  };
  Async<int> future = body(gate);
  EXPECT_EQ(*PollOnce(future), 41);
}

// A consumer that is dropped leaves a generator that it does not own usable.
TEST(AsyncGeneratorTest, AGeneratorOutlivesAConsumerThatWasDropped) {
  Gate gate;
  AsyncGenerator<int> stream = WaitAndYield(gate, 2);
  auto consume = [](AsyncGenerator<int>& shared) -> Async<int> {
    std::optional<int> item = co_await Next(shared);
    co_return item.value_or(-1);
  };
  {
    Async<int> dropped = consume(stream);
    EXPECT_TRUE(PollOnce(dropped).pending());
  }
  gate.Open(5);
  Async<int> future = consume(stream);
  EXPECT_EQ(*PollOnce(future), 5);
}

AsyncGenerator<std::unique_ptr<int>> MoveOnly() {
  auto named = std::make_unique<int>(1);
  co_yield std::move(named);
  co_yield std::make_unique<int>(2);
}

TEST(AsyncGeneratorTest, ItemsMayBeOfATypeThatOnlyMoves) {
  AsyncGenerator<std::unique_ptr<int>> stream = MoveOnly();
  std::optional<std::unique_ptr<int>> first = *PollNextOnce(stream);
  std::optional<std::unique_ptr<int>> second = *PollNextOnce(stream);
  EXPECT_EQ(**first + **second, 3);
}

AsyncGenerator<std::string> Lvalues(std::string& kept) {
  const std::string constant = "constant";
  co_yield constant;
  co_yield kept;
  co_yield "converted";
}

TEST(AsyncGeneratorTest, LvaluesAreCopied) {
  std::string kept = "kept";
  AsyncGenerator<std::string> stream = Lvalues(kept);
  EXPECT_EQ(**PollNextOnce(stream), "constant");
  EXPECT_EQ(**PollNextOnce(stream), "kept");
  EXPECT_EQ(kept, "kept");
  EXPECT_EQ(**PollNextOnce(stream), "converted");
}

AsyncGenerator<int&> Refer(std::vector<int>& numbers) {
  for (int& number : numbers) co_yield number;
}
AsyncGenerator<const int&> ReferConst(const std::vector<int>& numbers) {
  for (const int& number : numbers) co_yield number;
}

TEST(AsyncGeneratorTest, ReferencesAreTheObjectsThemselves) {
  std::vector<int> numbers = {1, 2};
  AsyncGenerator<int&> stream = Refer(numbers);
  for (int& number : numbers) {
    std::optional<std::reference_wrapper<int>> item = *PollNextOnce(stream);
    EXPECT_EQ(&item->get(), &number);
    item->get() *= 10;
  }
  EXPECT_EQ(numbers, (std::vector<int>{10, 20}));
  AsyncGenerator<const int&> constants = ReferConst(numbers);
  EXPECT_EQ(&(*PollNextOnce(constants))->get(), &numbers[0]);
}

AsyncGenerator<int> ThrowAfter(int items) {
  for (int i = 0; i < items; ++i) co_yield i;
  throw std::runtime_error("from the body");
}

TEST(AsyncGeneratorTest, AnExceptionReachesTheConsumerAndEndsTheStream) {
  AsyncGenerator<int> stream = ThrowAfter(1);
  EXPECT_EQ(**PollNextOnce(stream), 0);
  EXPECT_THROW(static_cast<void>(PollNextOnce(stream)), std::runtime_error);
  EXPECT_FALSE((*PollNextOnce(stream)).has_value());
}

TEST(AsyncGeneratorTest, AnExceptionSurfacesAtTheAwaitOfNext) {
  auto body = []() -> Async<std::string> {
    AsyncGenerator<int> stream = ThrowAfter(0);
    std::string caught;
    try {
      std::optional<int> item = co_await Next(stream);
      caught = std::to_string(*item);
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    co_return caught;
  };
  Async<std::string> future = body();
  EXPECT_EQ(*PollOnce(future), "from the body");
}

// An exception inside, caught by the body, which goes on giving items.
AsyncGenerator<int> Recovers() {
  for (int i = 0; i < 2; ++i) {
    bool caught = false;
    try {
      AsyncGenerator<int> inner = ThrowAfter(0);
      std::optional<int> item = co_await Next(inner);
      caught = item.has_value();
    } catch (const std::runtime_error&) {
      caught = true;
    }
    co_yield caught ? i : -1;
  }
}

TEST(AsyncGeneratorTest, TheBodyMayCatchAndGoOn) {
  AsyncGenerator<int> stream = Recovers();
  EXPECT_EQ(**PollNextOnce(stream), 0);
  EXPECT_EQ(**PollNextOnce(stream), 1);
}

// Generators that consume generators: every level adds a poll.
AsyncGenerator<int> Pass(AsyncGenerator<int> inner) {
  std::optional<int> item = co_await Next(inner);
  while (item.has_value()) {
    co_yield *item;
    item = co_await Next(inner);
  }
}

TEST(AsyncGeneratorTest, GeneratorsNest) {
  Gate gate;
  AsyncGenerator<int> stream = WaitAndYield(gate, 2);
  for (int i = 0; i < 100; ++i) stream = Pass(std::move(stream));
  EXPECT_TRUE(PollNextOnce(stream).pending());
  gate.Open(1);
  EXPECT_EQ(**PollNextOnce(stream), 1);
  EXPECT_EQ(**PollNextOnce(stream), 2);
  EXPECT_FALSE((*PollNextOnce(stream)).has_value());
}

TEST(AsyncGeneratorTest, AMillionItemsThatAreReadyUseConstantStack) {
  constexpr int kItems = 1'000'000;
  auto body = []() -> Async<int> {
    AsyncGenerator<int> stream = Count(kItems);
    int seen = 0;
    std::optional<int> item = co_await Next(stream);
    while (item.has_value()) {
      ++seen;
      item = co_await Next(stream);
    }
    co_return seen;
  };
  Async<int> future = body();
  EXPECT_EQ(*PollOnce(future), kItems);
}

AsyncGenerator<int> YieldDeep(int depth) {
  auto descend = [](auto& self, int level) -> Async<int> {
    if (level == 0) co_return 1;
    int value = co_await self(self, level - 1);
    co_return value + 1;
  };
  int value = co_await descend(descend, depth);
  co_yield value;
}

TEST(AsyncGeneratorTest, AMillionDeepChainInsideUsesConstantStack) {
  AsyncGenerator<int> stream = YieldDeep(1'000'000);
  EXPECT_EQ(**PollNextOnce(stream), 1'000'001);
}

AsyncGenerator<int> FromArena(std::allocator_arg_t, std::pmr::polymorphic_allocator<>, int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}

TEST(AsyncGeneratorTest, BringsAnAllocatorLikeAnAsync) {
  std::byte storage[1024];
  std::pmr::monotonic_buffer_resource arena(storage, sizeof(storage),
                                            std::pmr::null_memory_resource());
  Async<int> future = Sum(FromArena(std::allocator_arg, &arena, 4));
  EXPECT_EQ(*PollOnce(future), 6);
}

TEST(AsyncGeneratorTest, MovesBeforeItsFirstPollAndIsAssigned) {
  AsyncGenerator<int> stream = Count(1);
  AsyncGenerator<int> moved = std::move(stream);
  EXPECT_EQ(**PollNextOnce(moved), 0);
  moved = Count(3);
  EXPECT_EQ(**PollNextOnce(moved), 0);
}

using AsyncGeneratorDeathTest = ::testing::Test;

TEST(AsyncGeneratorDeathTest, PollingAMovedFromGeneratorIsNamed) {
  EXPECT_DEATH(
      {
        AsyncGenerator<int> stream = Count(1);
        AsyncGenerator<int> moved = std::move(stream);
        static_cast<void>(PollNextOnce(stream));  // NOLINT: the mistake on purpose
      },
      "AsyncGenerator that is empty");
}

static_assert(Stream<AsyncGenerator<int>>);
static_assert(Stream<AsyncGenerator<int&>>);
static_assert(!Future<AsyncGenerator<int>>);

}  // namespace
}  // namespace home
