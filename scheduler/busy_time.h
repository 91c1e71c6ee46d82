// BusyTime: how long a worker has been awake, counted where it goes to sleep and wakes
// up, and known at any moment in between.
//
// One word, so that no reader sees half of a change:
//
//   awake    ~(now - busy): the moment at which it would have begun, had it never slept
//   asleep   busy
//
// in nanoseconds. Neither is negative before the complement, which tells them apart.
//
// Thread-safety: one thread at a time, between which something else orders, changes it;
// any reads it.

#ifndef HOME_SCHEDULER_BUSY_TIME_H_
#define HOME_SCHEDULER_BUSY_TIME_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "home/timer/instant.h"

namespace home::scheduler_internal {

class BusyTime {
 public:
  // It begins asleep. A worker that is awake, or asleep, already stays so.
  void WakeUp(Instant now) {
    // relaxed, here and below: one writer, and readers want a recent value; nothing
    // is published with it.
    const std::int64_t busy = word_.load(std::memory_order_relaxed);
    if (busy >= 0) word_.store(~(now.nanoseconds() - busy), std::memory_order_relaxed);
  }
  void Sleep(Instant now) {
    const std::int64_t word = word_.load(std::memory_order_relaxed);
    if (word < 0) word_.store(Busy(word, now), std::memory_order_relaxed);
  }

  [[nodiscard]] absl::Duration Until(Instant now) const {
    const std::int64_t word = word_.load(std::memory_order_relaxed);
    return absl::Nanoseconds(word < 0 ? Busy(word, now) : word);
  }

 private:
  static std::int64_t Busy(std::int64_t word, Instant now) {
    // The reader's clock may be behind that of the worker's processor.
    return std::max<std::int64_t>(now.nanoseconds() - ~word, 0);
  }

  std::atomic<std::int64_t> word_{0};
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_BUSY_TIME_H_
