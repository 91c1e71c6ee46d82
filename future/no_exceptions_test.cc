// The combinators without exceptions: this file, and what it instantiates, is compiled
// with -fno-exceptions. async_without_exceptions_test.cc has coroutines and streams.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/and_then.h"
#include "home/future/async.h"
#include "home/future/async_function.h"
#include "home/future/atomic_waker.h"
#include "home/future/box_future.h"
#include "home/future/frame_allocator.h"
#include "home/future/futures_unordered.h"
#include "home/future/join.h"
#include "home/future/join_all.h"
#include "home/future/lazy.h"
#include "home/future/map.h"
#include "home/future/pipe.h"
#include "home/future/random.h"
#include "home/future/ready.h"
#include "home/future/select.h"
#include "home/future/shared_future.h"
#include "home/future/stream.h"
#include "home/future/testing.h"
#include "home/future/wake_list.h"

#if defined(__cpp_exceptions)
#error "this test is about code that is compiled without exceptions"
#endif

namespace home {
namespace {

using testing::Countdown;
using testing::PollOnce;
using IntOr = absl::StatusOr<int>;

Async<IntOr> Half(int x) {
  co_await Countdown(2, 0);
  if (x % 2 != 0) co_return absl::InvalidArgumentError("odd");
  co_return x / 2;
}

Async<IntOr> Quarter(int x) {
  int half = co_await Try(Half(x));
  auto rest = Half(half) | AndThen([](int y) { return Ready(IntOr(y)); });
  int quarter = co_await Try(std::move(rest));
  co_return quarter;
}

template <Future F>
auto PollToEnd(F& future) {
  while (true) {
    auto polled = PollOnce(future);
    if (polled.ready()) return std::move(polled).value();
  }
}

TEST(NoExceptionsTest, Coroutines) {
  auto good = Quarter(8);
  EXPECT_EQ(PollToEnd(good).value(), 2);
  auto bad = Quarter(6);
  EXPECT_EQ(PollToEnd(bad).status().message(), "odd");
}

TEST(NoExceptionsTest, Combinators) {
  auto joined = Join(Countdown(2, 1), Ready() | Map([] { return 2; }));
  EXPECT_EQ(PollToEnd(joined), std::make_tuple(1, 2));
  auto tried = TryJoin(Half(2), Half(1));
  EXPECT_EQ(PollToEnd(tried).status().message(), "odd");
  auto selected = Select(PendingForever<int>(), Countdown(2, 3));
  EXPECT_EQ(std::get<1>(PollToEnd(selected)), 3);
  auto lazy = Lazy([] { return Half(4); }) | Then([](IntOr x) { return Ready(x.value()); });
  EXPECT_EQ(PollToEnd(lazy), 2);
  auto healed = Half(1) | OrElse([](const absl::Status&) { return Ready(IntOr(0)); }) |
                Inspect([](const IntOr&) {});
  EXPECT_EQ(PollToEnd(healed).value(), 0);
}

TEST(NoExceptionsTest, MoreCombinators) {
  auto raced = RaceBiased(PendingForever<int>(), Ready(4));
  EXPECT_EQ(PollToEnd(raced), 4);
  auto biased = SelectBiased(Ready(1), Ready(2));
  EXPECT_EQ(std::get<0>(PollToEnd(biased)), 1);
}

TEST(NoExceptionsTest, PlacesForWakers) {
  testing::CountingWaker counter;
  const Waker waker = counter.Make();
  AtomicWaker<> slot;
  slot.Register(waker);
  slot.Wake();
  EXPECT_EQ(counter.wakes(), 1);
  WakeList list;
  list.Push(waker.Clone());
  list.Push(waker.Clone());
  list.WakeAll();
  EXPECT_EQ(counter.wakes(), 3);
}

TEST(NoExceptionsTest, FramesAndRandomNumbers) {
  void* frame = AllocateFrame(100);
  EXPECT_NE(frame, nullptr);
  FreeFrame(frame, 100);
  const RandomScope seeded(1);
  EXPECT_EQ(RandomBits(), RandomGenerator(1).Bits());
}

// 5 at the first poll, 6 at the second, 7 at the third.
std::vector<Countdown<int>> OneAfterTheOther() {
  std::vector<Countdown<int>> futures;
  for (int i = 1; i <= 3; ++i) futures.emplace_back(i, 4 + i);
  return futures;
}

TEST(NoExceptionsTest, Sets) {
  std::vector<Async<IntOr>> futures;
  for (int i = 0; i < 4; ++i) futures.push_back(Half(2 * i));
  auto all = TryJoinAll(std::move(futures));
  EXPECT_EQ(PollToEnd(all).value(), (std::vector<int>{0, 1, 2, 3}));
  auto joined = JoinAll(OneAfterTheOther());
  EXPECT_EQ(PollToEnd(joined), (std::vector<int>{5, 6, 7}));
  auto first = SelectAll(OneAfterTheOther());
  EXPECT_EQ(PollToEnd(first), std::make_pair(std::size_t{0}, 5));
  FuturesUnordered<Countdown<int>> unordered;
  unordered.Push(Countdown(1, 7));
  auto one = Next(unordered);
  EXPECT_EQ(PollToEnd(one), 7);
  FuturesOrdered<Async<IntOr>> set;
  set.Push(Half(2));
  auto next = Next(set);
  EXPECT_EQ(PollToEnd(next)->value(), 1);
}

TEST(NoExceptionsTest, ErasedAndShared) {
  AsyncFunction<IntOr(int)> half = Half;
  BoxFuture<IntOr> boxed = half(4);
  auto shared = std::move(boxed) | Shared();
  auto copy = shared;
  EXPECT_EQ(PollToEnd(shared).value(), 2);
  EXPECT_EQ(PollToEnd(copy).value(), 2);
  // The call owns the function.
  BoxFuture<IntOr> owned = std::move(half)(6);
  EXPECT_EQ(PollToEnd(owned).value(), 3);
}

}  // namespace
}  // namespace home
