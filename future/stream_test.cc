// The adaptors that look at one item at a time, and what joins streams.

#include "home/future/stream.h"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/async_generator.h"
#include "home/future/async_testing.h"
#include "home/future/pipe.h"
#include "home/future/ready.h"
#include "home/future/stream_chunks.h"
#include "home/future/stream_combine.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_take.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::Gate;
using testing::PollNextOnce;
using testing::PollOnce;
using testing::Source;

using Ints = std::vector<int>;
auto Numbers(Ints numbers) { return FromRange(std::move(numbers)); }

template <Stream S>
std::vector<StreamItem<S>> All(S stream) {
  auto collect = Collect(std::move(stream));
  return *PollOnce(collect);
}

bool IsOdd(int n) { return n % 2 != 0; }
int Double(int n) { return 2 * n; }

TEST(StreamTest, RangesGiveTheirElements) {
  EXPECT_EQ(All(Numbers({1, 2, 3})), (Ints{1, 2, 3}));
  EXPECT_EQ(All(Numbers({})), Ints());
  const Ints kept = {4, 5};
  EXPECT_EQ(All(FromRange(std::views::all(kept))), kept);
  EXPECT_EQ(All(FromRange(std::views::iota(0, 3))), (Ints{0, 1, 2}));
}

TEST(StreamTest, ElementsOfAnOwnedRangeAreMovedOut) {
  std::vector<std::unique_ptr<int>> pointers;
  pointers.push_back(std::make_unique<int>(1));
  pointers.push_back(std::make_unique<int>(2));
  std::vector<std::unique_ptr<int>> all = All(FromRange(std::move(pointers)));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(*all[0] + *all[1], 3);
}

TEST(StreamTest, AFunctionPolledIsAStream) {
  int n = 0;
  auto stream = PollNextFn([&n](Context&) -> Poll<std::optional<int>> {
    if (++n > 2) return std::optional<int>();
    return std::optional<int>(n);
  });
  EXPECT_EQ(All(std::move(stream)), (Ints{1, 2}));
}

TEST(StreamTest, MapFilterAndInspect) {
  Ints seen;
  auto stream = Inspect(Filter(Map(Numbers({1, 2, 3}), Double), [](int n) { return n != 4; }),
                        [&seen](int n) { seen.push_back(n); });
  EXPECT_EQ(All(std::move(stream)), (Ints{2, 6}));
  EXPECT_EQ(seen, (Ints{2, 6}));
}

TEST(StreamTest, MapMovesItemsThrough) {
  std::vector<std::unique_ptr<int>> pointers;
  pointers.push_back(std::make_unique<int>(1));
  auto stream = Map(FromRange(std::move(pointers)), [](std::unique_ptr<int> p) {
    ++*p;
    return p;
  });
  EXPECT_EQ(*All(std::move(stream))[0], 2);
}

TEST(StreamTest, ThenAwaitsOneFutureAfterTheOther) {
  Gate gate;
  CountingWaker counter;
  int started = 0;
  auto stream = Then(Numbers({1, 2}), [&gate, &started](int n) -> Async<int> {
    ++started;
    int value = co_await Gate::Wait(gate);
    co_return value* n;
  });
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(started, 1);
  gate.Open(10);
  EXPECT_EQ(**PollNextOnce(stream, counter), 10);
  EXPECT_EQ(**PollNextOnce(stream, counter), 20);
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
}

TEST(StreamTest, AThrowingFunctionLosesItsItemAndTheStreamGoesOn) {
  auto mapped = Map(Numbers({1, 2}), [](int n) {
    if (n == 1) throw std::runtime_error("one");
    return n;
  });
  EXPECT_THROW(static_cast<void>(PollNextOnce(mapped)), std::runtime_error);
  EXPECT_EQ(**PollNextOnce(mapped), 2);
  auto then = Then(Numbers({1, 2}), [](int n) -> Async<int> {
    if (n == 1) throw std::runtime_error("one");
    co_return n;
  });
  EXPECT_THROW(static_cast<void>(PollNextOnce(then)), std::runtime_error);
  EXPECT_EQ(**PollNextOnce(then), 2);
}

TEST(StreamTest, TakeAndSkip) {
  for (int n : {0, 1, 3, 4}) {
    const auto count = static_cast<std::size_t>(n);
    Ints all = All(Take(Numbers({1, 2, 3}), count));
    Ints rest = All(Skip(Numbers({1, 2, 3}), count));
    EXPECT_EQ(all.size(), std::min<std::size_t>(count, 3));
    all.insert(all.end(), rest.begin(), rest.end());
    EXPECT_EQ(all, (Ints{1, 2, 3}));
  }
}

