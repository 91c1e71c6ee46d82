// Helpers for tests of futures: a waker that counts, and one poll by hand.

#ifndef HOME_FUTURE_TESTING_H_
#define HOME_FUTURE_TESTING_H_

#include <atomic>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/waker.h"

namespace home::testing {

// Counts how often it is woken, and how many of its wakers are alive.
// Thread-safe. Must outlive its wakers.
class CountingWaker {
 public:
  CountingWaker() = default;
  CountingWaker(const CountingWaker&) = delete;
  CountingWaker& operator=(const CountingWaker&) = delete;

  // A new waker; each counts as alive until it is dropped or woken by value.
  [[nodiscard]] Waker Make() {
    alive_.fetch_add(1);
    return Waker(this, &kVTable);
  }
  int wakes() const { return wakes_.load(); }
  int alive() const { return alive_.load(); }

 private:
  static CountingWaker* Self(void* data) { return static_cast<CountingWaker*>(data); }
  static void* OnClone(void* data) {
    Self(data)->alive_.fetch_add(1);
    return data;
  }
  static void OnWake(void* data) {
    Self(data)->wakes_.fetch_add(1);
    Self(data)->alive_.fetch_sub(1);
  }
  static void OnWakeByRef(void* data) { Self(data)->wakes_.fetch_add(1); }
  static void OnDrop(void* data) { Self(data)->alive_.fetch_sub(1); }
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

}  // namespace home::testing

#endif  // HOME_FUTURE_TESTING_H_
