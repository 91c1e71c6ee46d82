#include "home/sync/mutex.h"

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/parker/barrier_testing.h"
#include "home/sync/blocking.h"
#include "home/sync/sync_policy.h"

namespace home {
namespace {

using testing::CountingWaker;
using testing::PollOnce;

static_assert(Future<LockFuture<int, Mutex<int>*>>);
static_assert(sizeof(Mutex<void*>) <= 40 + sizeof(void*));

// Who was woken may never look: others get the lock all the same.
TEST(MutexTest, ALazyWaiterHoldsUpNobody) {
  Mutex<int> mutex;
  CountingWaker other;
  auto held = mutex.TryLock();
  auto lazy = mutex.Lock();
  auto waits = mutex.Lock();
  EXPECT_TRUE(PollOnce(lazy).pending());
  EXPECT_TRUE(PollOnce(waits, other).pending());
  held.reset();
  held = mutex.TryLock();
  ASSERT_TRUE(held.has_value());
  held.reset();
  EXPECT_EQ(other.wakes(), 1);
  EXPECT_TRUE(PollOnce(waits, other).ready());
}

// After so many quiet unlocks they are stores (bias.h), until one waits.
TEST(MutexTest, OneWaitsForALockThatWasQuietForLong) {
  Mutex<int> mutex;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2'000; ++i) ++*mutex.TryLock().value();
    CountingWaker counter;
    auto held = mutex.TryLock();
    auto waits = mutex.Lock();
    EXPECT_TRUE(PollOnce(waits, counter).pending());
    held.reset();
    EXPECT_EQ(counter.wakes(), 1);
    EXPECT_TRUE(PollOnce(waits, counter).ready());
  }
}

struct CountingPolicy : sync_internal::SyncPolicy {
  static void BackOff() { ++looks; }

  inline static int looks = 0;
};

// Whoever holds the lock for long, perhaps on this very thread, is not looked at by all who wait.
TEST(MutexTest, SpinsInVainBecomeRare) {
  constexpr int kWaits = 1'000;
  sync_internal::Lock<CountingPolicy> lock;
  ASSERT_TRUE(lock.TryLock());
  CountingPolicy::looks = 0;
  for (int i = 0; i < kWaits; ++i) EXPECT_FALSE(lock.TryLockSpinning());
  const int spins = CountingPolicy::looks / CountingPolicy::kLooks;
  EXPECT_GT(spins, kWaits / (CountingPolicy::kUnspunWaits + 2));
  EXPECT_LE(spins, kWaits / CountingPolicy::kUnspunWaits + CountingPolicy::kVainSpins);
  // One of them finds out that it pays again, and then all spin.
  lock.Unlock();
  int unspun = 0;
  while (!lock.TryLockSpinning()) ++unspun;
  EXPECT_LE(unspun, CountingPolicy::kUnspunWaits);
  CountingPolicy::looks = 0;
  EXPECT_FALSE(lock.TryLockSpinning());
  EXPECT_EQ(CountingPolicy::looks, CountingPolicy::kLooks);
  lock.Unlock();
}

// The same between threads: one is alone for long, then both want it.
TEST(MutexTest, ThreadsAfterAQuietTime) {
  constexpr int kRounds = 200;
  constexpr int kQuietLocks = 1'100;
  constexpr int kContended = 5;
  Mutex<int> mutex;
  testing::Barrier phase(2);
  const auto work = [&](int index) {
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < kQuietLocks && round % 2 == index; ++i) ++*mutex.TryLock().value();
      phase.ArriveAndWait();
      for (int i = 0; i < kContended; ++i) ++*BlockingWait(mutex.Lock());
      phase.ArriveAndWait();
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  EXPECT_EQ(*BlockingWait(mutex.Lock()), kRounds * (kQuietLocks + 2 * kContended));
}

TEST(MutexTest, WhoIsOvertakenTooOftenIsHandedTheLock) {
  Mutex<int> mutex;
  CountingWaker counter;
  auto held = mutex.TryLock();
  auto patient = mutex.Lock();
  EXPECT_TRUE(PollOnce(patient, counter).pending());
  for (int i = 1; i <= 3; ++i) {
    held.reset();
    EXPECT_EQ(counter.wakes(), i);
    held = mutex.TryLock();
    ASSERT_TRUE(held.has_value());
    EXPECT_TRUE(PollOnce(patient, counter).pending());
  }
  // Nobody comes before it now.
  auto fresh = mutex.Lock();
  EXPECT_TRUE(PollOnce(fresh).pending());
  held.reset();
  EXPECT_FALSE(mutex.TryLock().has_value());
  EXPECT_TRUE(PollOnce(patient, counter).ready());
}

TEST(MutexTest, ALockThatWasHandedOverGoesOnIfItIsDropped) {
  Mutex<int> mutex;
  CountingWaker second;
  auto held = mutex.TryLock();
  auto next = mutex.Lock();
  {
    auto patient = mutex.Lock();
    EXPECT_TRUE(PollOnce(patient).pending());
    for (int i = 0; i < 3; ++i) {
      held.reset();
      held = mutex.TryLock();
      EXPECT_TRUE(PollOnce(patient).pending());
    }
    EXPECT_TRUE(PollOnce(next, second).pending());
    held.reset();
    EXPECT_EQ(second.wakes(), 0);
  }
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_TRUE(PollOnce(next, second).ready());
}

TEST(MutexTest, AValueThatHasAnAddressOperator) {
  Mutex<testing::Unaddressable> mutex;
  (*mutex.TryLock())->number = 7;
  EXPECT_EQ((*mutex.TryLock())->number, 7);
}

TEST(MutexTest, PlainThreads) {
  Mutex<int> mutex;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&mutex] {
      for (int i = 0; i < 2000; ++i) ++*BlockingWait(mutex.Lock());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto guard = mutex.TryLock();
  EXPECT_EQ(**guard, 6000);
}

}  // namespace
}  // namespace home
