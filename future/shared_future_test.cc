// SharedFuture: one result for many, whoever polls, whoever goes away.

#include "home/future/shared_future.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/map.h"
#include "home/future/ready.h"
#include "home/future/testing.h"

namespace home {
namespace {

using testing::Countdown;
using testing::CountingWaker;
using testing::Manual;
using testing::ManualState;
using testing::PollOnce;

TEST(SharedFutureTest, YieldsItsValueToEveryCopy) {
  ManualState state;
  auto first = Shared(Manual<std::string>(&state, "value"));
  auto second = first;
  CountingWaker one;
  CountingWaker two;
  EXPECT_TRUE(PollOnce(first, one).pending());
  EXPECT_TRUE(PollOnce(second, two).pending());
  EXPECT_EQ(state.polls, 1);  // nobody woke it since
  state.Set();
  EXPECT_EQ(one.wakes(), 1);
  EXPECT_EQ(two.wakes(), 1);
  EXPECT_EQ(*PollOnce(second, two), "value");
  EXPECT_TRUE(first.ready());
  EXPECT_EQ(state.alive, 0);
  EXPECT_EQ(*PollOnce(first, one), "value");
  auto late = first;
  EXPECT_EQ(*PollOnce(late), "value");
  EXPECT_EQ(state.polls, 2);
}

TEST(SharedFutureTest, WhoeverFinishesItWakesTheOthersAndNotItself) {
  ManualState state;
  auto first = Shared(Manual<int>(&state, 1));
  auto second = first;
  CountingWaker one;
  CountingWaker two;
  EXPECT_TRUE(PollOnce(first, one).pending());
  state.Set();
  EXPECT_EQ(one.wakes(), 1);
  EXPECT_EQ(*PollOnce(second, two), 1);
  EXPECT_EQ(two.wakes(), 0);
  EXPECT_EQ(two.alive(), 0);
  EXPECT_EQ(*PollOnce(first, one), 1);
}

// Whoever polled last may go away: the next one goes on.
TEST(SharedFutureTest, AWakeIsNotLostWithTheCopyThatPolled) {
  ManualState state;
  std::optional<SharedFuture<int>> first = Shared(Manual<int>(&state, 1));
  auto second = *first;
  CountingWaker one;
  CountingWaker two;
  EXPECT_TRUE(PollOnce(second, two).pending());
  EXPECT_TRUE(PollOnce(*first, one).pending());
  state.waker.WakeByRef();
  EXPECT_TRUE(PollOnce(*first, one).pending());
  EXPECT_EQ(state.polls, 2);
  EXPECT_TRUE(PollOnce(second, two).pending());
  EXPECT_EQ(state.polls, 2);
  state.Set();
  first.reset();
  EXPECT_EQ(two.wakes(), 2);
  EXPECT_EQ(*PollOnce(second, two), 1);
  EXPECT_EQ(one.alive() + two.alive(), 0);
}

// A copy that comes while another one polls is woken if that one does not finish.
TEST(SharedFutureTest, AWakeDuringThePollIsForEverybody) {
  CountingWaker other;
  std::optional<SharedFuture<int>> second;
  int polls = 0;
  auto first = Shared(PollFn([&](Context& cx) -> Poll<int> {
    if (++polls == 2) return 7;
    cx.waker().WakeByRef();
    EXPECT_TRUE(PollOnce(*second, other).pending());
    return kPending;
  }));
  second.emplace(first);
  CountingWaker own;
  EXPECT_TRUE(PollOnce(first, own).pending());
  EXPECT_EQ(own.wakes(), 1);
  EXPECT_EQ(other.wakes(), 1);
  EXPECT_EQ(*PollOnce(*second, other), 7);
}

TEST(SharedFutureTest, TheLastCopyCancels) {
  ManualState state;
  Waker kept;
  {
    auto first = Shared(Manual<int>(&state, 1));
    {
      auto second = first;
      EXPECT_TRUE(PollOnce(second).pending());
    }
    EXPECT_EQ(state.alive, 1);
    kept = state.waker.Clone();
  }
  EXPECT_EQ(state.alive, 0);
  // Its waker may be kept longer.
  kept.WakeByRef();
  const Waker again = kept.Clone();
}

TEST(SharedFutureTest, RethrowsToEveryCopy) {
  const auto throwing = []() -> Async<int> {
    co_await Countdown(1, 0);
    throw std::runtime_error("thrown");
  };
  auto first = throwing() | Shared();
  auto second = first;
  EXPECT_THROW(static_cast<void>(PollOnce(first)), std::runtime_error);
  EXPECT_THROW(static_cast<void>(PollOnce(second)), std::runtime_error);
}

TEST(SharedFutureTest, OfVoid) {
  auto first = Shared(Ready());
  auto second = first;
  EXPECT_TRUE(PollOnce(second).ready());
  EXPECT_TRUE(PollOnce(first).ready());
}

// PITFALL 12: the wakers of those that wait poll and drop copies.
TEST(SharedFutureTest, Pitfall12AHostileWaker) {
  struct Hostile : WakerTarget {
    explicit Hostile(const WakerVTable* vtable) : WakerTarget(vtable) {}
    std::function<void()> attack;
    int depth = 0;
    int calls = 0;
    static void Attack(WakerTarget* target) {
      auto* self = static_cast<Hostile*>(target);
      ++self->calls;
      if (self->depth == 2) return;
      ++self->depth;
      self->attack();
      --self->depth;
    }
    static WakerTarget* Clone(WakerTarget* target) {
      Attack(target);
      return target;
    }
  };
  static constexpr WakerVTable kVTable = {&Hostile::Clone, &Hostile::Attack, &Hostile::Attack,
                                          &Hostile::Attack};
  ManualState state;
  auto first = Shared(Manual<int>(&state, 1));
  Hostile hostile(&kVTable);
  hostile.attack = [&] {
    state.waker.WakeByRef();
    auto copy = first;
    static_cast<void>(PollOnce(copy));
  };
  {
    const Waker waker(&hostile);
    Context cx(waker);
    auto second = first;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(second.Poll(cx).pending());
    state.Set();
    EXPECT_TRUE(first.ready());
    EXPECT_EQ(*second.Poll(cx), 1);
  }
  EXPECT_GT(hostile.calls, 0);
}

TEST(SharedFutureDeathTest, MovingACopyThatWaits) {
  auto future = Shared(PendingForever<int>());
  EXPECT_TRUE(PollOnce(future).pending());
  EXPECT_DEATH(SharedFuture<int> moved(std::move(future)), "SharedFuture.*moved after its first");
}

TEST(SharedFutureDeathTest, PollingWhatWasMovedFrom) {
  auto future = Shared(Ready(1));
  auto moved = std::move(future);
  EXPECT_DEATH(static_cast<void>(PollOnce(future)), "SharedFuture that was moved from");  // NOLINT
}

TEST(SharedFutureStressTest, CopiesOnManyThreads) {
  constexpr int kRounds = 200;
  constexpr int kThreads = 4;
  for (int round = 0; round < kRounds; ++round) {
    // Ready after some polls, each of which must be asked for by a wake.
    auto future = Shared(Countdown<int>(20, round));
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([copy = future, t, &sum]() mutable {
        if (t == 0) {
          // One that polls once and goes away.
          static_cast<void>(PollOnce(copy));
          return;
        }
        CountingWaker counter;
        int seen = 0;
        auto polled = PollOnce(copy, counter);
        if (polled.ready()) {
          sum += *polled;
          return;
        }
        while (true) {
          while (counter.wakes() == seen) std::this_thread::yield();
          seen = counter.wakes();
          auto again = PollOnce(copy, counter);
          if (!again.ready()) continue;
          sum += *again;
          return;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(sum.load(), (kThreads - 1) * round);
  }
}

}  // namespace
}  // namespace home
