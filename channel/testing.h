// Helpers for tests of channels: a waker that calls back, and values that count.

#ifndef HOME_CHANNEL_TESTING_H_
#define HOME_CHANNEL_TESTING_H_

#include <functional>
#include <utility>

#include "home/future/waker.h"

namespace home::channel_testing {

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

// A move-only value that knows how many of its kind there are.
class Counted {
 public:
  Counted(int value, int* alive) : value_(value), alive_(alive) { ++*alive_; }
  Counted(Counted&& other) noexcept : value_(other.value_), alive_(other.alive_) { ++*alive_; }
  Counted& operator=(Counted&& other) noexcept {
    value_ = other.value_;
    return *this;
  }
  ~Counted() { --*alive_; }
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
  int* alive_;
};

}  // namespace home::channel_testing

#endif  // HOME_CHANNEL_TESTING_H_
