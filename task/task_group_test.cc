#include "home/task/task_group.h"

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/task/spawn.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::ManualScheduler;
using testing::PollOnce;

class TaskGroupTest : public ::testing::Test {
 protected:
  ManualScheduler scheduler_;
  const TaskSchedulerScope scope_{&scheduler_};
};

// Opened by hand.
struct Gate {
  Waker waker;
  bool open = false;
  void Open() {
    open = true;
    std::move(waker).Wake();
  }
};
auto Wait(Gate& gate) {
  return PollFn([&gate](Context& cx) -> Poll<void> {
    if (gate.open) return kReady;
    UpdateWaker(gate.waker, cx.waker());
    return kPending;
  });
}

// Adds one while it lives.
class Alive {
 public:
  explicit Alive(std::atomic<int>& count) : count_(&count) { count_->fetch_add(1); }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { count_->fetch_sub(1); }

 private:
  std::atomic<int>* count_;
};

Async<> WaitAlive(Gate& gate, std::atomic<int>& alive) {
  const Alive one(alive);
  co_await Wait(gate);
}

TEST_F(TaskGroupTest, ChildrenBorrowAndAreAwaited) {
  JoinHandle<int> parent = Spawn([]() -> Async<int> {
    int sum = 0;
    auto scope = WithTaskGroup([&sum](TaskGroup& group) -> Async<int> {
      for (int i = 1; i <= 3; ++i) {
        group.Spawn([&sum, i]() -> Async<> {
          co_await testing::Countdown<int>(i, 0);
          sum += i;
        });
      }
      co_return 10;
    });
    absl::StatusOr<int> body = co_await scope;
    co_return *body + sum;
  });
  scheduler_.RunUntilIdle();
  absl::StatusOr<int> total = *PollOnce(parent);
  EXPECT_EQ(*total, 16);
}

TEST_F(TaskGroupTest, YieldsTheBodysValueWhenAllHaveEnded) {
  Gate gate;
  int sum = 0;
  auto scope = WithTaskGroup([&](TaskGroup& group) -> Async<int> {
    group.Spawn(Ready(1));
    group.Spawn([&]() -> Async<> {
      co_await Wait(gate);
      sum += 1;
      group.Spawn([&sum]() -> Async<> {
        sum += 10;
        co_return;
      });
    });
    co_return 5;
  });
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(scope, counter).pending());
  scheduler_.RunUntilIdle();
  EXPECT_EQ(counter.wakes(), 0);
  gate.Open();
  scheduler_.RunUntilIdle();
  EXPECT_EQ(counter.wakes(), 1);
  absl::StatusOr<int> value = *PollOnce(scope, counter);
  EXPECT_EQ(*value, 5);
  EXPECT_EQ(sum, 11);
}

TEST_F(TaskGroupTest, TheFirstErrorCancelsTheRest) {
  Gate gate;
  Gate never;
  std::atomic<int> alive{0};
  auto scope = WithTaskGroup([&](TaskGroup& group) -> Async<> {
    const Alive body(alive);
    for (int i = 0; i < 3; ++i) group.Spawn(WaitAlive(never, alive));
    group.Spawn([&]() -> Async<absl::Status> {
      co_await Wait(gate);
      co_return absl::DataLossError("first");
    });
    co_await PendingForever<void>();
  });
  CountingWaker counter;
  EXPECT_TRUE(PollOnce(scope, counter).pending());
  scheduler_.RunUntilIdle();
  EXPECT_EQ(alive.load(), 4);
  gate.Open();
  scheduler_.RunUntilIdle();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(scope, counter).pending());  // asks them to end
  scheduler_.RunUntilIdle();
  absl::Status status = *PollOnce(scope, counter);
  EXPECT_EQ(status, absl::DataLossError("first"));
  EXPECT_EQ(alive.load(), 0);
}

