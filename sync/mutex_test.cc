#include "home/sync/mutex.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/blocking.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

static_assert(Future<LockFuture<int, Mutex<int>*>>);

TEST(MutexTest, OneAtATime) {
  Mutex<int> mutex(1);
  auto lock = mutex.Lock();
  auto first = std::move(PollOnce(lock)).value();
  EXPECT_EQ(*first, 1);
  *first = 2;
  EXPECT_FALSE(mutex.TryLock().has_value());
  CountingWaker counter;
  auto second = mutex.Lock();
  EXPECT_TRUE(PollOnce(second, counter).pending());
  {
    const auto gone = std::move(first);
  }
  EXPECT_EQ(counter.wakes(), 1);
  auto guard = std::move(PollOnce(second, counter)).value();
  EXPECT_EQ(*guard, 2);
  EXPECT_EQ(counter.alive(), 0);
}

TEST(MutexTest, ThoseWhoWaitAreWokenInOrder) {
  Mutex<int> mutex;
  CountingWaker counters[3];
  auto a = mutex.Lock();
  auto b = mutex.Lock();
  auto c = mutex.Lock();
  auto held = mutex.TryLock();
  EXPECT_TRUE(PollOnce(a, counters[0]).pending());
  EXPECT_TRUE(PollOnce(b, counters[1]).pending());
  EXPECT_TRUE(PollOnce(c, counters[2]).pending());
  held.reset();
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 0);
  {
    auto guard = PollOnce(a, counters[0]);
    EXPECT_TRUE(guard.ready());
    EXPECT_EQ(counters[1].wakes(), 0);
  }
  EXPECT_EQ(counters[1].wakes(), 1);
  EXPECT_EQ(counters[2].wakes(), 0);
}

// Pitfall 27: a wait that was granted and is then dropped.
TEST(MutexTest, ADroppedWaitHandsItsWakeUpOn) {
  Mutex<int> mutex;
  CountingWaker second;
  auto held = mutex.TryLock();
  auto kept = mutex.Lock();
  {
    auto dropped = mutex.Lock();
    EXPECT_TRUE(PollOnce(dropped).pending());
    EXPECT_TRUE(PollOnce(kept, second).pending());
    held.reset();
    EXPECT_EQ(second.wakes(), 0);
  }
  EXPECT_EQ(second.wakes(), 1);
  EXPECT_TRUE(PollOnce(kept, second).ready());
}

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

TEST(MutexTest, AnOwnedGuardKeepsTheMutex) {
  auto mutex = std::make_shared<Mutex<std::unique_ptr<int>>>(std::make_unique<int>(7));
  const std::weak_ptr<Mutex<std::unique_ptr<int>>> weak = mutex;
  auto lock = LockOwned(std::move(mutex));
  {
    auto guard = std::move(PollOnce(lock)).value();
    EXPECT_FALSE(weak.expired());
    EXPECT_EQ(**guard, 7);
  }
  EXPECT_TRUE(weak.expired());
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
  EXPECT_FALSE(BlockingWaitFor(mutex.Lock(), absl::ZeroDuration()).has_value());
}

TEST(MutexTest, HostileWaker) {
  Mutex<int> mutex;
  auto held = mutex.TryLock();
  ExpectToStandAHostileWaker([&] { return mutex.Lock(); }, [&] { held.reset(); },
                             [&] {
                               auto lock = mutex.Lock();
                               static_cast<void>(PollOnce(lock).ready());
                             });
}

#if !defined(NDEBUG)
// It would have a lock or a permit that nobody gives up.
TEST(MutexDeathTest, PollAfterReadyNamesTheFuture) {
  Mutex<int> mutex(1);
  EXPECT_DEATH(testing::PollAfterReady(mutex.Lock()), "\\(Mutex::Lock\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
