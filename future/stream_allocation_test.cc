// Proof of what streams and their adaptors allocate, which is nothing for most: counts
// calls of the global operator new across building each, polling it to its end, and
// dropping it half-way and unpolled.

#include <array>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/allocation_testing.h"
#include "home/future/async.h"
#include "home/future/async_generator.h"
#include "home/future/context.h"
#include "home/future/map.h"
#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/stream_buffered.h"
#include "home/future/stream_chunks.h"
#include "home/future/stream_combine.h"
#include "home/future/stream_consume.h"
#include "home/future/stream_map.h"
#include "home/future/stream_source.h"
#include "home/future/stream_take.h"
#include "home/future/stream_testing.h"
#include "home/future/testing.h"
#include "home/future/waker.h"

namespace home {
namespace {

using testing::Count;
using testing::Countdown;
using testing::CountWarm;
using testing::IfRecycled;
using testing::Ticks;

constexpr auto kIsOdd = [](int x) { return x % 2 != 0; };
constexpr auto kIsSmall = [](int x) { return x < 4; };
constexpr auto kAdd = [](int x, int y) { return x + y; };

TEST(StreamAllocationTest, SourcesAndNext) {
  EXPECT_EQ(Count([] { return Ticks(3); }), 0u);
  // A range never waits: what follows it does.
  EXPECT_EQ(Count([] {
              return Then(FromRange(std::array{1, 2}), [](int x) { return Countdown(2, x); });
            }),
            0u);
  auto ticks = Ticks(9);
  const Waker waker;
  Context cx(waker);
  EXPECT_TRUE(ticks.PollNext(cx).ready());
  EXPECT_EQ(Count([&ticks] { return Next(ticks); }), 0u);
}

TEST(StreamAllocationTest, MapThenInspectFilter) {
  EXPECT_EQ(Count([] { return Map(Ticks(3), kIsOdd); }), 0u);
  EXPECT_EQ(Count([] { return Then(Ticks(3), [](int x) { return Countdown(2, x); }); }), 0u);
  EXPECT_EQ(Count([] { return Inspect(Ticks(3), [](int) {}); }), 0u);
  EXPECT_EQ(Count([] { return Filter(Ticks(3), kIsOdd); }), 0u);
  EXPECT_EQ(Count([] {
              return Ticks(3) | Filter(kIsOdd) | Inspect([](int) {}) | Map(kIsSmall) |
                     Then([](bool small) { return Countdown(2, small); });
            }),
            0u);
}

TEST(StreamAllocationTest, TakeAndSkip) {
  EXPECT_EQ(Count([] { return Take(Ticks(5), 3); }), 0u);
  EXPECT_EQ(Count([] { return TakeWhile(Ticks(5), kIsSmall); }), 0u);
  EXPECT_EQ(Count([] { return Skip(Ticks(5), 2); }), 0u);
  EXPECT_EQ(Count([] { return SkipWhile(Ticks(5), kIsSmall); }), 0u);
  EXPECT_EQ(
      Count([] { return Ticks(5) | Skip(1) | SkipWhile(kIsOdd) | Take(3) | TakeWhile(kIsSmall); }),
      0u);
}

TEST(StreamAllocationTest, ChainZipMerge) {
  EXPECT_EQ(Count([] { return Chain(Ticks(3), Ticks(2)); }), 0u);
  EXPECT_EQ(Count([] { return Zip(Ticks(3), Ticks(2), Ticks(4)); }), 0u);
  EXPECT_EQ(Count([] { return Merge(Ticks(3), Ticks(2), Ticks(4)); }), 0u);
  EXPECT_EQ(Count([] { return Ticks(3) | Chain(Ticks(2)) | Merge(Ticks(2)) | Zip(Ticks(9)); }), 0u);
}

// A container that takes no memory.
class Last {
 public:
  int* end() { return &last_; }
  void insert(int*, int item) { last_ = item; }

 private:
  int last_ = 0;
};

TEST(StreamAllocationTest, FoldForEachCollect) {
  EXPECT_EQ(Count([] { return Fold(Ticks(3), 0, kAdd); }), 0u);
  EXPECT_EQ(Count([] { return ForEach(Ticks(3), [](int) {}); }), 0u);
  EXPECT_EQ(Count([] { return Collect<Last>(Ticks(3)); }), 0u);
  EXPECT_EQ(Count([] { return Ticks(3) | Fold(0, kAdd); }), 0u);
  EXPECT_EQ(Count([] { return Ticks(3) | ForEach([](int) {}); }), 0u);
  EXPECT_EQ(Count([] { return Ticks(3) | Collect<Last>(); }), 0u);
  // The vector of one item, which is moved out, not copied: of the one that goes to its
  // end, and of the one that waits behind the item.
  EXPECT_EQ(Count([] { return Ticks(2) | Take(1) | Chain(Skip(Ticks(2), 2)) | Collect(); }), 2u);
}

// A block a chunk: two of the one that goes to its end, one of the one that waits with
// its first item.
TEST(StreamAllocationTest, Chunks) {
  EXPECT_EQ(Count([] { return Chunks(Ticks(4), 2); }), 3u);
  EXPECT_EQ(Count([] { return Ticks(3) | Chunks(2); }), 3u);
}

AsyncGenerator<int> Generate() {
  for (int i = 0; i < 3; ++i) {
    int item = co_await Countdown(2, i);
    co_yield item;
  }
}

// Pending thrice: a set polls a child that wakes itself twice in one poll.
Async<int> Child(int x) {
  int y = co_await Countdown(4, x);
  co_return y;
}

TEST(StreamAllocationTest, GeneratorsAndCoroutines) {
  EXPECT_THAT(CountWarm(Generate), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Generate() | Then(Child) | Filter(kIsOdd); }), IfRecycled(0));
}

// The same without a coroutine.
auto Load(int x) { return Countdown(4, x); }

// The same, of no value.
auto Store(int x) {
  return Map(Load(x), [](int) {});
}

TEST(StreamAllocationTest, SeveralAtOnce) {
  EXPECT_THAT(CountWarm([] { return Ticks(6) | Map(Load) | BufferedUnordered(3); }), IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Ticks(6) | Map(Child) | BufferedUnordered(3); }),
              IfRecycled(0));
  EXPECT_THAT(CountWarm([] { return Ticks(6) | ForEachConcurrent(3, Store); }), IfRecycled(0));
  // The ring of the values that wait, of the two that are polled.
  EXPECT_THAT(CountWarm([] { return Ticks(6) | Map(Load) | Buffered(3); }), IfRecycled(2));
}

}  // namespace
}  // namespace home
