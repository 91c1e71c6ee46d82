// Run, wake, abort, join and drop-handle of one task from different threads at
// once: under ThreadSanitizer and AddressSanitizer this is the test of the
// state word's orders and of the reference count. And the ids of tasks, drawn by
// several threads.

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/future/ready.h"
#include "home/future/testing.h"
#include "home/parker/barrier_testing.h"
#include "home/task/task_id.h"
#include "home/task/testing.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::ManualScheduler;
using testing::PollOnce;

constexpr int kRounds = 2000;

// A mailbox for the wakers of the task under test.
class WakerBox {
 public:
  void Put(Waker waker) {
    const std::lock_guard lock(mutex_);
    waker_ = std::move(waker);
  }
  Waker Take() {
    const std::lock_guard lock(mutex_);
    return std::move(waker_);
  }

 private:
  std::mutex mutex_;
  Waker waker_;
};

TEST(TaskStressTest, WakesAbortsAndJoinsRaceWithTheRun) {
  for (int round = 0; round < kRounds; ++round) {
    ManualScheduler scheduler;
    WakerBox box;
    std::atomic<int> stage{0};
    int unguarded = 0;  // touched by the polls alone: the state word orders them
    std::optional<JoinHandle<int>> handle(scheduler.Spawn(PollFn([&](Context& cx) -> Poll<int> {
      ++unguarded;
      box.Put(cx.waker().Clone());
      if (stage.load() >= 3) return unguarded;
      return kPending;
    })));
    AbortHandle abort = handle->abort_handle();
    const bool aborts = round % 3 == 0;
    const bool drops = round % 4 == 0;
    CountingWaker counter;
    std::thread waker_thread([&] {
      for (int i = 0; i < 3; ++i) {
        stage.fetch_add(1);
        Waker waker = box.Take();
        if (i % 2 == 0) waker.WakeByRef();
        std::move(waker).Wake();
        std::this_thread::yield();
      }
    });
    std::thread join_thread([&] {
      if (drops) {
        if (round % 8 == 0) static_cast<void>(PollOnce(*handle, counter));
        handle.reset();
        return;
      }
      while (PollOnce(*handle, counter).pending()) std::this_thread::yield();
    });
    std::thread abort_thread([&] {
      if (aborts) abort.Abort();
    });
    std::thread run_thread([&] {
      for (int i = 0; i < 5; ++i) {
        scheduler.RunUntilIdle();
        std::this_thread::yield();
      }
      waker_thread.join();
      // A waker may have been put after its last take: the join must end.
      box.Take().WakeByRef();
      while (abort.status() == TaskStatus::kPending || abort.status() == TaskStatus::kRunning) {
        box.Take().WakeByRef();
        scheduler.RunUntilIdle();
      }
    });
    run_thread.join();
    abort_thread.join();
    join_thread.join();
    EXPECT_EQ(counter.alive(), 0);
  }
}

// The handle is polled with two wakers in turn while the task completes: the one
// that was registered last is woken, and none is dropped twice.
TEST(TaskStressTest, TheJoinWakerChangesWhileTheTaskCompletes) {
  for (int round = 0; round < kRounds; ++round) {
    ManualScheduler scheduler;
    JoinHandle<int> handle = scheduler.Spawn(Ready(round));
    CountingWaker counters[2];
    std::atomic<int> ready{0};
    std::thread joiner([&] {
      ready.store(1);
      for (int i = 0;; ++i) {
        CountingWaker& counter = counters[i % 2];
        const int woken = counter.wakes();
        auto joined = PollOnce(handle, counter);
        if (joined.ready()) {
          EXPECT_EQ(**joined, round);
          break;
        }
        if (i < 20) continue;
        // From here on only the wake-up tells.
        while (counter.wakes() == woken) std::this_thread::yield();
      }
    });
    while (ready.load() == 0) std::this_thread::yield();
    scheduler.RunUntilIdle();
    joiner.join();
    EXPECT_EQ(counters[0].alive(), 0);
    EXPECT_EQ(counters[1].alive(), 0);
  }
}

TEST(TaskStressTest, TheLastReferenceMayGoOnAnyThread) {
  for (int round = 0; round < kRounds; ++round) {
    auto canary = std::make_shared<int>(0);
    {
      ManualScheduler scheduler;
      JoinHandle<std::shared_ptr<int>> handle =
          scheduler.Spawn([canary]() -> Async<std::shared_ptr<int>> { co_return canary; });
      AbortHandle abort = handle.abort_handle();
      std::thread drop([handle = std::move(handle)]() mutable { handle.Detach(); });
      std::thread release(
          [abort = std::move(abort)]() mutable { AbortHandle gone(std::move(abort)); });
      scheduler.RunUntilIdle();
      drop.join();
      release.join();
    }
    EXPECT_EQ(canary.use_count(), 1);
  }
}

TEST(TaskStressTest, IdsDrawnOnSeveralThreadsAreUnique) {
  constexpr std::size_t kThreads = 4;
  // Several of the blocks that a thread takes at once.
  constexpr std::size_t kIdsEach = 10'000;
  std::vector<std::vector<TaskId>> drawn(kThreads);
  testing::Barrier all_there(kThreads);
  std::vector<std::thread> threads;
  for (std::vector<TaskId>& ids : drawn) {
    threads.emplace_back([&ids, &all_there] {
      ids.reserve(kIdsEach);
      all_there.ArriveAndWait();
      while (ids.size() < kIdsEach) ids.push_back(TaskId::Next());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<TaskId> unique;
  for (const std::vector<TaskId>& ids : drawn) unique.insert(ids.begin(), ids.end());
  EXPECT_EQ(unique.size(), kThreads * kIdsEach);
  EXPECT_FALSE(unique.contains(TaskId()));
}

}  // namespace
}  // namespace home