TEST_F(TaskGroupTest, AnExceptionOfAChildIsRethrown) {
  auto scope = WithTaskGroup([](TaskGroup& group) -> Async<> {
    group.Spawn([]() -> Async<> {
      co_await Ready();
      throw std::runtime_error("child");
    });
    co_return;
  });
  EXPECT_TRUE(PollOnce(scope).pending());
  scheduler_.RunUntilIdle();
  EXPECT_THROW(static_cast<void>(PollOnce(scope)), std::runtime_error);
  EXPECT_EQ(scheduler_.unjoined_exceptions(), 0);
}

TEST_F(TaskGroupTest, TheBodysErrorCancelsTheChildren) {
  Gate never;
  std::atomic<int> alive{0};
  auto scope = WithTaskGroup([&](TaskGroup& group) -> Async<absl::Status> {
    group.Spawn(WaitAlive(never, alive));
    co_return absl::AbortedError("body");
  });
  EXPECT_TRUE(PollOnce(scope).pending());
  scheduler_.RunUntilIdle();
  absl::Status status = *PollOnce(scope);
  EXPECT_EQ(status, absl::AbortedError("body"));
  EXPECT_EQ(alive.load(), 0);
}

TEST_F(TaskGroupTest, CancelEndsTheScopeAndRefusesChildren) {
  bool ran = false;
  auto scope = WithTaskGroup([&ran](TaskGroup& group) -> Async<> {
    group.Spawn(PendingForever<void>());
    EXPECT_EQ(group.size(), 1u);
    group.Cancel();
    group.Spawn([&ran]() -> Async<> {
      ran = true;
      co_return;
    });
    EXPECT_EQ(group.size(), 1u);
    co_return;
  });
  EXPECT_TRUE(PollOnce(scope).pending());
  scheduler_.RunUntilIdle();
  absl::Status status = *PollOnce(scope);
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_FALSE(ran);
}

TEST_F(TaskGroupTest, DroppingItEndsChildrenThatWaitAndThatAreQueued) {
  Gate never;
  std::atomic<int> alive{0};
  auto token = std::make_shared<int>(0);
  {
    auto scope = WithTaskGroup([&](TaskGroup& group) -> Async<> {
      group.Spawn(WaitAlive(never, alive));
      co_await testing::Countdown<int>(2, 0);
      group.Spawn([token]() -> Async<> { co_return; });
      co_await PendingForever<void>();
    });
    EXPECT_TRUE(PollOnce(scope).pending());
    scheduler_.RunUntilIdle();
    EXPECT_EQ(alive.load(), 1);
    EXPECT_TRUE(PollOnce(scope).pending());
    EXPECT_EQ(token.use_count(), 2);  // here, and in the child that is queued
  }
  EXPECT_EQ(alive.load(), 0);
  EXPECT_EQ(token.use_count(), 1);
  scheduler_.RunUntilIdle();
}

// A child is in the middle of a poll on another thread while the scope goes.
TEST(TaskGroupStressTest, DroppingItWaitsForAPollUnderWay) {
  for (int round = 0; round < 200; ++round) {
    ManualScheduler scheduler;
    std::atomic<bool> polling{false};
    std::atomic<bool> dropping{false};
    std::atomic<bool> polled{false};
    std::thread runner;
    {
      const TaskSchedulerScope scope(&scheduler);
      auto group = WithTaskGroup([&](TaskGroup& of) -> Async<> {
        of.Spawn(PollFn([&](Context&) -> Poll<void> {
          polling.store(true);
          while (!dropping.load()) std::this_thread::yield();
          for (int i = 0; i < round % 20; ++i) std::this_thread::yield();
          polled.store(true);
          return kPending;
        }));
        co_return;
      });
      EXPECT_TRUE(PollOnce(group).pending());
      runner = std::thread([&] { scheduler.RunUntilIdle(); });
      while (!polling.load()) std::this_thread::yield();
      dropping.store(true);
    }
    EXPECT_TRUE(polled.load());
    runner.join();
    scheduler.RunUntilIdle();
  }
}

