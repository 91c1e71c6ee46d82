// Helpers for tests of what waits: a waker that calls back, and what every primitive has to stand
// from it.

#ifndef HOME_SYNC_TESTING_H_
#define HOME_SYNC_TESTING_H_

#include <functional>
#include <utility>

#include "gtest/gtest.h"
#include "home/future/context.h"
#include "home/future/testing.h"
#include "home/future/waker.h"

namespace home::sync_testing {

// Runs a function whenever it is cloned, woken or dropped, but not from within itself:
// the user's code that must never meet an internal lock. Must outlive its wakers.
class HostileWaker : public WakerTarget {
 public:
  explicit HostileWaker(std::function<void()> intrude)
      : WakerTarget(&kVTable), intrude_(std::move(intrude)) {}
  HostileWaker(const HostileWaker&) = delete;
  HostileWaker& operator=(const HostileWaker&) = delete;

  [[nodiscard]] Waker Make() { return Waker(this); }
  [[nodiscard]] int intrusions() const { return intrusions_; }

 private:
  void Intrude() {
    if (std::exchange(inside_, true)) return;
    ++intrusions_;
    intrude_();
    inside_ = false;
  }
  static HostileWaker* Self(WakerTarget* target) { return static_cast<HostileWaker*>(target); }
  static WakerTarget* OnClone(WakerTarget* target) {
    Self(target)->Intrude();
    return target;
  }
  static void OnOther(WakerTarget* target) { Self(target)->Intrude(); }
  static constexpr WakerVTable kVTable = {OnClone, OnOther, OnOther, OnOther};

  std::function<void()> intrude_;
  bool inside_ = false;
  int intrusions_ = 0;
};

// Pitfall 12: user code that calls back from clone, wake and drop. `wait()` gives a future that
// has to wait, `release()` makes it ready, and `intrude()` is what the waker does.
template <typename Wait, typename Release>
void ExpectToStandAHostileWaker(Wait wait, Release release, std::function<void()> intrude) {
  HostileWaker hostile(std::move(intrude));
  const Waker waker = hostile.Make();
  Context cx(waker);
  {
    auto future = wait();
    // clone, drop on replacement, clone, wake; unless what the waker does makes it ready before.
    if (future.Poll(cx).pending() && testing::PollOnce(future).pending() &&
        future.Poll(cx).pending()) {
      release();
    }
  }
  {
    auto dropped = wait();
    static_cast<void>(dropped.Poll(cx).ready());
  }  // drop, with the future
  EXPECT_GE(hostile.intrusions(), 2);
}

}  // namespace home::sync_testing

#endif  // HOME_SYNC_TESTING_H_
