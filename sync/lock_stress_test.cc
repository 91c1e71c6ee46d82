// Mutex, Condvar, RwLock and Semaphore under stress: see stress_testing.h.

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/async.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/testing.h"
#include "home/sync/condvar.h"
#include "home/sync/mutex.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/sync/stress_testing.h"

namespace home {
namespace {

using sync_testing::kTasks;
using sync_testing::RunAndAbort;
using sync_testing::RunAndRelease;

class LockStressTest : public sync_testing::StressTest {};

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

TEST_P(LockStressTest, Mutex) {
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

TEST_P(LockStressTest, Semaphore) {
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
TEST_P(LockStressTest, SemaphoreThatChangesAndCloses) {
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
  int writes = 0;

  // How often somebody has written.
  int Read() {
    readers.fetch_add(1);
    EXPECT_EQ(writers.load(), 0);
    const int seen = writes;
    readers.fetch_sub(1);
    return seen;
  }
  int Write() {
    EXPECT_EQ(writers.fetch_add(1), 0);
    EXPECT_EQ(readers.load(), 0);
    const int written = ++writes;
    writers.fetch_sub(1);
    return written;
  }
};
using RoomLock = RwLock<std::unique_ptr<Room>>;

Async<void> ReadAndWriteForEver(RoomLock* lock, int index) {
  for (int i = index;; ++i) {
    if (i % 5 == 0) {
      auto writing = co_await lock->Write();
      const int written = (*writing)->Write();
      co_await YieldNow();
      auto reading = std::move(writing).Downgrade();
      EXPECT_EQ((*reading)->Read(), written);
    } else if (i % 5 == 1) {
      auto looking = co_await lock->UpgradableRead();
      const int seen = (*looking)->Read();
      auto upgrade = std::move(looking).Upgrade();
      auto writing = co_await upgrade;
      EXPECT_EQ((*writing)->Write(), seen + 1);
    } else if (i % 5 == 2) {
      auto writing = co_await lock->Write();
      const int written = (*writing)->Write();
      auto looking = std::move(writing).DowngradeToUpgradable();
      co_await YieldNow();
      EXPECT_EQ((*looking)->Read(), written);
      auto upgrade = std::move(looking).Upgrade();
      auto again = co_await upgrade;
      EXPECT_EQ((*again)->Write(), written + 1);
    } else {
      auto reading = co_await lock->Read();
      (*reading)->Read();
      if (i % 3 == 0) co_await YieldNow();
    }
  }
}

TEST_P(LockStressTest, RwLock) {
  for (const RwLockMode mode : {RwLockMode::kFair, RwLockMode::kPreferWriters}) {
    Run([mode](int rounds) -> Async<void> {
      RoomLock lock(mode, std::make_unique<Room>());
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

TEST_P(LockStressTest, Condvar) {
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

Async<void> AwaitValue(Mutex<int>* mutex, Condvar* changed, int value) {
  auto guard = co_await mutex->Lock();
  while (*guard < value) guard = co_await changed->Wait(std::move(guard));
}
Async<void> SetValue(Mutex<int>* mutex, Condvar* changed, int value) {
  {
    auto guard = co_await mutex->Lock();
    *guard = value;
  }
  changed->NotifyAll();
}

// All who stay are told, though their neighbours are aborted meanwhile.
TEST_P(LockStressTest, CondvarThatNotifiesAll) {
  Run([](int rounds) -> Async<void> {
    Mutex<int> mutex;
    Condvar changed;
    for (int round = 1; round <= rounds * 5; ++round) {
      std::optional<JoinHandle<void>> setting;
      co_await RunAndRelease(
          round, [&](int) { return AwaitValue(&mutex, &changed, round); },
          [&] { setting.emplace(Spawn(SetValue(&mutex, &changed, round))); });
      const auto set = co_await *setting;
      EXPECT_TRUE(set.ok());
    }
  });
}

// -- What keeps its lock ----------------------------------------------------------------------

// Tasks of `work(lock, index)`, each of which ends soon: the lock lives for as long as one of them
// has it, or waits for it, and no longer.
template <typename Lock, typename Work>
Async<void> RunWithoutOwner(int round, std::shared_ptr<Lock> lock, Work work) {
  const std::weak_ptr<Lock> weak = lock;
  co_await RunAndRelease(round, [&](int i) { return work(lock, i); }, [&lock] { lock.reset(); });
  EXPECT_TRUE(weak.expired());
}

Async<void> LockOnce(std::shared_ptr<Mutex<int>> mutex) {
  auto locking = LockOwned(std::move(mutex));
  auto guard = co_await locking;
  const Inside inside(&*guard);
  co_await YieldNow();
}

TEST_P(LockStressTest, OwnedMutexGuard) {
  Run([](int rounds) -> Async<void> {
    for (int round = 0; round < rounds * 5; ++round) {
      auto mutex = std::make_shared<Mutex<int>>();
      co_await RunWithoutOwner(round, std::move(mutex), [](std::shared_ptr<Mutex<int>> lock, int) {
        return LockOnce(std::move(lock));
      });
    }
  });
}

Async<void> AcquireOnce(std::shared_ptr<Semaphore> semaphore, std::size_t count,
                        std::atomic<std::size_t>* used, std::size_t most) {
  auto acquiring = AcquireOwned(std::move(semaphore), count);
  const auto permit = co_await acquiring;
  EXPECT_TRUE(permit.ok());
  EXPECT_LE(used->fetch_add(count) + count, most);
  used->fetch_sub(count);
  co_await YieldNow();
}

TEST_P(LockStressTest, OwnedSemaphorePermit) {
  Run([](int rounds) -> Async<void> {
    std::atomic<std::size_t> used{0};
    for (int round = 0; round < rounds * 5; ++round) {
      auto semaphore = std::make_shared<Semaphore>(3);
      co_await RunWithoutOwner(
          round, std::move(semaphore), [&used](std::shared_ptr<Semaphore> lock, int i) {
            return AcquireOnce(std::move(lock), static_cast<std::size_t>(i % 3) + 1, &used, 3);
          });
    }
  });
}

Async<void> ReadOrWriteOnce(std::shared_ptr<RoomLock> lock, int kind) {
  if (kind == 0) {
    auto locking = RoomLock::WriteOwned(std::move(lock));
    auto writing = co_await locking;
    const int written = (*writing)->Write();
    auto looking = std::move(writing).DowngradeToUpgradable();
    co_await YieldNow();
    EXPECT_EQ((*looking)->Read(), written);
    auto reading = std::move(looking).Downgrade();
    co_await YieldNow();
    EXPECT_EQ((*reading)->Read(), written);
  } else if (kind == 1) {
    auto locking = RoomLock::UpgradableReadOwned(std::move(lock));
    auto looking = co_await locking;
    const int seen = (*looking)->Read();
    auto upgrade = std::move(looking).Upgrade();
    auto writing = co_await upgrade;
    EXPECT_EQ((*writing)->Write(), seen + 1);
    co_await YieldNow();
  } else {
    auto locking = RoomLock::ReadOwned(std::move(lock));
    auto reading = co_await locking;
    (*reading)->Read();
    co_await YieldNow();
  }
}

TEST_P(LockStressTest, OwnedRwLockGuards) {
  Run([](int rounds) -> Async<void> {
    for (int round = 0; round < rounds * 5; ++round) {
      auto room = std::make_shared<RoomLock>(RwLockMode::kFair, std::make_unique<Room>());
      co_await RunWithoutOwner(round, std::move(room), [](std::shared_ptr<RoomLock> lock, int i) {
        // Of each kind some stay and some are aborted.
        return ReadOrWriteOnce(std::move(lock), i / 2 % 3);
      });
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Flavours, LockStressTest, sync_testing::kStressFlavours,
                         testing::FlavourName);

}  // namespace
}  // namespace home
