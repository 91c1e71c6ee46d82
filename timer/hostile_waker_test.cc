// PITFALL 12: a waker whose clone, wake and drop call back into the timers. A
// lock held around any of them would deadlock here.

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/timer/clock.h"
#include "home/timer/sleep.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

class Hostile : public WakerTarget {
 public:
  Hostile(TimerService* timers, const PausedClock* clock)
      : WakerTarget(&kVTable), timers_(timers), clock_(clock) {}

  Waker Make() { return Waker(this); }
  int calls() const { return calls_; }

 private:
  static Hostile* Self(WakerTarget* target) { return static_cast<Hostile*>(target); }
  static const WakerVTable kVTable;

  // Everything that takes a lock of the service.
  void Attack() {
    ++calls_;
    if (depth_ == 2) return;
    ++depth_;
    {
      const Waker nothing;
      Context cx(nothing);
      Sleep near(absl::Milliseconds(1));
      Sleep far(absl::Hours(1));
      EXPECT_TRUE(near.Poll(cx).pending());
      EXPECT_TRUE(far.Poll(cx).pending());
      EXPECT_GE(timers_->size(), 2u);
      WakeList wakes;
      timers_->FireAllExpired(clock_->Now() - absl::Hours(1), wakes);
      (void)timers_->NextDeadline();
    }
    --depth_;
  }

  TimerService* const timers_;
  const PausedClock* const clock_;
  int calls_ = 0;
  int depth_ = 0;
};

const WakerVTable Hostile::kVTable = {
    .clone =
        [](WakerTarget* target) {
          Self(target)->Attack();
          return target;
        },
    .wake = [](WakerTarget* target) { Self(target)->Attack(); },
    .wake_by_ref = [](WakerTarget* target) { Self(target)->Attack(); },
    .drop = [](WakerTarget* target) { Self(target)->Attack(); },
};

class HostileWakerTest : public ::testing::Test {
 protected:
  PausedClock clock_;
  TimerService timers_{1, &clock_, [] {}};
  TimerScope scope_{&timers_, 0};
  Hostile hostile_{&timers_, &clock_};
  Hostile other_{&timers_, &clock_};
};

TEST_F(HostileWakerTest, ArmAndFire) {
  const Waker waker = hostile_.Make();
  Context cx(waker);
  Sleep sleep(absl::Milliseconds(5));
  EXPECT_TRUE(sleep.Poll(cx).pending());
  clock_.Advance(absl::Milliseconds(5));
  WakeList wakes;
  EXPECT_EQ(timers_.FireAllExpired(wakes), 1u);
  wakes.WakeAll();
  EXPECT_TRUE(sleep.Poll(cx).ready());
  EXPECT_GE(hostile_.calls(), 2);
}

TEST_F(HostileWakerTest, ReplaceAndCancel) {
  const Waker waker = hostile_.Make();
  const Waker another = other_.Make();
  {
    Sleep sleep(absl::Milliseconds(5));
    Context cx(waker);
    EXPECT_TRUE(sleep.Poll(cx).pending());
    Context other_cx(another);
    EXPECT_TRUE(sleep.Poll(other_cx).pending());
  }
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_GE(hostile_.calls(), 2);  // clone, drop
  EXPECT_GE(other_.calls(), 2);
}

// The wake destroys another sleep that fires in the same round, and its own.
TEST_F(HostileWakerTest, WakeDestroysItsOwnSleepAndTheNext) {
  struct Owner : WakerTarget {
    explicit Owner(const WakerVTable* vtable) : WakerTarget(vtable) {}
    std::unique_ptr<Sleep> mine;
    std::unique_ptr<Sleep> next;
  };
  static constexpr WakerVTable kDestroy = {
      .clone = [](WakerTarget* target) { return target; },
      .wake =
          [](WakerTarget* target) {
            static_cast<Owner*>(target)->mine.reset();
            static_cast<Owner*>(target)->next.reset();
          },
      .wake_by_ref = [](WakerTarget*) {},
      .drop = [](WakerTarget*) {},
  };
  Owner owner(&kDestroy);
  owner.mine = std::make_unique<Sleep>(absl::Milliseconds(1));
  owner.next = std::make_unique<Sleep>(absl::Milliseconds(1));
  const Waker waker(&owner);
  Context cx(waker);
  EXPECT_TRUE(owner.mine->Poll(cx).pending());
  EXPECT_TRUE(owner.next->Poll(cx).pending());
  clock_.Advance(absl::Milliseconds(1));
  WakeList wakes;
  EXPECT_EQ(timers_.FireAllExpired(wakes), 2u);
  wakes.WakeAll();
  EXPECT_EQ(owner.mine, nullptr);
  EXPECT_EQ(timers_.size(), 0u);
}

}  // namespace
}  // namespace home
