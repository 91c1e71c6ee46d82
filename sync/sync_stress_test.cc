// The primitives between tasks on the runtime, of which many are aborted in the middle: nothing
// that was granted is lost, and nobody sleeps for ever. On threads, and on the simulated flavour,
// where sync_simulation_test runs it under many seeds.

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/sync/barrier.h"
#include "home/sync/condvar.h"
#include "home/sync/event.h"
#include "home/sync/mutex.h"
#include "home/sync/notify.h"
#include "home/sync/once_cell.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/sync/wait_group.h"

namespace home {
namespace {

using testing::Flavour;

constexpr int kTasks = 8;

class SyncStressTest : public ::testing::TestWithParam<Flavour> {
 protected:
  SyncStressTest() : runtime_(testing::MakeRuntime(GetParam())) {}

  // Runs `work(rounds)`: few where a seed makes each run another one.
  template <typename Work>
  void Run(Work work) {
    runtime_.BlockOn(work(GetParam() == Flavour::kSimulated ? 8 : 60));
  }

  Runtime runtime_;
};

// Spawns tasks of `work(index)`, which never end by themselves, and aborts them after a while in
// an order that changes with the round.
template <typename Work>
Async<void> RunAndAbort(int round, Work work) {
  std::vector<JoinHandle<void>> tasks;
  for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(work(i)));
  for (int i = 0; i < round % 7 * 10; ++i) co_await YieldNow();
  for (int i = 0; i < kTasks; ++i) {
    tasks[static_cast<std::size_t>((i + round) % kTasks)].Abort();
    if (round % 2 == 0) co_await YieldNow();
  }
  for (JoinHandle<void>& task : tasks) {
    const auto ended = co_await task;
    EXPECT_FALSE(ended.ok());
  }
}

// Whoever has the lock, until it ends or is aborted.
class Inside {
 public:
  explicit Inside(int* count) : count_(count) { EXPECT_EQ((*count_)++, 0); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { --*count_; }

 private:
  int* count_;
};

Async<void> LockForEver(Mutex<int>* mutex, int index) {
  for (int i = index;; ++i) {
    auto guard = co_await mutex->Lock();
    const Inside inside(&*guard);
    if (i % 2 == 0) co_await YieldNow();
  }
}

TEST_P(SyncStressTest, Mutex) {
  Run([](int rounds) -> Async<void> {
    Mutex<int> mutex;
    for (int round = 0; round < rounds; ++round) {
      co_await RunAndAbort(round, [&mutex](int i) { return LockForEver(&mutex, i); });
      EXPECT_TRUE(mutex.TryLock().has_value());
    }
  });
}

Async<void> AcquireForEver(Semaphore* semaphore, std::atomic<std::size_t>* used, std::size_t most,
                           int index) {
  while (true) {
    const std::size_t count = static_cast<std::size_t>(index % 3) + 1;
    auto permit = co_await semaphore->Acquire(count);
    if (!permit.ok()) co_return;
    EXPECT_LE(used->fetch_add(count) + count, most);
    used->fetch_sub(count);
    if (index % 2 == 0) co_await YieldNow();
  }
}

TEST_P(SyncStressTest, Semaphore) {
  Run([](int rounds) -> Async<void> {
    Semaphore semaphore(4);
    std::atomic<std::size_t> used{0};
    for (int round = 0; round < rounds; ++round) {
      co_await RunAndAbort(round, [&](int i) { return AcquireForEver(&semaphore, &used, 4, i); });
      EXPECT_EQ(semaphore.available(), 4u);
      EXPECT_TRUE(semaphore.TryAcquire(4).has_value());
    }
  });
}

// Adds to the permits and takes as many away once they are free.
Async<void> ResizeForEver(Semaphore* semaphore, std::atomic<std::size_t>* added) {
  while (true) {
    std::size_t mine = 2;
    semaphore->Add(mine);
    added->fetch_add(mine);
    while (mine > 0) {
      co_await YieldNow();
      const std::size_t some = semaphore->Forget(mine);
      added->fetch_sub(some);
      mine -= some;
    }
  }
}

// Close() ends all that are not aborted before.
TEST_P(SyncStressTest, SemaphoreThatChangesAndCloses) {
  Run([](int rounds) -> Async<void> {
    std::atomic<std::size_t> used{0};
    for (int round = 0; round < rounds; ++round) {
      Semaphore semaphore(4);
      std::atomic<std::size_t> added{0};
      co_await RunAndAbort(round, [&](int i) {
        return i % 4 == 3 ? ResizeForEver(&semaphore, &added)
                          : AcquireForEver(&semaphore, &used, 8, i);
      });
      EXPECT_EQ(semaphore.available(), 4 + added);
      EXPECT_EQ(semaphore.Forget(added), added);
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < kTasks; ++i) {
        tasks.push_back(Spawn(AcquireForEver(&semaphore, &used, 4, i)));
      }
      for (int i = 0; i < round % 3; ++i) co_await YieldNow();
      const auto aborted = static_cast<std::size_t>(round % kTasks);
      tasks[aborted].Abort();
      semaphore.Close();
      for (std::size_t i = 0; i < kTasks; ++i) {
        const auto ended = co_await tasks[i];
        EXPECT_TRUE(ended.ok() || i == aborted);
      }
      EXPECT_EQ(semaphore.available(), 4u);
    }
  });
}

// Whether somebody writes, and how many read.
struct Room {
  std::atomic<int> readers{0};
  std::atomic<int> writers{0};

