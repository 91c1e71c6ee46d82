// What a Mutex, an RwLock that is written and a Semaphore of one permit have in common: one has
// it at a time, and a wait that is dropped passes it on. What each has besides is in the test
// of its own.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/testing.h"
#include "home/sync/mutex.h"
#include "home/sync/rw_lock.h"
#include "home/sync/semaphore.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

struct MutexCase {
  using Lock = Mutex<int>;

  static auto Make() { return std::make_shared<Lock>(); }
  static auto Wait(Lock& lock) { return lock.Lock(); }
  static auto WaitOwned(std::shared_ptr<Lock> lock) { return LockOwned(std::move(lock)); }
  static auto TryOwned(std::shared_ptr<Lock> lock) { return TryLockOwned(std::move(lock)); }
  static auto Try(Lock& lock) { return lock.TryLock(); }
};
struct RwLockCase {
  using Lock = RwLock<int>;

  static auto Make() { return std::make_shared<Lock>(); }
  static auto Wait(Lock& lock) { return lock.Write(); }
  static auto WaitOwned(std::shared_ptr<Lock> lock) { return Lock::WriteOwned(std::move(lock)); }
  static auto TryOwned(std::shared_ptr<Lock> lock) { return Lock::TryWriteOwned(std::move(lock)); }
  static auto Try(Lock& lock) { return lock.TryWrite(); }
};
struct SemaphoreCase {
  using Lock = Semaphore;

  static auto Make() { return std::make_shared<Lock>(1); }
  static auto Wait(Lock& lock) { return lock.Acquire(); }
  static auto WaitOwned(std::shared_ptr<Lock> lock) { return AcquireOwned(std::move(lock)); }
  static auto TryOwned(std::shared_ptr<Lock> lock) { return TryAcquireOwned(std::move(lock)); }
  static auto Try(Lock& lock) { return lock.TryAcquire(); }
};

template <typename Case>
class ExclusiveLockTest : public ::testing::Test {
 protected:
  auto Wait() { return Case::Wait(*lock_); }
  auto Try() { return Case::Try(*lock_); }

  std::shared_ptr<typename Case::Lock> lock_ = Case::Make();
};
using Cases = ::testing::Types<MutexCase, RwLockCase, SemaphoreCase>;
TYPED_TEST_SUITE(ExclusiveLockTest, Cases);

TYPED_TEST(ExclusiveLockTest, OneAtATime) {
  CountingWaker counter;
  auto first = this->Try();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(this->Try().has_value());
  auto wait = this->Wait();
  EXPECT_TRUE(PollOnce(wait, counter).pending());
  first.reset();
  EXPECT_EQ(counter.wakes(), 1);
  {
    const auto second = PollOnce(wait, counter);
    EXPECT_TRUE(second.ready());
    EXPECT_FALSE(this->Try().has_value());
  }
  EXPECT_EQ(counter.alive(), 0);
  EXPECT_TRUE(this->Try().has_value());
}

TYPED_TEST(ExclusiveLockTest, ThoseWhoWaitAreWokenInOrder) {
  CountingWaker counters[2];
  auto held = this->Try();
  auto first = this->Wait();
  auto second = this->Wait();
  EXPECT_TRUE(PollOnce(first, counters[0]).pending());
  EXPECT_TRUE(PollOnce(second, counters[1]).pending());
  held.reset();
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 0);
  {
    const auto taken = PollOnce(first, counters[0]);
    EXPECT_TRUE(taken.ready());
    EXPECT_EQ(counters[1].wakes(), 0);
  }
  EXPECT_EQ(counters[1].wakes(), 1);
}

// Pitfall 27: a wait that was granted and is then dropped.
TYPED_TEST(ExclusiveLockTest, ADroppedWaitPassesItOn) {
  CountingWaker counter;
  auto held = this->Try();
  auto kept = this->Wait();
  {
    auto dropped = this->Wait();
    EXPECT_TRUE(PollOnce(dropped).pending());
    EXPECT_TRUE(PollOnce(kept, counter).pending());
    held.reset();
    EXPECT_EQ(counter.wakes(), 0);
  }
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(kept, counter).ready());
}

TYPED_TEST(ExclusiveLockTest, TheOwnedFormKeepsTheLock) {
  const std::weak_ptr<typename TypeParam::Lock> weak = this->lock_;
  auto wait = TypeParam::WaitOwned(std::move(this->lock_));
  {
    auto taken = std::move(PollOnce(wait)).value();
    const auto moved = std::move(taken);
    EXPECT_FALSE(weak.expired());
  }
  EXPECT_TRUE(weak.expired());
}

TYPED_TEST(ExclusiveLockTest, TheOwnedTryKeepsTheLock) {
  const std::weak_ptr<typename TypeParam::Lock> weak = this->lock_;
  auto taken = TypeParam::TryOwned(this->lock_);
  ASSERT_TRUE(taken.has_value());
  EXPECT_FALSE(TypeParam::TryOwned(std::move(this->lock_)).has_value());
  EXPECT_FALSE(weak.expired());
  taken.reset();
  EXPECT_TRUE(weak.expired());
}

TYPED_TEST(ExclusiveLockTest, HostileWaker) {
  auto held = this->Try();
  ExpectToStandAHostileWaker([&] { return this->Wait(); }, [&] { held.reset(); },
                             [&] {
                               auto wait = this->Wait();
                               static_cast<void>(PollOnce(wait).ready());
                             });
  EXPECT_TRUE(this->Try().has_value());
}

#if !defined(NDEBUG)
template <typename Case>
class ExclusiveLockDeathTest : public ExclusiveLockTest<Case> {};
TYPED_TEST_SUITE(ExclusiveLockDeathTest, Cases);

// It would have a lock or a permit that nobody gives up.
TYPED_TEST(ExclusiveLockDeathTest, PollAfterReadyNamesTheFuture) {
  const auto misuse = [this] {
    auto wait = this->Wait();
    auto taken = std::optional(PollOnce(wait));
    taken.reset();
    static_cast<void>(PollOnce(wait));
  };
  const std::string name = decltype(this->Wait())::kName;
  EXPECT_DEATH(misuse(), "\\(" + name + "\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
