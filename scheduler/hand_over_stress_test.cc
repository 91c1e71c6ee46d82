// Tasks that await a task which they have just spawned: workers hand over from one to the
// other and back (run_task.h), unless thieves, aborts and shutdowns come in between.

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/future/waker.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/yield.h"
#include "home/task/join_handle.h"
#include "home/task/spawn.h"
#include "home/timer/sleep.h"

namespace home {
namespace {

constexpr int kTasks = 16;
constexpr int kRounds = 2000;

Async<int> Child(int kind) {
  switch (kind % 4) {
    case 1:
      co_await YieldNow();
      break;
    case 2:
      // Two levels: what is handed over to does not hand over.
      co_return (co_await Spawn(Ready(kind))).value_or(-1);
    default:
      break;
  }
  co_return kind;
}

// Spawns and awaits, again and again. Returns how many children yielded their value.
Async<int> Parent(int rounds, int salt) {
  int right = 0;
  for (int i = 0; i < rounds; ++i) {
    JoinHandle<int> child = Spawn(Child(i ^ salt));
    const absl::StatusOr<int> value = co_await child;
    if (value.ok() && *value == (i ^ salt)) ++right;
  }
  co_return right;
}

class HandOverStressTest : public ::testing::TestWithParam<int> {
 protected:
  Runtime MakeRuntime() {
    return *RuntimeBuilder().WorkerThreads(static_cast<std::size_t>(GetParam())).Build();
  }
};

// What a task hands over to runs inside of its turn.
TEST(HandOverTest, TheParentRunsMeanwhile) {
  Runtime runtime = *RuntimeBuilder().WorkerThreads(1).Build();
  std::optional<AbortHandle> self;
  // release: the handle is there. pairs with: the acquire.
  std::atomic<bool> known{false};
  JoinHandle<TaskStatus> parent = runtime.Spawn([&]() -> Async<TaskStatus> {
    while (!known.load(std::memory_order_acquire)) co_await YieldNow();
    auto look = [&self]() -> Async<TaskStatus> { co_return self->status(); };
    JoinHandle<TaskStatus> child = Spawn(look);
    co_return (co_await child).value_or(TaskStatus::kFailed);
  });
  self.emplace(parent.abort_handle());
  known.store(true, std::memory_order_release);
  EXPECT_EQ(runtime.BlockOn(std::move(parent)).value_or(TaskStatus::kFailed), TaskStatus::kRunning);
}

TEST_P(HandOverStressTest, EveryChildIsJoined) {
  Runtime runtime = MakeRuntime();
  std::vector<JoinHandle<int>> parents;
  for (int i = 0; i < kTasks; ++i) parents.push_back(runtime.Spawn(Parent(kRounds, i)));
  for (JoinHandle<int>& parent : parents) {
    EXPECT_EQ(runtime.BlockOn(std::move(parent)).value_or(-1), kRounds);
  }
}

// A task that hands over again and again keeps nobody from running.
TEST_P(HandOverStressTest, OthersHaveTheirTurn) {
  Runtime runtime = MakeRuntime();
  // relaxed, here and below: a flag; what follows is ordered by the joins.
  std::atomic<bool> stop{false};
  std::vector<JoinHandle<void>> parents;
  for (int i = 0; i < GetParam(); ++i) {
    parents.push_back(runtime.Spawn([&stop]() -> Async<> {
      while (!stop.load(std::memory_order_relaxed)) {
        static_cast<void>(co_await Spawn(Ready(1)));
      }
    }));
  }
  runtime.BlockOn(runtime.Spawn([]() -> Async<> { co_await Sleep(absl::Milliseconds(1)); }))
      .IgnoreError();
  stop.store(true, std::memory_order_relaxed);
  for (JoinHandle<void>& parent : parents) {
    EXPECT_TRUE(runtime.BlockOn(std::move(parent)).ok());
  }
}

// Parents are aborted wherever they are.
TEST_P(HandOverStressTest, AbortsOfParents) {
  Runtime runtime = MakeRuntime();
  for (int i = 0; i < 200; ++i) {
    JoinHandle<int> parent = runtime.Spawn(Parent(1'000'000, i));
    if (i % 2 == 0) {
      runtime.BlockOn(runtime.Spawn(Parent(i % 16, i))).IgnoreError();
    }
    parent.Abort();
    EXPECT_EQ(runtime.BlockOn(std::move(parent)).status().code(), absl::StatusCode::kCancelled);
  }
}

TEST_P(HandOverStressTest, Shutdowns) {
  for (int i = 0; i < 50; ++i) {
    Runtime runtime = MakeRuntime();
    for (int task = 0; task < kTasks; ++task) runtime.Spawn(Parent(1'000'000, task)).Detach();
    runtime.BlockOn(runtime.Spawn(Parent(i, i))).IgnoreError();
  }
}

// What one thread leaves for another, the last of it.
struct Mailbox {
  // Returns what was there.
  template <typename T>
  T Swap(T& place, T value) {
    const std::lock_guard lock(mutex);
    return std::exchange(place, std::move(value));
  }
  std::mutex mutex;
  Waker waker;
  std::optional<AbortHandle> abort;
};

// Leaves its waker, and is ready at once.
struct LeavesWaker {
  using Output = int;
  home::Poll<int> Poll(Context& cx) {
    static_cast<void>(mailbox->Swap(mailbox->waker, cx.waker().Clone()));
    return value;
  }
  Mailbox* mailbox;
  int value;
};

// A task that is handed over to is run and completed without an RMW if nobody else can reach
// it: here another thread can, or could until a moment ago.
TEST_P(HandOverStressTest, OthersHaveReferences) {
  Runtime runtime = MakeRuntime();
  std::vector<std::unique_ptr<Mailbox>> mailboxes;
  for (int i = 0; i < GetParam(); ++i) mailboxes.push_back(std::make_unique<Mailbox>());
  // relaxed, here and below: a flag; what follows is ordered by the join.
  std::atomic<bool> stop{false};
  std::thread bystander([&] {
    for (int i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      for (const std::unique_ptr<Mailbox>& mailbox : mailboxes) {
        Waker waker = mailbox->Swap(mailbox->waker, Waker());
        if (i % 2 == 0) std::move(waker).Wake();
        const std::optional<AbortHandle> abort =
            mailbox->Swap(mailbox->abort, std::optional<AbortHandle>());
        if (abort && i % 3 == 0) abort->Abort();
      }
    }
  });
  std::vector<JoinHandle<int>> parents;
  for (const std::unique_ptr<Mailbox>& mailbox : mailboxes) {
    parents.push_back(runtime.Spawn([box = mailbox.get()]() -> Async<int> {
      int wrong = 0;
      for (int i = 0; i < kRounds; ++i) {
        const bool abortable = i % 4 == 0;
        JoinHandle<int> child = Spawn(LeavesWaker{box, i});
        if (abortable)
          static_cast<void>(box->Swap(box->abort, std::optional(child.abort_handle())));
        const absl::StatusOr<int> value = co_await child;
        const bool right =
            value.ok() ? *value == i : abortable && absl::IsCancelled(value.status());
        if (!right) ++wrong;
      }
      co_return wrong;
    }));
  }
  for (JoinHandle<int>& parent : parents) {
    EXPECT_EQ(runtime.BlockOn(std::move(parent)).value_or(-1), 0);
  }
  stop.store(true, std::memory_order_relaxed);
  bystander.join();
}

INSTANTIATE_TEST_SUITE_P(Workers, HandOverStressTest, ::testing::Values(1, 2, 4));

}  // namespace
}  // namespace home