  void Read() {
    readers.fetch_add(1);
    EXPECT_EQ(writers.load(), 0);
    readers.fetch_sub(1);
  }
  void Write() {
    EXPECT_EQ(writers.fetch_add(1), 0);
    EXPECT_EQ(readers.load(), 0);
    writers.fetch_sub(1);
  }
};

Async<void> ReadAndWriteForEver(RwLock<std::unique_ptr<Room>>* lock, int index) {
  for (int i = index;; ++i) {
    if (i % 4 == 0) {
      auto writing = co_await lock->Write();
      (*writing)->Write();
      co_await YieldNow();
      auto reading = std::move(writing).Downgrade();
      (*reading)->Read();
    } else if (i % 4 == 1) {
      auto looking = co_await lock->UpgradableRead();
      (*looking)->Read();
      auto upgrade = std::move(looking).Upgrade();
      auto writing = co_await upgrade;
      (*writing)->Write();
    } else {
      auto reading = co_await lock->Read();
      (*reading)->Read();
      if (i % 3 == 0) co_await YieldNow();
    }
  }
}

TEST_P(SyncStressTest, RwLock) {
  for (const RwLockMode mode : {RwLockMode::kFair, RwLockMode::kPreferWriters}) {
    Run([mode](int rounds) -> Async<void> {
      RwLock<std::unique_ptr<Room>> lock(mode, std::make_unique<Room>());
      for (int round = 0; round < rounds; ++round) {
        co_await RunAndAbort(round, [&lock](int i) { return ReadAndWriteForEver(&lock, i); });
        EXPECT_TRUE(lock.TryWrite().has_value());
      }
    });
  }
}

// Each item that was pushed is popped, though those who are told of it may be aborted then.
Async<void> PopForEver(Mutex<int>* items, Condvar* changed, std::atomic<int>* popped) {
  while (true) {
    auto guard = co_await items->Lock();
    while (*guard == 0) guard = co_await changed->Wait(std::move(guard));
    --*guard;
    popped->fetch_add(1);
  }
}

TEST_P(SyncStressTest, Condvar) {
  Run([](int rounds) -> Async<void> {
    Mutex<int> items;
    Condvar changed;
    std::atomic<int> popped{0};
    int pushed = 0;
    for (int round = 0; round < rounds; ++round) {
      auto pop = [&] { return PopForEver(&items, &changed, &popped); };
      auto stays = Spawn(pop());
      auto goes = Spawn(pop());
      for (int i = 0; i < 20; ++i) {
        {
          auto guard = co_await items.Lock();
          ++*guard;
          ++pushed;
        }
        changed.NotifyOne();
        if (i == round % 20) goes.Abort();
      }
      while (popped != pushed) co_await YieldNow();
      stays.Abort();
      const auto first = co_await stays;
      const auto second = co_await goes;
      EXPECT_FALSE(first.ok() || second.ok());
    }
  });
}

Async<void> WaitForEver(Notify* notify, std::atomic<int>* seen) {
  while (true) {
    co_await notify->Wait();
    seen->fetch_add(1);
  }
}

// A notification is never lost, though who got it may be aborted.
TEST_P(SyncStressTest, Notify) {
  Run([](int rounds) -> Async<void> {
    Notify notify;
    for (int round = 0; round < rounds * 10; ++round) {
      std::atomic<int> seen{0};
      auto stays = Spawn(WaitForEver(&notify, &seen));
      auto goes = Spawn(WaitForEver(&notify, &seen));
      for (int i = 0; i < round % 4; ++i) co_await YieldNow();
      notify.NotifyOne();
      goes.Abort();
      const auto gone = co_await goes;
      EXPECT_FALSE(gone.ok());
      while (seen == 0) co_await YieldNow();
      stays.Abort();
      const auto ended = co_await stays;
      EXPECT_FALSE(ended.ok());
      static_cast<void>(notify.TryWait());
    }
  });
}

Async<int> Meet(Barrier* barrier, int rounds) {
  int led = 0;
  for (int i = 0; i < rounds; ++i) {
    const bool leads = co_await barrier->Wait();
    if (leads) ++led;
  }
  co_return led;
}

Async<void> MeetForEver(Barrier* barrier, std::atomic<int>* led, std::atomic<int>* followed) {
  while (true) {
    const bool leads = co_await barrier->Wait();
    (leads ? led : followed)->fetch_add(1);
  }
}

TEST_P(SyncStressTest, Barrier) {
  Run([](int rounds) -> Async<void> {
    Barrier barrier(kTasks);
    std::vector<JoinHandle<int>> tasks;
    for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(Meet(&barrier, rounds * 10)));
    int led = 0;
    for (JoinHandle<int>& task : tasks) {
      const auto part = co_await task;
      led += *part;
    }
    EXPECT_EQ(led, rounds * 10);
  });
}

