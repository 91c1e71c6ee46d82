// Proof that combinators allocate nothing: counts calls of the global operator
// new across building, polling and dropping each of them.

#include <cstddef>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
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

namespace {

// Of this thread; tests run on one.
thread_local std::size_t allocations = 0;

void* Allocate(std::size_t bytes) {
  ++allocations;
  void* const block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) std::abort();
  return block;
}
void* Allocate(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  void* const block = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, alignment);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace home {
namespace {

using testing::Countdown;
using IntOr = absl::StatusOr<int>;

// Polls `future` until it is ready, twice at least.
template <Future F>
void PollToEnd(F& future) {
  const Waker waker;
  Context cx(waker);
  int polls = 1;
  while (future.Poll(cx).pending()) ++polls;
  EXPECT_GE(polls, 2);
}

// Builds what make() makes, polls it to its end, and drops one that waits and one
// that was never polled. Returns how often that allocated.
template <typename Make>
std::size_t Count(Make make) {
  const Waker waker;
  Context cx(waker);
  const std::size_t before = allocations;
  {
    auto future = make();
    PollToEnd(future);
  }
  {
    auto waiting = make();
    EXPECT_TRUE(waiting.Poll(cx).pending());
  }
  {
    auto unpolled = make();
    [[maybe_unused]] auto moved = std::move(unpolled);
  }
  return allocations - before;
}

TEST(AllocationTest, TheCounterCounts) {
  const std::size_t before = allocations;
  const std::string text(1000, 'x');
  EXPECT_GE(allocations, before + 1);
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

// Under AddressSanitizer nothing is recycled (frame_allocator.h).
#if defined(__SANITIZE_ADDRESS__)
#define HOME_ALLOCATION_TEST_NO_RECYCLING
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOME_ALLOCATION_TEST_NO_RECYCLING
#endif
#endif
#if !defined(HOME_ALLOCATION_TEST_NO_RECYCLING)

Async<int> Await() {
  int x = co_await Countdown(2, 1);
  co_return x;
}

// What takes a block takes it from the recycling cache, and once that is warm
// nothing comes from operator new.
TEST(AllocationTest, WhatTakesABlockRecyclesIt) {
  const auto twice = [](auto make) {
    static_cast<void>(Count(make));
    return Count(make);
  };
  EXPECT_EQ(twice(Await), 0u);
  EXPECT_EQ(twice([] { return BoxFuture<int>(Await()); }), 0u);
  EXPECT_EQ(twice([] { return BoxFuture<int>(Countdown(2, 1)); }), 0u);
  EXPECT_EQ(twice([] { return Shared(Countdown(2, 1)); }), 0u);
  EXPECT_EQ(twice([] {
              AsyncFunction<int(int)> function = [](int x) { return Countdown(2, x); };
              return function(1);
            }),
            0u);
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
  round();
  const std::size_t before = allocations;
  round();
  EXPECT_EQ(allocations, before);
}

#endif

}  // namespace
}  // namespace home
