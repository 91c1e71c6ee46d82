// Counter: a figure with one writer.

#ifndef HOME_SCHEDULER_COUNTER_H_
#define HOME_SCHEDULER_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace home::scheduler_internal {

// Written by one thread at a time, between which something else orders; read by any.
class Counter {
 public:
  void Add(std::uint64_t n = 1) {
    // relaxed: one writer, so no increment is lost, and a load and a store do; readers
    // want any recent value.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // For a figure that is a maximum.
  void RaiseTo(std::uint64_t value) {
    // relaxed: as above.
    if (value > value_.load(std::memory_order_relaxed)) {
      value_.store(value, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  // The same for a count that others conclude from: who sees it sees what came before.
  void Publish() {
    // release: pairs with Acquire(). relaxed (load): one writer.
    value_.store(value_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t Acquire() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_COUNTER_H_