// Who is aborted takes its arrival back: as many as the barrier is for still meet.
TEST_P(SyncStressTest, BarrierOfAbortedTasks) {
  Run([](int rounds) -> Async<void> {
    constexpr int kMeet = 3;
    Barrier barrier(kMeet);
    for (int round = 0; round < rounds; ++round) {
      std::atomic<int> led{0};
      std::atomic<int> followed{0};
      co_await RunAndAbort(round, [&](int) { return MeetForEver(&barrier, &led, &followed); });
      EXPECT_LE(followed, led * (kMeet - 1));
      std::vector<JoinHandle<int>> tasks;
      for (int i = 0; i < kMeet; ++i) tasks.push_back(Spawn(Meet(&barrier, 1)));
      int leaders = 0;
      for (JoinHandle<int>& task : tasks) {
        const auto part = co_await task;
        leaders += *part;
      }
      EXPECT_EQ(leaders, 1);
    }
  });
}

Async<void> AwaitEvent(Event* event) { co_await event->Wait(); }

// All who stay are released, though their neighbours are aborted meanwhile.
TEST_P(SyncStressTest, Event) {
  Run([](int rounds) -> Async<void> {
    Event event;
    for (int round = 0; round < rounds * 5; ++round) {
      event.Reset();
      std::vector<JoinHandle<void>> tasks;
      for (int i = 0; i < kTasks; ++i) tasks.push_back(Spawn(AwaitEvent(&event)));
      for (int i = 0; i < round % 3; ++i) co_await YieldNow();
      const auto set_at = static_cast<std::size_t>(round % kTasks);
      for (std::size_t i = 0; i < kTasks; ++i) {
        if (i % 2 == 0) tasks[i].Abort();
        if (i == set_at) event.Set();
      }
      for (std::size_t i = 0; i < kTasks; ++i) {
        const auto ended = co_await tasks[i];
        EXPECT_TRUE(ended.ok() || i % 2 == 0);
      }
    }
  });
}

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
TEST_P(SyncStressTest, OnceCellAndWaitGroup) {
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

INSTANTIATE_TEST_SUITE_P(Flavours, SyncStressTest,
                         ::testing::Values(Flavour::kCurrentThread, Flavour::kFourWorkers,
                                           Flavour::kSimulated),
                         testing::FlavourName);

}  // namespace
}  // namespace home
