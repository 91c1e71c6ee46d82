#include "home/sync/condvar.h"

#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/future.h"
#include "home/future/testing.h"
#include "home/sync/mutex.h"
#include "home/sync/testing.h"

namespace home {
namespace {

using sync_testing::ExpectToStandAHostileWaker;
using testing::CountingWaker;
using testing::PollOnce;

class CondvarTest : public ::testing::Test {
 protected:
  using Wait = CondvarFuture<int, Mutex<int>*>;
  static_assert(Future<Wait>);

  std::unique_ptr<Wait> Begin(CountingWaker& counter) {
    auto wait = std::make_unique<Wait>(condvar_.Wait(*mutex_.TryLock()));
    EXPECT_TRUE(PollOnce(*wait, counter).pending());
    return wait;
  }

  Mutex<int> mutex_;
  Condvar condvar_;
};

TEST_F(CondvarTest, UnlocksWaitsAndLocksAgain) {
  CountingWaker counter;
  auto wait = Begin(counter);
  auto changing = mutex_.TryLock();
  ASSERT_TRUE(changing.has_value());
  **changing = 7;
  condvar_.NotifyOne();
  EXPECT_EQ(counter.wakes(), 1);
  EXPECT_TRUE(PollOnce(*wait, counter).pending());  // for the mutex
  changing.reset();
  EXPECT_EQ(counter.wakes(), 2);
  auto guard = std::move(PollOnce(*wait, counter)).value();
  EXPECT_EQ(*guard, 7);
  EXPECT_FALSE(mutex_.TryLock().has_value());
}

TEST_F(CondvarTest, OneOrAllInOrder) {
  CountingWaker counters[3];
  auto a = Begin(counters[0]);
  auto b = Begin(counters[1]);
  auto c = Begin(counters[2]);
  condvar_.NotifyOne();
  EXPECT_EQ(counters[0].wakes(), 1);
  EXPECT_EQ(counters[1].wakes(), 0);
  condvar_.NotifyAll();
  EXPECT_EQ(counters[1].wakes(), 1);
  EXPECT_EQ(counters[2].wakes(), 1);
  EXPECT_TRUE(PollOnce(*c, counters[2]).ready());
  EXPECT_TRUE(PollOnce(*a, counters[0]).ready());
}

TEST_F(CondvarTest, ANotificationIsNotKept) {
  CountingWaker counter;
  condvar_.NotifyOne();
  auto wait = Begin(counter);
  EXPECT_EQ(counter.wakes(), 0);
  EXPECT_TRUE(PollOnce(*wait, counter).pending());
}

// Pitfall 27: a wait that was granted and is then dropped, waiting or locking.
TEST_F(CondvarTest, ADroppedWaitHandsItsNotificationOn) {
  for (const bool locking : {false, true}) {
    CountingWaker first;
    CountingWaker second;
    auto dropped = Begin(first);
    auto kept = Begin(second);
    condvar_.NotifyOne();
    if (locking) {
      const auto held = mutex_.TryLock();
      EXPECT_TRUE(PollOnce(*dropped, first).pending());
    }
    EXPECT_EQ(second.wakes(), 0);
    dropped.reset();
    EXPECT_EQ(second.wakes(), 1);
    EXPECT_TRUE(PollOnce(*kept, second).ready());
  }
  EXPECT_TRUE(mutex_.TryLock().has_value());
}

TEST_F(CondvarTest, AWaitThatIsNotBegunGivesTheGuardUp) {
  {
    auto wait = condvar_.Wait(*mutex_.TryLock());
    EXPECT_FALSE(mutex_.TryLock().has_value());
  }
  EXPECT_TRUE(mutex_.TryLock().has_value());
}

TEST_F(CondvarTest, HostileWaker) {
  ExpectToStandAHostileWaker([this] { return condvar_.Wait(*mutex_.TryLock()); },
                             [this] { condvar_.NotifyAll(); },
                             [this] {
                               condvar_.NotifyOne();
                               if (auto guard = mutex_.TryLock()) {
                                 auto wait = condvar_.Wait(*std::move(guard));
                                 static_cast<void>(PollOnce(wait).ready());
                               }
                               condvar_.NotifyAll();
                             });
}

// This one notifies nobody, so that each notification meets one who waits.
TEST_F(CondvarTest, HostileWakerThatIsNotified) {
  for (const auto tell : {&Condvar::NotifyOne, &Condvar::NotifyAll}) {
    ExpectToStandAHostileWaker([this] { return condvar_.Wait(*mutex_.TryLock()); },
                               [this, tell] { (condvar_.*tell)(); },
                               [this] {
                                 if (auto guard = mutex_.TryLock()) {
                                   auto wait = condvar_.Wait(*std::move(guard));
                                   static_cast<void>(PollOnce(wait).ready());
                                 }
                               });
  }
}

#if !defined(NDEBUG)
TEST_F(CondvarTest, PollAfterReadyNamesTheFuture) {
  const auto misuse = [this] {
    CountingWaker counter;
    auto wait = Begin(counter);
    condvar_.NotifyOne();
    EXPECT_TRUE(PollOnce(*wait, counter).ready());
    static_cast<void>(PollOnce(*wait, counter));
  };
  EXPECT_DEATH(misuse(), "\\(Condvar::Wait\\) was polled after");
}
#endif

}  // namespace
}  // namespace home
