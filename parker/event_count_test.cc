// EventCount: what each step does, with the schedule forced.
//
// One thread plays all: a scripted futex runs the rest of the scene while a waiter "sleeps".
// event_count_stress_test.cc has real threads, event_count_model_test.cc every schedule.

#include "home/parker/event_count.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace home {
namespace {

struct ScriptedPolicy {
  template <typename U>
  using Atomic = std::atomic<U>;

  class Mutex {
   public:
    // Runs what is to happen just before the lock is taken.
    void lock() {
      const std::function<void()> scene = std::exchange(before_lock, nullptr);
      if (scene != nullptr) scene();
      mutex_.lock();
    }
    void unlock() { mutex_.unlock(); }

   private:
    std::mutex mutex_;
  };

  static constexpr int kMinSpins = 0;
  static constexpr int kMaxSpins = 0;
  static void Relax() {}
  static void Fence() {}
  static std::int64_t Now() { return 1'000; }
  // Runs what is to happen while the waiter sleeps; the second time its deadline is reached.
  static bool Wait(const Atomic<std::uint32_t>&, std::uint32_t, std::int64_t deadline) {
    ++waits;
    last_deadline = deadline;
    const std::function<void()> scene = std::exchange(while_asleep, nullptr);
    if (scene == nullptr) return false;
    scene();
    return true;
  }
  static void Wake(const Atomic<std::uint32_t>*) { ++wakes; }

  static inline int waits;
  static inline int wakes;
  static inline std::int64_t last_deadline;
  static inline std::function<void()> while_asleep;
  static inline std::function<void()> before_lock;
};

class EventCountTest : public testing::Test {
 protected:
  using ScriptedEventCount = BasicEventCount<ScriptedPolicy>;
  using Waiter = ScriptedEventCount::Waiter;

  EventCountTest() {
    ScriptedPolicy::waits = ScriptedPolicy::wakes = 0;
    ScriptedPolicy::while_asleep = ScriptedPolicy::before_lock = nullptr;
  }

  // Lets the waiter sleep, with `scene` going on meanwhile. True if it was notified.
  bool Sleep(Waiter& waiter, std::function<void()> scene) {
    event_count_.Prepare(waiter);
    ScriptedPolicy::while_asleep = std::move(scene);
    return event_count_.CommitFor(waiter, absl::Seconds(1));
  }