// The item after the last is not waited for.
TEST(StreamTest, TakeEndsWithoutAskingTheStreamAgain) {
  Source source;
  auto stream = Take(source.Stream(), 1);
  source.Give(1);
  EXPECT_EQ(**PollNextOnce(stream), 1);
  const int polls = source.polls();
  EXPECT_FALSE((*PollNextOnce(stream)).has_value());
  EXPECT_FALSE((*PollNextOnce(stream)).has_value());
  EXPECT_EQ(source.polls(), polls);
}

TEST(StreamTest, TakeWhileAndSkipWhile) {
  EXPECT_EQ(All(TakeWhile(Numbers({1, 3, 4, 5}), IsOdd)), (Ints{1, 3}));
  EXPECT_EQ(All(SkipWhile(Numbers({1, 3, 4, 5}), IsOdd)), (Ints{4, 5}));
  EXPECT_EQ(All(TakeWhile(Numbers({1}), IsOdd)), (Ints{1}));
  EXPECT_EQ(All(SkipWhile(Numbers({1}), IsOdd)), Ints());
}

TEST(StreamTest, ChainGivesOneAfterTheOther) {
  EXPECT_EQ(All(Chain(Numbers({1}), Numbers({2, 3}))), (Ints{1, 2, 3}));
  EXPECT_EQ(All(Chain(Numbers({}), Numbers({}))), Ints());
}

