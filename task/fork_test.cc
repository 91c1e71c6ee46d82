// Forked children: taken back, taken by somebody else, cancelled, and at the end of their
// executor.

#include "home/task/fork.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/join.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
#include "home/task/join_handle.h"
#include "home/task/spawn.h"
#include "home/task/testing.h"

namespace home {
namespace {

using ::testing::ElementsAre;
using testing::ManualScheduler;

Async<int> Value(int value) { co_return value; }

// Pending until it is opened.
class Gate {
 public:
  class Wait {
   public:
    using Output = void;
    explicit Wait(Gate& gate) : gate_(&gate) {}
    home::Poll<void> Poll(Context& cx) {
      if (gate_->open_) return kReady;
      gate_->waker_ = cx.waker().Clone();
      return cx.PendingFor("gate");
    }

   private:
    Gate* gate_;
  };

  void Open() {
    open_ = true;
    std::move(waker_).Wake();
  }
  [[nodiscard]] bool awaited() const { return static_cast<bool>(waker_); }

 private:
  bool open_ = false;
  Waker waker_;
};

Async<int> ValueAfter(Gate& gate, int value) {
  Gate::Wait wait(gate);
  co_await wait;
  co_return value;
}

// Tells when it is destroyed.
class Tracked {
 public:
  explicit Tracked(int& destroyed) : destroyed_(&destroyed) {}
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() { ++*destroyed_; }

