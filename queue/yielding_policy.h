// YieldingAtomic: atomics that are sometimes preceded by a yield.
//
// So operations stop in the middle of themselves far more often than the scheduler would
// have it.

#ifndef HOME_QUEUE_YIELDING_POLICY_H_
#define HOME_QUEUE_YIELDING_POLICY_H_

#include <atomic>
#include <functional>
#include <random>
#include <thread>

namespace home::queue_testing {

// Gives the processor away once in so many calls.
inline void MaybeYield(unsigned once_in) {
  thread_local std::minstd_rand random(
      static_cast<unsigned>(std::hash<std::thread::id>()(std::this_thread::get_id())));
  if (random() % once_in == 0) std::this_thread::yield();
}

template <typename U>
class YieldingAtomic {
 public:
  YieldingAtomic() = default;
  YieldingAtomic(U value) : value_(value) {}  // NOLINT: as std::atomic

  U load(std::memory_order order) const { return Interrupted().load(order); }
  void store(U value, std::memory_order order) { Interrupted().store(value, order); }
  U exchange(U value, std::memory_order order) { return Interrupted().exchange(value, order); }
  U fetch_add(U value, std::memory_order order) { return Interrupted().fetch_add(value, order); }
  U fetch_sub(U value, std::memory_order order) { return Interrupted().fetch_sub(value, order); }
  bool compare_exchange_weak(U& expected, U desired, std::memory_order success,
                             std::memory_order failure) {
    return Interrupted().compare_exchange_weak(expected, desired, success, failure);
  }
  bool compare_exchange_strong(U& expected, U desired, std::memory_order success,
                               std::memory_order failure) {
    return Interrupted().compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  static constexpr unsigned kOnceIn = 200;

  std::atomic<U>& Interrupted() const {
    MaybeYield(kOnceIn);
    return value_;
  }

  mutable std::atomic<U> value_{};
};

// Any queue's policy with such atomics.
template <typename Policy>
struct Yielding : Policy {
  template <typename U>
  using Atomic = YieldingAtomic<U>;
};

}  // namespace home::queue_testing

#endif  // HOME_QUEUE_YIELDING_POLICY_H_