TEST(StreamTest, ZipEndsWithTheShortest) {
  using Pair = std::tuple<int, std::string>;
  auto stream = Zip(Numbers({1, 2, 3}), FromRange(std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(All(std::move(stream)), (std::vector<Pair>{{1, "a"}, {2, "b"}}));
}

TEST(StreamTest, ZipKeepsAnItemUntilItsFellowComes) {
  Source left;
  Source right;
  CountingWaker counter;
  auto stream = Zip(left.Stream(), right.Stream());
  right.Give(2);
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  EXPECT_EQ(right.polls(), 1);
  left.Give(1);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_EQ(**PollNextOnce(stream, counter), std::tuple(1, 2));
  left.Give(3);
  right.End();
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
}

TEST(StreamTest, MergeGivesWhatComesAndEndsWithTheLast) {
  Source left;
  Source right;
  CountingWaker counter;
  auto stream = Merge(left.Stream(), right.Stream());
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  right.Give(1);
  EXPECT_EQ(**PollNextOnce(stream, counter), 1);
  right.End();
  EXPECT_TRUE(PollNextOnce(stream, counter).pending());
  left.Give(2);
  EXPECT_EQ(**PollNextOnce(stream, counter), 2);
  left.End();
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
  EXPECT_FALSE((*PollNextOnce(stream, counter)).has_value());
}

TEST(StreamTest, MergedStreamsThatAreAlwaysReadyTakeTurns) {
  auto stream = Merge(Numbers({1, 2, 3}), Numbers({10, 20, 30}), Numbers({100}));
  EXPECT_EQ(All(std::move(stream)), (Ints{1, 10, 100, 2, 20, 3, 30}));
}

TEST(StreamTest, ChunksAreFullButForTheLast) {
  std::vector<Ints> chunks = All(Chunks(Numbers({1, 2, 3, 4, 5}), 2));
  EXPECT_EQ(chunks, (std::vector<Ints>{{1, 2}, {3, 4}, {5}}));
  EXPECT_EQ(All(Chunks(Numbers({1, 2}), 2)).size(), 1u);
  EXPECT_TRUE(All(Chunks(Numbers({}), 2)).empty());
}

TEST(StreamTest, AChunkWaitsUntilItIsFull) {
  Source source;
  auto stream = Chunks(source.Stream(), 2);
  source.Give(1);
  EXPECT_TRUE(PollNextOnce(stream).pending());
  source.Give(2);
  EXPECT_EQ(**PollNextOnce(stream), (Ints{1, 2}));
}

TEST(StreamTest, FoldCollectAndForEach) {
  auto fold = Fold(Numbers({1, 2, 3}), 10, std::plus<>());
  EXPECT_EQ(*PollOnce(fold), 16);
  auto set = Collect<std::set<int>>(Numbers({2, 1, 2}));
  EXPECT_EQ(*PollOnce(set), (std::set<int>{1, 2}));
  int sum = 0;
  auto each = ForEach(Numbers({1, 2, 3}), [&sum](int n) { sum += n; });
  EXPECT_TRUE(PollOnce(each).ready());
  EXPECT_EQ(sum, 6);
}

TEST(StreamTest, AConsumerGoesOnWhereItWaited) {
  Source source;
  CountingWaker counter;
  auto fold = Fold(source.Stream(), 0, std::plus<>());
  source.Give(1);
  EXPECT_TRUE(PollOnce(fold, counter).pending());
  source.Give(2);
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(fold, counter).pending());
  source.End();
  EXPECT_EQ(*PollOnce(fold, counter), 3);
}

AsyncGenerator<int> Count(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}

TEST(StreamTest, ThePipeReadsFromLeftToRight) {
  auto future = Count(10) | Filter(IsOdd) | Map(Double) | Skip(1) | Take(3) |
                TakeWhile([](int n) { return n < 100; }) | SkipWhile([](int n) { return n < 8; }) |
                Chain(Numbers({1, 2})) | Inspect([](int) {}) |
                Then([](int n) { return Ready(n + 1); }) | Chunks(2) | Collect();
  EXPECT_EQ(*PollOnce(future), (std::vector<Ints>{{11, 15}, {2, 3}}));
}

TEST(StreamTest, EveryConsumerAndCombinationIsAStageToo) {
  auto zipped =
      Numbers({1, 2}) | Zip(Numbers({3, 4})) |
      Map([](const std::tuple<int, int>& pair) { return std::get<0>(pair) * std::get<1>(pair); }) |
      Merge(Numbers({100})) | Fold(0, std::plus<>());
  EXPECT_EQ(*PollOnce(zipped), 111);
  Ints seen;
  auto each = Numbers({1}) | ForEach([&seen](int n) { seen.push_back(n); });
  EXPECT_TRUE(PollOnce(each).ready());
  EXPECT_EQ(seen, (Ints{1}));
  auto list = Numbers({1, 2}) | Collect<std::list<int>>();
  EXPECT_EQ((*PollOnce(list)).size(), 2u);
}

// The stages that a future and a stream share, and stages made into one.
TEST(StreamTest, AStageServesFuturesAndStreams) {
  auto both = Map(Double) | Inspect([](int) {});
  auto streamed = Numbers({1, 2}) | std::move(both);
  EXPECT_EQ(All(std::move(streamed)), (Ints{2, 4}));
  auto stage = Map(Double) | Map(Double);
  auto future = Ready(1) | std::move(stage);
  EXPECT_EQ(*PollOnce(future), 4);
  auto tail = Fold(0, std::plus<>()) | Map(Double);
  auto sum = Numbers({1, 2}) | std::move(tail);
  EXPECT_EQ(*PollOnce(sum), 6);
}

// A stream in a coroutine, dropped half way.
TEST(StreamTest, DroppingAPipelineCancelsItsSource) {
  Source source;
  CountingWaker counter;
  {
    auto future = source.Stream() | Map(Double) | Chunks(3) | Collect();
    source.Give(1);
    EXPECT_TRUE(PollOnce(future, counter).pending());
    EXPECT_TRUE(source.has_waker());
  }
  EXPECT_FALSE(source.has_waker());
  EXPECT_EQ(counter.alive(), 0);
}

// Where each adaptor of several parts waits.
TEST(StreamTest, DroppingThenCancelsTheFutureUnderWay) {
  Source source;
  CountingWaker counter;
  auto alive = std::make_shared<int>();
  {
    auto stream = source.Stream() | Then([alive](int) {
                    return Map(PendingForever<int>(), [alive](int n) { return n; });
                  });
    source.Give(1);
    EXPECT_TRUE(PollNextOnce(stream, counter).pending());
    EXPECT_EQ(alive.use_count(), 3);
  }
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_FALSE(source.has_waker());
  EXPECT_EQ(counter.alive(), 0);
}
TEST(StreamTest, DroppingCombinedStreamsCancelsAllOfThem) {
  const auto drop_waiting = [](auto combine, bool first, bool second) {
    Source left;
    Source right;
    CountingWaker counter;
    {
      auto stream = combine(left.Stream(), right.Stream());
      EXPECT_TRUE(PollNextOnce(stream, counter).pending());
      EXPECT_EQ(left.has_waker(), first);
      EXPECT_EQ(right.has_waker(), second);
    }
    EXPECT_FALSE(left.has_waker() || right.has_waker());
    EXPECT_EQ(counter.alive(), 0);
  };
  using Items = Source::Items;
  drop_waiting([](Items a, Items b) { return Chain(std::move(a), std::move(b)); }, true, false);
  drop_waiting([](Items a, Items b) { return Zip(std::move(a), std::move(b)); }, true, true);
  drop_waiting([](Items a, Items b) { return Merge(std::move(a), std::move(b)); }, true, true);
}

TEST(StreamTest, AMillionItemsUseConstantStack) {
  auto future = FromRange(std::views::iota(0, 1'000'000)) | Filter(IsOdd) | Map(Double) |
                Fold(0, [](int, int n) { return n; });
  EXPECT_EQ(*PollOnce(future), 1'999'998);
}

using StreamDeathTest = ::testing::Test;

TEST(StreamDeathTest, ChunksOfNothingAreNamed) {
  EXPECT_DEATH(static_cast<void>(Chunks(Numbers({1}), 0)), "Chunks of no items");
}

static_assert(Stream<MapStream<RangeStream<Ints>, int (*)(int)>>);
static_assert(Future<CollectFuture<RangeStream<Ints>, Ints>>);

}  // namespace
}  // namespace home