 private:
  int* destroyed_;
};

Async<int> TrackedAfter(Gate& gate, int& destroyed) {
  const Tracked tracked(destroyed);
  Gate::Wait wait(gate);
  co_await wait;
  co_return 1;
}

Async<long> Fib(int n) {
  if (n < 2) co_return n;
  auto left = Fork(Fib(n - 1));
  const long right = co_await Fib(n - 2);
  const long left_value = co_await left;
  co_return left_value + right;
}

TEST(ForkTest, IsTakenBackIfNobodyTookIt) {
  ManualScheduler scheduler;
  scheduler.GiveBack();
  JoinHandle<long> fib = scheduler.Spawn(Fib(10));
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_TRUE(fib.finished());
  EXPECT_EQ(scheduler.given_back(), 88u);
}

TEST(ForkTest, IsTakenFromTheMiddleOfAQueue) {
  ManualScheduler scheduler;  // gives nothing back by itself
  JoinHandle<long> fib = scheduler.Spawn(Fib(10));
  // The children's tasks are left in the queue without their children.
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u + 88u);
  EXPECT_TRUE(fib.finished());
}

TEST(ForkTest, RunsAsATaskWhileItsParentWaits) {
  ManualScheduler scheduler;
  Gate parent_gate;
  Gate child_gate;
  std::optional<int> result;
  auto body = [&]() -> Async<> {
    auto child = Fork(ValueAfter(child_gate, 7));
    Gate::Wait wait(parent_gate);
    co_await wait;
    result = co_await child;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  EXPECT_EQ(scheduler.RunUntilIdle(), 2u);
  EXPECT_TRUE(child_gate.awaited());
  child_gate.Open();
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  parent_gate.Open();
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(result, 7);
}

TEST(ForkTest, AChildThatWaitsElsewhereGoesOnInItsParent) {
  ManualScheduler scheduler;
  Gate parent_gate;
  Gate child_gate;
  std::optional<int> result;
  auto body = [&]() -> Async<> {
    auto child = Fork(ValueAfter(child_gate, 7));
    Gate::Wait wait(parent_gate);
    co_await wait;
    result = co_await child;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  EXPECT_EQ(scheduler.RunUntilIdle(), 2u);
  parent_gate.Open();
  // The parent, and the end of the child's own task.
  EXPECT_EQ(scheduler.RunUntilIdle(), 2u);
  EXPECT_FALSE(parent.finished());
  EXPECT_STREQ(parent.wait_reason(), "gate");
  child_gate.Open();
  EXPECT_EQ(scheduler.RunUntilIdle(), 1u);
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(result, 7);
}

// Pending once, and woken at once.
class Yield {
 public:
  using Output = void;
  home::Poll<void> Poll(Context& cx) {
    if (std::exchange(yielded_, true)) return kReady;
    cx.waker().WakeByRef();
    return kPending;
  }

 private:
  bool yielded_ = false;
};

// A child that has run and is the newest in the queue again looks like a new one.
TEST(ForkTest, AChildThatYieldedIsTakenBackWithWhatItHasDone) {
  ManualScheduler scheduler;
  scheduler.GiveBack();
  Gate gate;
  std::optional<int> result;
  int runs = 0;
  auto child = [](Gate& parent_waits, int& count) -> Async<int> {
    ++count;
    parent_waits.Open();
    Yield yield;
    co_await yield;
    co_return 7;
  };
  auto body = [&]() -> Async<> {
    auto forked = Fork(child(gate, runs));
    Gate::Wait wait(gate);
    co_await wait;
    result = co_await forked;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(scheduler.RunOne());
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(scheduler.given_back(), 1u);
  EXPECT_EQ(result, 7);
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(scheduler.RunOne());  // the end of the child's task
  EXPECT_FALSE(scheduler.RunOne());
}

TEST(ForkTest, TakesFuturesAndCallables) {
  ManualScheduler scheduler;
  std::vector<int> results;
  auto body = [&]() -> Async<> {
    int borrowed = 3;
    auto future = Fork(Ready(1));
    auto callable = Fork([]() -> Async<int> { co_return 2; });
    auto borrowing = Fork([&borrowed]() -> Async<int> { co_return borrowed; });
    auto nothing = Fork([]() -> Async<> { co_return; });
    auto reference = Fork([&borrowed]() -> Async<int&> { co_return borrowed; });
    results.push_back(co_await future);
    results.push_back(co_await callable);
    results.push_back(co_await borrowing);
    co_await nothing;
    int& same = co_await reference;
    EXPECT_EQ(&same, &borrowed);
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  EXPECT_THAT(results, ElementsAre(1, 2, 3));
}

TEST(ForkTest, CarriesWhatOnlyMovesFromAnotherTask) {
  ManualScheduler scheduler;
  Gate gate;
  int result = 0;
  auto body = [&]() -> Async<> {
    auto child = Fork([]() -> Async<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
    Gate::Wait wait(gate);
    co_await wait;
    std::unique_ptr<int> value = co_await child;
    result = *value;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  gate.Open();
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(result, 5);
}

TEST(ForkTest, IsAFutureLikeOthers) {
  ManualScheduler scheduler;
  int sum = 0;
  auto body = [&]() -> Async<> {
    auto [a, b, c] = co_await Join(Fork(Value(1)), Value(2), Fork(Fib(5)));
    sum = a + b + static_cast<int>(c);
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(sum, 8);
}

TEST(ForkTest, MovesBeforeTheFirstPoll) {
  ManualScheduler scheduler;
  int sum = 0;
  auto body = [&]() -> Async<> {
    std::vector<Forked<int>> children;
    for (int i = 0; i < 100; ++i) children.push_back(Fork(Value(i)));
    for (Forked<int>& child : children) sum += co_await child;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(sum, 4950);
}

// A chain of forks needs no more of the stack than a chain of children.
TEST(ForkTest, RecursionIsFlat) {
  struct Deep {
    static Async<int> Of(int depth) {
      if (depth == 0) co_return 0;
      auto child = Fork(Of(depth - 1));
      const int below = co_await child;
      co_return below + 1;
    }
  };
  constexpr int kDepth = 200000;
  ManualScheduler scheduler;
  scheduler.GiveBack();
  JoinHandle<int> deep = scheduler.Spawn(Deep::Of(kDepth));
  ASSERT_TRUE(scheduler.RunOne());
  EXPECT_TRUE(deep.finished());
  EXPECT_EQ(scheduler.given_back(), static_cast<std::size_t>(kDepth));
}

TEST(ForkTest, DroppedBeforeItRanIsDestroyedUnrun) {
  ManualScheduler scheduler;
  bool ran = false;
  int destroyed = 0;
  auto child = [](std::unique_ptr<Tracked>, bool& flag) -> Async<> {
    flag = true;
    co_return;
  };
  auto body = [&]() -> Async<> {
    {
      const auto dropped = Fork(child(std::make_unique<Tracked>(destroyed), ran));
    }
    EXPECT_EQ(destroyed, 1);
    co_return;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  EXPECT_FALSE(ran);
}

TEST(ForkTest, DroppedWhileItWaitsIsDestroyedAtOnce) {
  ManualScheduler scheduler;
  Gate parent_gate;
  Gate child_gate;
  int destroyed = 0;
  auto body = [&]() -> Async<> {
    {
      const auto dropped = Fork(TrackedAfter(child_gate, destroyed));
      Gate::Wait wait(parent_gate);
      co_await wait;
      EXPECT_EQ(destroyed, 0);
    }
    EXPECT_EQ(destroyed, 1);
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  EXPECT_TRUE(child_gate.awaited());
  parent_gate.Open();
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  // Its waker leads to a task that has ended.
  child_gate.Open();
  scheduler.RunUntilIdle();
}

TEST(ForkTest, DroppedAfterItEndedLosesItsValue) {
  ManualScheduler scheduler;
  Gate gate;
  int destroyed = 0;
  auto child = [](int& count) -> Async<std::unique_ptr<Tracked>> {
    co_return std::make_unique<Tracked>(count);
  };
  auto body = [&]() -> Async<> {
    {
      const auto dropped = Fork(child(destroyed));
      Gate::Wait wait(gate);
      co_await wait;
      EXPECT_EQ(destroyed, 0);
    }
    EXPECT_EQ(destroyed, 1);
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  gate.Open();
  scheduler.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
}

TEST(ForkTest, IsCancelledWithItsParent) {
  ManualScheduler scheduler;
  Gate parent_gate;
  Gate child_gate;
  int destroyed = 0;
  auto body = [&]() -> Async<> {
    const auto child = Fork(TrackedAfter(child_gate, destroyed));
    Gate::Wait wait(parent_gate);
    co_await wait;
  };
  JoinHandle<void> parent = scheduler.Spawn(body());
  scheduler.RunUntilIdle();
  parent.Abort();
  scheduler.RunUntilIdle();
  EXPECT_EQ(parent.status(), TaskStatus::kCancelled);
  EXPECT_EQ(destroyed, 1);
}

TEST(ForkTest, ShutdownDestroysParentAndChild) {
  for (const bool run : {false, true}) {
    ManualScheduler scheduler;
    Gate parent_gate;
    Gate child_gate;
    int destroyed = 0;
    auto body = [&]() -> Async<> {
      const auto child = Fork(TrackedAfter(child_gate, destroyed));
      Gate::Wait wait(parent_gate);
      co_await wait;
    };
    JoinHandle<void> parent = scheduler.Spawn(body());
    if (run) {
      scheduler.RunUntilIdle();
    } else {
      ASSERT_TRUE(scheduler.RunOne());
    }
    scheduler.Shutdown();
    EXPECT_EQ(parent.status(), TaskStatus::kCancelled);
    EXPECT_EQ(destroyed, run ? 1 : 0);
  }
}

// The executor of the child's task ends first; the child is still its parent's.
TEST(ForkTest, OutlivesTheExecutorThatWasOfferedIt) {
  ManualScheduler outer;
  auto inner = std::make_unique<ManualScheduler>();
  Gate parent_gate;
  Gate child_gate;
  std::optional<int> result;
  auto body = [&]() -> Async<> {
    std::optional<Forked<int>> child;
    {
      const TaskSchedulerScope scope(inner.get());
      child.emplace(Fork(ValueAfter(child_gate, 7)));
    }
    Gate::Wait wait(parent_gate);
    co_await wait;
    result = co_await *child;
  };
  JoinHandle<void> parent = outer.Spawn(body());
  outer.RunUntilIdle();
  inner->RunUntilIdle();
  EXPECT_TRUE(child_gate.awaited());
  inner->Shutdown();
  parent_gate.Open();
  outer.RunUntilIdle();
  EXPECT_FALSE(parent.finished());
  child_gate.Open();
  outer.RunUntilIdle();
  EXPECT_TRUE(parent.finished());
  EXPECT_EQ(result, 7);
}

#if defined(__cpp_exceptions)
TEST(ForkTest, ThrowsWhereItIsAwaited) {
  for (const bool elsewhere : {false, true}) {
    ManualScheduler scheduler;
    Gate gate;
    bool caught = false;
    auto child = []() -> Async<int> {
      throw std::runtime_error("no");
      co_return 1;
    };
    auto body = [&]() -> Async<> {
      auto forked = Fork(child());
      if (elsewhere) {
        Gate::Wait wait(gate);
        co_await wait;
      }
      try {
        int value = co_await forked;
        static_cast<void>(value);
      } catch (const std::runtime_error&) {
        caught = true;
      }
    };
    JoinHandle<void> parent = scheduler.Spawn(body());
    scheduler.RunUntilIdle();
    gate.Open();
    scheduler.RunUntilIdle();
    EXPECT_TRUE(parent.finished());
    EXPECT_TRUE(caught);
    EXPECT_EQ(scheduler.unjoined_exceptions(), 0);
  }
}
#endif

TEST(ForkDeathTest, MisuseIsNamed) {
  EXPECT_DEATH(static_cast<void>(Fork(Value(1))), "Fork");
  EXPECT_DEATH(
      {
        ManualScheduler scheduler;
        auto body = []() -> Async<> {
          auto child = Fork(Value(1));
          int first = co_await child;
          int second = co_await child;
          static_cast<void>(first + second);
        };
        JoinHandle<void> task = scheduler.Spawn(body());
        scheduler.RunUntilIdle();
      },
      "Forked awaited after it was ready");
}

}  // namespace
}  // namespace home
