#include "home/parker/futex_mutex.h"

#include <mutex>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace home {
namespace {

static_assert(sizeof(FutexMutex) == 4);

TEST(FutexMutexTest, TryLock) {
  FutexMutex mutex;
  EXPECT_TRUE(mutex.IsFree());
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_FALSE(mutex.try_lock());
  EXPECT_FALSE(mutex.IsFree());
  mutex.unlock();
  const std::lock_guard lock(mutex);
  EXPECT_FALSE(mutex.try_lock());
}

TEST(FutexMutexTest, OneAtATime) {
  constexpr int kThreads = 4;
  constexpr int kTimes = 20'000;
  FutexMutex mutex;
  int guarded = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kTimes; ++n) {
        const std::lock_guard lock(mutex);
        ++guarded;
        // Who comes now finds it locked for long, and sleeps.
        if (n % 500 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(guarded, kThreads * kTimes);
}

// Pitfall 11: whoever gets it may destroy it while the one before is still in unlock().
TEST(FutexMutexTest, TheLastMayDestroyIt) {
  struct Shared {
    FutexMutex mutex;
    bool first_is_done = false;
  };
  for (int round = 0; round < 2'000; ++round) {
    auto* const shared = new Shared;
    std::thread first([shared] {
      const std::lock_guard lock(shared->mutex);
      shared->first_is_done = true;
    });
    for (bool done = false; !done;) {
      const std::lock_guard lock(shared->mutex);
      done = shared->first_is_done;
    }
    delete shared;
    first.join();
  }
}

}  // namespace
}  // namespace home