// A child that wakes itself in each poll would be polled for ever, and the scope would wait
// for the end of one poll after the other.
TEST(TaskGroupStressTest, DroppingItEndsAChildThatNeverStopsWakingItself) {
  ManualScheduler scheduler;
  std::atomic<int> polls{0};
  std::thread runner;
  {
    const TaskSchedulerScope scope(&scheduler);
    auto group = WithTaskGroup([&](TaskGroup& of) -> Async<> {
      of.Spawn(PollFn([&](Context& cx) -> Poll<void> {
        polls.fetch_add(1);
        std::this_thread::yield();
        cx.waker().WakeByRef();
        return kPending;
      }));
      co_return;
    });
    EXPECT_TRUE(PollOnce(group).pending());
    runner = std::thread([&] { scheduler.RunUntilIdle(); });
    while (polls.load() < 10) std::this_thread::yield();
  }
  runner.join();
}

// The second failure's exception is nobody's, and its destructor the user's code.
TEST_F(TaskGroupTest, AnExceptionThatUsesTheGroupMayDieUnseen) {
  struct Curious {
    explicit Curious(TaskGroup* group) : of(group) {}
    Curious(const Curious& other) = default;
    ~Curious() { static_cast<void>(of->size()); }
    TaskGroup* of;
  };
  auto group = WithTaskGroup([](TaskGroup& of) -> Async<> {
    for (int i = 0; i < 2; ++i) {
      of.Spawn([&of]() -> Async<> {
        throw Curious(&of);
        co_return;
      });
    }
    co_return;
  });
  EXPECT_TRUE(PollOnce(group).pending());
  scheduler_.RunUntilIdle();
  EXPECT_THROW(static_cast<void>(PollOnce(group)), Curious);
}

// Children end, fail, and are woken and aborted while the scope goes.
TEST(TaskGroupStressTest, TheScopeGoesWhileChildrenRun) {
  for (int round = 0; round < 500; ++round) {
    ManualScheduler scheduler;
    std::atomic<int> alive{0};
    CountingWaker counter;
    std::thread runner;
    std::atomic<bool> running{false};
    {
      const TaskSchedulerScope scope(&scheduler);
      auto group = WithTaskGroup([&](TaskGroup& of) -> Async<> {
        for (int i = 0; i < 6; ++i) {
          of.Spawn([&alive, &of, i, round]() -> Async<absl::Status> {
            const Alive one(alive);
            co_await testing::Countdown<int>(1 + i % 3, 0);
            if (i == 3) of.Spawn(testing::Countdown<int>(2, 0));
            if (round % 3 == 0 && i == 4) co_return absl::AbortedError("child");
            co_return absl::OkStatus();
          });
        }
        co_return;
      });
      bool ended = PollOnce(group, counter).ready();
      runner = std::thread([&] {
        running.store(true);
        scheduler.RunUntilIdle();
      });
      while (!running.load()) std::this_thread::yield();
      // Goes on as long as it is woken, in every other round.
      while (round % 2 == 0 && !ended) {
        const int woken = counter.wakes();
        ended = PollOnce(group, counter).ready();
        if (ended) break;
        while (counter.wakes() == woken) {
          // What was aborted after the runner had ended.
          std::this_thread::yield();
          if (runner.joinable() && round % 3 == 0) {
            runner.join();
            scheduler.RunUntilIdle();
          }
        }
      }
    }
    EXPECT_EQ(alive.load(), 0);
    if (runner.joinable()) runner.join();
    scheduler.RunUntilIdle();
  }
}

TEST(TaskGroupDeathTest, AChildThatDestroysItsOwnGroupIsNamed) {
  EXPECT_DEATH(
      {
        ManualScheduler scheduler;
        const TaskSchedulerScope scope(&scheduler);
        std::optional<JoinHandle<void>> parent;
        auto body = [&](TaskGroup& group) -> Async<> {
          group.Spawn(PollFn([&](Context&) -> Poll<void> {
            scheduler.Shutdown();
            return kPending;
          }));
          co_await PendingForever<void>();
        };
        parent = Spawn([&]() -> Async<> {
          auto in = WithTaskGroup(body);
          static_cast<void>(co_await in);
        });
        scheduler.RunUntilIdle();
      },
      "a child of: it would wait for itself");
}

}  // namespace
}  // namespace home