  ScriptedEventCount event_count_;
  Waiter first_;
  Waiter second_;
  Waiter third_;
};

TEST_F(EventCountTest, NotificationsOfNobodyAreNotKept) {
  event_count_.NotifyOne();
  event_count_.NotifyAll();
  EXPECT_FALSE(Sleep(first_, [] {}));
  EXPECT_EQ(ScriptedPolicy::wakes, 0);
}

TEST_F(EventCountTest, NotifyBetweenPrepareAndCommitMakesNoSystemCall) {
  event_count_.Prepare(first_);
  event_count_.NotifyOne();
  event_count_.Commit(first_);
  event_count_.Prepare(first_);
  event_count_.NotifyAll();
  event_count_.Commit(first_);
  EXPECT_EQ(ScriptedPolicy::waits, 0);
  EXPECT_EQ(ScriptedPolicy::wakes, 0);
}

TEST_F(EventCountTest, NotifyOneWakesASleeper) {
  EXPECT_TRUE(Sleep(first_, [&] { event_count_.NotifyOne(); }));
  EXPECT_EQ(ScriptedPolicy::wakes, 1);
  EXPECT_FALSE(Sleep(first_, [] {})) << "the notification was taken";
}

TEST_F(EventCountTest, NotifyOneWakesOneOnly) {
  EXPECT_FALSE(Sleep(first_, [&] {
    EXPECT_TRUE(Sleep(second_, [&] { event_count_.NotifyOne(); }));
    EXPECT_EQ(ScriptedPolicy::wakes, 1);
  })) << "the last to come is the first to wake";
}

TEST_F(EventCountTest, NotifyAllWakesEveryone) {
  EXPECT_TRUE(Sleep(first_, [&] {
    EXPECT_TRUE(Sleep(second_, [&] {
      event_count_.Prepare(third_);
      event_count_.NotifyAll();
      event_count_.Commit(third_);
    }));
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 2);
}

TEST_F(EventCountTest, NotifyAllConcernsNobodyWhoComesLater) {
  event_count_.Prepare(second_);
  event_count_.NotifyAll();
  EXPECT_FALSE(Sleep(first_, [] {}));
  event_count_.Commit(second_);
}

TEST_F(EventCountTest, CancelledWaiterIsNotCounted) {
  EXPECT_TRUE(Sleep(first_, [&] {
    event_count_.Prepare(second_);
    event_count_.Cancel(second_);
    event_count_.NotifyOne();
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 1);
}

TEST_F(EventCountTest, AnnouncedWaitersAreNotifiedBeforeSleepers) {
  EXPECT_FALSE(Sleep(first_, [&] {
    event_count_.Prepare(second_);
    event_count_.NotifyOne();
    event_count_.Commit(second_);
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 0);
}

// An idle count that still includes who is promised to somebody: two notifications in a row,
// before any woken thread ran, reach two waiters.
TEST_F(EventCountTest, WhoIsPromisedIsNotCountedAgain) {
  EXPECT_TRUE(Sleep(first_, [&] {
    EXPECT_TRUE(Sleep(second_, [&] {
      event_count_.NotifyOne();
      event_count_.NotifyOne();
    }));
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 2);

  EXPECT_TRUE(Sleep(first_, [&] {
    event_count_.Prepare(second_);
    event_count_.NotifyOne();
    event_count_.NotifyOne();
    event_count_.Commit(second_);
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 3);
}

// A notification given to a waiter that is just leaving passes on.
TEST_F(EventCountTest, NotificationOfALeavingWaiterPassesOnToASleeper) {
  EXPECT_TRUE(Sleep(first_, [&] {
    event_count_.Prepare(second_);
    event_count_.NotifyOne();
    EXPECT_EQ(ScriptedPolicy::wakes, 0);
    event_count_.Cancel(second_);
    EXPECT_EQ(ScriptedPolicy::wakes, 1);
  }));
}

TEST_F(EventCountTest, NotificationOfALeavingWaiterPassesOnToAnAnnouncedOne) {
  event_count_.Prepare(first_);
  event_count_.Prepare(second_);
  event_count_.NotifyOne();
  event_count_.Cancel(second_);
  event_count_.Commit(first_);
  EXPECT_EQ(ScriptedPolicy::waits, 0);
}

TEST_F(EventCountTest, NotificationOfTheLastWaiterToLeaveIsForNobody) {
  event_count_.Prepare(first_);
  event_count_.NotifyOne();
  event_count_.Cancel(first_);
  EXPECT_FALSE(Sleep(first_, [] {}));
}

// Signals belong to no waiter in particular, so a newcomer may take the one that was meant for
// an older waiter; for NotifyAll() that must not matter.
TEST_F(EventCountTest, NotifyAllReachesAWaiterWhoseSignalAnotherTook) {
  event_count_.Prepare(first_);
  event_count_.NotifyOne();
  event_count_.NotifyAll();
  event_count_.Prepare(second_);
  event_count_.Commit(second_);  // Takes the signal.
  event_count_.Commit(first_);
  EXPECT_EQ(ScriptedPolicy::waits, 0);
}

// The parker has given up, and before the waiter is out of the list a notifier chooses it.
TEST_F(EventCountTest, NotificationThatComesWithTheDeadlineIsTaken) {
  EXPECT_TRUE(
      Sleep(first_, [&] { ScriptedPolicy::before_lock = [&] { event_count_.NotifyOne(); }; }));
  EXPECT_EQ(ScriptedPolicy::waits, 2);
  EXPECT_EQ(ScriptedPolicy::wakes, 0);
  EXPECT_FALSE(Sleep(first_, [] {}));
}

// A notifier that saw a sleeper finds it gone, and one announced in its place.
TEST_F(EventCountTest, NotifierThatComesTooLateLooksAgain) {
  EXPECT_TRUE(Sleep(first_, [&] {
    ScriptedPolicy::before_lock = [&] {
      event_count_.NotifyOne();
      event_count_.Prepare(second_);
    };
    event_count_.NotifyOne();
    event_count_.Commit(second_);
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 1);
  EXPECT_EQ(ScriptedPolicy::waits, 1);
}

TEST_F(EventCountTest, WhoseTimeIsOverIsNotCounted) {
  EXPECT_TRUE(Sleep(first_, [&] {
    EXPECT_FALSE(Sleep(second_, [] {}));
    event_count_.NotifyOne();
  }));
  EXPECT_EQ(ScriptedPolicy::wakes, 1);
}

TEST_F(EventCountTest, WaitersLeaveTheMiddleOfTheList) {
  EXPECT_TRUE(Sleep(first_, [&] {
    event_count_.Prepare(second_);
    ScriptedPolicy::while_asleep = [&] {
      EXPECT_TRUE(Sleep(third_, [&] { event_count_.NotifyOne(); }));
      // The second's time is over now, and the first is told afterwards.
    };
    EXPECT_FALSE(event_count_.CommitFor(second_, absl::Nanoseconds(5)));
    event_count_.NotifyOne();
  }));
  EXPECT_FALSE(Sleep(
      first_, [&] { EXPECT_FALSE(Sleep(second_, [&] { EXPECT_FALSE(Sleep(third_, [] {})); })); }));
  EXPECT_EQ(ScriptedPolicy::wakes, 2);
}

TEST_F(EventCountTest, TimeoutsAreRoundedUpAndReachAnyFuture) {
  event_count_.Prepare(first_);
  EXPECT_FALSE(event_count_.CommitFor(first_, absl::Nanoseconds(1) / 4));
  EXPECT_EQ(ScriptedPolicy::last_deadline, 1'001);
  for (const absl::Duration timeout : {absl::ZeroDuration(), -absl::InfiniteDuration()}) {
    event_count_.Prepare(first_);
    EXPECT_FALSE(event_count_.CommitFor(first_, timeout));
    EXPECT_EQ(ScriptedPolicy::last_deadline, 1'000);
  }
  event_count_.Prepare(first_);
  ScriptedPolicy::while_asleep = [&] { event_count_.NotifyOne(); };
  EXPECT_TRUE(event_count_.CommitFor(first_, absl::InfiniteDuration()));
  EXPECT_EQ(ScriptedPolicy::last_deadline, parker_internal::kNoDeadline);
}

TEST_F(EventCountTest, AwaitLooksAgainAfterEachNotification) {
  int left = 3;
  ScriptedPolicy::while_asleep = [&] { event_count_.NotifyOne(); };
  event_count_.Await(first_, [&] {
    if (left == 1) ScriptedPolicy::while_asleep = [&] { event_count_.NotifyAll(); };
    return left-- == 0;
  });
  EXPECT_EQ(ScriptedPolicy::waits, 2);
}

TEST_F(EventCountTest, AwaitForLooksBeforeAndAfterItsTime) {
  EXPECT_TRUE(event_count_.AwaitFor(first_, absl::ZeroDuration(), [] { return true; }));
  EXPECT_EQ(ScriptedPolicy::waits, 0);
  EXPECT_FALSE(event_count_.AwaitFor(first_, absl::Seconds(1), [] { return false; }));
  bool late = false;
  ScriptedPolicy::while_asleep = [&] { late = true; };
  EXPECT_TRUE(event_count_.AwaitFor(first_, absl::Seconds(1), [&] { return late; }));
}

TEST_F(EventCountTest, ConditionThatThrowsCancels) {
  EXPECT_THROW(event_count_.Await(first_, []() -> bool { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_TRUE(Sleep(second_, [&] { event_count_.NotifyOne(); }));
}

TEST_F(EventCountTest, AThrowingConditionPassesOnWhatItWasNotifiedOf) {
  ScriptedPolicy::while_asleep = [this] { event_count_.NotifyOne(); };
  int looks = 0;
  EXPECT_THROW(event_count_.Await(first_,
                                  [&]() -> bool {
                                    if (++looks == 1) return false;
                                    // Notified, and with somebody else there.
                                    event_count_.Prepare(second_);
                                    throw std::runtime_error("no");
                                  }),
               std::runtime_error);
  const int waits = ScriptedPolicy::waits;
  EXPECT_TRUE(event_count_.CommitFor(second_, absl::Seconds(1)));
  EXPECT_EQ(ScriptedPolicy::waits, waits);
}

TEST_F(EventCountTest, WaitersServeManyEventCounts) {
  ScriptedEventCount other;
  EXPECT_TRUE(Sleep(first_, [&] { event_count_.NotifyOne(); }));
  other.Prepare(first_);
  other.NotifyOne();
  other.Commit(first_);
}

using EventCountDeathTest = EventCountTest;

TEST_F(EventCountDeathTest, MisuseIsNamed) {
  event_count_.Prepare(first_);
  EXPECT_DEATH(event_count_.Prepare(first_), "Prepare\\(\\) of a prepared Waiter");
  EXPECT_DEATH(event_count_.Commit(second_), "of a Waiter that was not prepared here");
  ScriptedEventCount other;
  EXPECT_DEATH(other.Cancel(first_), "of a Waiter that was not prepared here");
  event_count_.Cancel(first_);
  EXPECT_DEATH(event_count_.Cancel(first_), "of a Waiter that was not prepared here");
  EXPECT_DEATH(
      {
        Waiter waiter;
        event_count_.Prepare(waiter);
      },
      "a prepared Waiter was destroyed");
  EXPECT_DEATH(
      {
        ScriptedEventCount short_lived;
        short_lived.Prepare(second_);
      },
      "an EventCount was destroyed while a thread waits");
}

}  // namespace
}  // namespace home
