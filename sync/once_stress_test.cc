// OnceCell, LazyCell, Once and CancellationToken under stress: see stress_testing.h.

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/sync/cancellation_token.h"
#include "home/sync/event.h"
#include "home/sync/once_cell.h"
#include "home/sync/semaphore.h"
#include "home/sync/stress_testing.h"
#include "home/sync/wait_group.h"

namespace home {
namespace {

using sync_testing::kTasks;
using sync_testing::RunAndRelease;

class OnceStressTest : public sync_testing::StressTest {};

Async<int> MakeSlowly(std::atomic<int>* made) {
  co_await YieldNow();
  co_return made->fetch_add(1) + 1;
}
Async<void> Get(OnceCell<int>* cell, std::atomic<int>* made, std::atomic<int>* got,
                WaitGroup::Member member) {
  auto get = cell->GetOrInit([made] { return MakeSlowly(made); });
  const int value = co_await get;
  EXPECT_EQ(value, 1);
  got->fetch_add(1);
  static_cast<void>(member);
}

// One makes the value although others that had begun are aborted; all are counted off.
TEST_P(OnceStressTest, OnceCellAndWaitGroup) {
  Run([](int rounds) -> Async<void> {
    for (int round = 0; round < rounds * 5; ++round) {
      OnceCell<int> cell;
      WaitGroup group;
      std::atomic<int> made{0};
      std::atomic<int> got{0};
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < kTasks; ++i)
        tasks.push_back(Spawn(Get(&cell, &made, &got, group.Join())));
      for (int i = 0; i < round % 3; ++i) co_await YieldNow();
      for (std::size_t i = 0; i < kTasks; i += 2) tasks[i].Abort();
      co_await group.Wait();
      EXPECT_EQ(made, 1);
      EXPECT_GE(got, kTasks / 2);
      for (JoinHandle<void>& task : tasks) {
        const auto ended = co_await task;
        static_cast<void>(ended.ok());
      }
    }
  });
}

template <typename Cell>
Async<void> GetLazily(Cell* cell) {
  auto get = cell->Get();
  const int value = co_await get;
  EXPECT_EQ(value, 1);
}

// The function of the cell is begun anew if who had begun it is aborted.
TEST_P(OnceStressTest, LazyCell) {
  Run([](int rounds) -> Async<void> {
    for (int round = 0; round < rounds * 5; ++round) {
      std::atomic<int> made{0};
      auto make = [&made] { return MakeSlowly(&made); };
      LazyCell<int, decltype(make)> cell(make);
      co_await RunAndRelease(round, [&cell](int) { return GetLazily(&cell); }, [] {});
      EXPECT_EQ(made, 1);
      EXPECT_NE(cell.Peek(), nullptr);
    }
  });
}

Async<void> DoSlowly(std::atomic<int>* done) {
  co_await YieldNow();
  done->fetch_add(1);
}
Async<void> Do(Once* once, std::atomic<int>* done) {
  auto call = once->Call([done] { return DoSlowly(done); });
  co_await call;
  EXPECT_EQ(*done, 1);
}

TEST_P(OnceStressTest, Once) {
  Run([](int rounds) -> Async<void> {
    for (int round = 0; round < rounds * 5; ++round) {
      Once once;
      std::atomic<int> done{0};
      co_await RunAndRelease(round, [&](int) { return Do(&once, &done); }, [] {});
      EXPECT_TRUE(once.IsDone());
    }
  });
}

Async<void> WorkForEver() {
  while (true) co_await YieldNow();
}

// Ends when the token is cancelled, of which it learns in one of the ways that there are.
Async<void> RunUntil(CancellationToken token, int index) {
  const CancellationToken child = token.Child();
  Event told;
  std::atomic<int> calls{0};
  {
    const CancellationCallback callback(child, [&] {
      calls.fetch_add(1);
      told.Set();
    });
    switch (index / 2 % 4) {
      case 0:
        co_await child.Cancelled();
        break;
      case 1:
        co_await told.Wait();
        break;
      case 2: {
        auto run = RunUntilCancelled(child, WorkForEver());
        const absl::Status ended = co_await run;
        EXPECT_TRUE(absl::IsCancelled(ended));
        break;
      }
      default:
        while (!child.IsCancelled()) co_await YieldNow();
    }
  }
  EXPECT_TRUE(token.IsCancelled());
  EXPECT_LE(calls, 1);
}

// All who stay end, though their tokens' siblings go meanwhile; the token above is spared.
TEST_P(OnceStressTest, CancellationTree) {
  Run([](int rounds) -> Async<void> {
    const CancellationToken above;
    for (int round = 0; round < rounds * 5; ++round) {
      const CancellationToken token = above.Child();
      co_await RunAndRelease(
          round, [&token](int i) { return RunUntil(token, i); }, [&token] { token.Cancel(); });
      EXPECT_TRUE(token.Child().IsCancelled());
      EXPECT_FALSE(above.IsCancelled());
    }
  });
}

Async<void> AcquireUntilCancelled(Semaphore* semaphore, CancellationToken token) {
  while (true) {
    auto run = RunUntilCancelled(token, semaphore->Acquire());
    const auto permit = co_await run;
    if (!permit.ok()) co_return;
    co_await YieldNow();
  }
}

// What was granted to a future that a cancellation ends goes on to the next.
TEST_P(OnceStressTest, RunUntilCancelledLosesNoPermit) {
  Run([](int rounds) -> Async<void> {
    Semaphore semaphore(2);
    for (int round = 0; round < rounds * 5; ++round) {
      const CancellationToken token;
      co_await RunAndRelease(
          round, [&](int) { return AcquireUntilCancelled(&semaphore, token.Child()); },
          [&token] { token.Cancel(); });
      EXPECT_EQ(semaphore.available(), 2u);
      EXPECT_TRUE(semaphore.TryAcquire(2).has_value());
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Flavours, OnceStressTest, sync_testing::kStressFlavours,
                         testing::FlavourName);

}  // namespace
}  // namespace home
