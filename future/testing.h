// Helpers for tests of futures: a waker that counts, one poll by hand, and
// futures that are ready after some polls or when they are told.

#ifndef HOME_FUTURE_TESTING_H_
#define HOME_FUTURE_TESTING_H_

#include <atomic>
#include <utility>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/waker.h"

namespace home::testing {

// Counts how often it is woken, and how many of its wakers are alive.
// Thread-safe. Must outlive its wakers.
class CountingWaker : public WakerTarget {
 public:
  CountingWaker() : WakerTarget(&kVTable) {}
  CountingWaker(const CountingWaker&) = delete;
  CountingWaker& operator=(const CountingWaker&) = delete;

  // A new waker; each counts as alive until it is dropped or woken by value.
  [[nodiscard]] Waker Make() {
    alive_.fetch_add(1);
    return Waker(this);
  }
  int wakes() const { return wakes_.load(); }
  int alive() const { return alive_.load(); }

 private:
  static CountingWaker* Self(WakerTarget* target) { return static_cast<CountingWaker*>(target); }
  static WakerTarget* OnClone(WakerTarget* target) {
    Self(target)->alive_.fetch_add(1);
    return target;
  }
  static void OnWake(WakerTarget* target) {
    Self(target)->wakes_.fetch_add(1);
    Self(target)->alive_.fetch_sub(1);
  }
  static void OnWakeByRef(WakerTarget* target) { Self(target)->wakes_.fetch_add(1); }
  static void OnDrop(WakerTarget* target) { Self(target)->alive_.fetch_sub(1); }
  static constexpr WakerVTable kVTable = {OnClone, OnWake, OnWakeByRef, OnDrop};

  std::atomic<int> wakes_{0};
  std::atomic<int> alive_{0};
};

// Polls once with a waker that does nothing.
template <Future F>
Poll<FutureOutput<F>> PollOnce(F& future) {
  const Waker waker;
  Context cx(waker);
  return future.Poll(cx);
}

// Polls once with `counter`'s waker.
template <Future F>
Poll<FutureOutput<F>> PollOnce(F& future, CountingWaker& counter) {
  const Waker waker = counter.Make();
  Context cx(waker);
  return future.Poll(cx);
}

// Polls `future` to its end, which nobody else brings about, and once more: a mistake.
template <Future F>
void PollAfterReady(F future) {
  while (PollOnce(future).pending()) {
  }
  static_cast<void>(PollOnce(future));
}

// A value of a type whose & means something else.
struct Unaddressable {
  void operator&() = delete;
  void operator&() const = delete;

  int number = 0;
};

// Yields `value` at poll number `polls`, and wakes itself before; counts in
// `cancelled` if it is destroyed unfinished.
template <typename T = int>
class Countdown {
 public:
  using Output = T;

  Countdown(int polls, T value, int* cancelled = nullptr)
      : polls_(polls), value_(std::move(value)), cancelled_(cancelled) {}
  Countdown(Countdown&& other) noexcept
      : polls_(other.polls_),
        value_(std::move(other.value_)),
        cancelled_(std::exchange(other.cancelled_, nullptr)) {}
  Countdown& operator=(Countdown&&) = delete;
  ~Countdown() {
    if (cancelled_ != nullptr) ++*cancelled_;
  }

  home::Poll<T> Poll(Context& cx) {
    if (--polls_ > 0) {
      cx.waker().WakeByRef();
      return kPending;
    }
    cancelled_ = nullptr;
    return std::move(value_);
  }

 private:
  int polls_;
  T value_;
  int* cancelled_;
};

// What a Manual future waits for, held by the test: it says when, and sees how
// often the future was polled and whether it is still there. For one thread.
struct ManualState {
  bool ready = false;
  int polls = 0;
  int alive = 0;
  int wakers_cloned = 0;
  Waker waker;

  // Makes the future ready and wakes whoever polled it last.
  void Set() {
    ready = true;
    std::move(waker).Wake();
  }
};

// Yields `value` once its state is ready.
template <typename T = int>
class Manual {
 public:
  using Output = T;

  Manual(ManualState* state, T value) : state_(state), value_(std::move(value)) { ++state_->alive; }
  Manual(Manual&& other) noexcept : state_(other.state_), value_(std::move(other.value_)) {
    ++state_->alive;
  }
  Manual& operator=(Manual&&) = delete;
  ~Manual() { --state_->alive; }

  home::Poll<T> Poll(Context& cx) {
    ++state_->polls;
    if (state_->ready) return std::move(value_);
    if (UpdateWaker(state_->waker, cx.waker())) ++state_->wakers_cloned;
    return kPending;
  }

 private:
  ManualState* state_;
  T value_;
};

}  // namespace home::testing

#endif  // HOME_FUTURE_TESTING_H_
