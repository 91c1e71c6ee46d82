// Helpers for tests of what waits: a waker that calls back.

#ifndef HOME_SYNC_TESTING_H_
#define HOME_SYNC_TESTING_H_

#include <functional>
#include <utility>

#include "home/future/waker.h"

namespace home::sync_testing {

// Runs a function whenever it is cloned, woken or dropped, but not from within itself:
// the user's code that must never meet an internal lock. Must outlive its wakers.
class HostileWaker {
 public:
  explicit HostileWaker(std::function<void()> intrude) : intrude_(std::move(intrude)) {}
  HostileWaker(const HostileWaker&) = delete;
  HostileWaker& operator=(const HostileWaker&) = delete;

  [[nodiscard]] Waker Make() { return Waker(this, &kVTable); }
  [[nodiscard]] int intrusions() const { return intrusions_; }

 private:
  void Intrude() {
    if (std::exchange(inside_, true)) return;
    ++intrusions_;
    intrude_();
    inside_ = false;
  }
  static HostileWaker* Self(void* data) { return static_cast<HostileWaker*>(data); }
  static void* OnClone(void* data) {
    Self(data)->Intrude();
    return data;
  }
  static void OnOther(void* data) { Self(data)->Intrude(); }
  static constexpr WakerVTable kVTable = {OnClone, OnOther, OnOther, OnOther};

  std::function<void()> intrude_;
  bool inside_ = false;
  int intrusions_ = 0;
};

}  // namespace home::sync_testing

#endif  // HOME_SYNC_TESTING_H_
