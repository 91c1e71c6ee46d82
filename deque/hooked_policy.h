// HookedPolicy: a deque whose operations tests can interrupt at a chosen access.
//
// A test arms a hook, which runs once, in the middle of the next operation, right before
// the access that it names. What the hook does is what the other threads do while the
// operation stands still there: a schedule that a stress test meets once in a million runs
// is forced, on one thread.

#ifndef HOME_DEQUE_HOOKED_POLICY_H_
#define HOME_DEQUE_HOOKED_POLICY_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>

#include "home/deque/deque_policy.h"

namespace home::deque_testing {

// What runs before the next access of a kind to an atomic U.
template <typename U>
struct Hooks {
  static inline std::function<void()> before_load;
  static inline std::function<void()> before_store;
  static inline std::function<void()> before_rmw;

  static void RunOnce(std::function<void()>& hook) {
    if (!hook) return;
    std::exchange(hook, nullptr)();
  }
};

template <typename U>
class HookedAtomic {
 public:
  HookedAtomic() = default;
  explicit HookedAtomic(U value) : value_(value) {}

  U load(std::memory_order order) const {
    Hooks<U>::RunOnce(Hooks<U>::before_load);
    return value_.load(order);
  }
  void store(U value, std::memory_order order) {
    Hooks<U>::RunOnce(Hooks<U>::before_store);
    value_.store(value, order);
  }
  U exchange(U value, std::memory_order order) {
    Hooks<U>::RunOnce(Hooks<U>::before_rmw);
    return value_.exchange(value, order);
  }
  U fetch_add(U value, std::memory_order order) {
    Hooks<U>::RunOnce(Hooks<U>::before_rmw);
    return value_.fetch_add(value, order);
  }
  U fetch_sub(U value, std::memory_order order) {
    Hooks<U>::RunOnce(Hooks<U>::before_rmw);
    return value_.fetch_sub(value, order);
  }
  bool compare_exchange_strong(U& expected, U desired, std::memory_order success,
                               std::memory_order failure) {
    Hooks<U>::RunOnce(Hooks<U>::before_rmw);
    return value_.compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  std::atomic<U> value_{};
};

// Hooked atomics, a small first buffer, indices of the given type from `kFirst` on.
template <typename IndexType, IndexType kFirst = 0>
struct HookedPolicy : DequePolicy {
  template <typename U>
  using Atomic = HookedAtomic<U>;
  using Index = IndexType;
  static constexpr Index kFirstIndex = kFirst;
  static constexpr std::size_t kMinCapacity = 2;
};

}  // namespace home::deque_testing

#endif  // HOME_DEQUE_HOOKED_POLICY_H_
