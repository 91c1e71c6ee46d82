// PortableFutex: the futex contract by the standard library alone.
//
// For platforms without a primitive of their own. Sleepers stand in a table of queues that is
// hashed by address, each with a condition variable of its own, so that a wake-up reaches the
// one it is for. A wait or a wake-up locks one mutex of the table for a few instructions; a
// wake-up that meets nobody takes it too.
//
// Timeouts are as monotonic and as precise as the standard library's condition variable with
// std::chrono::steady_clock; they are never early.

#ifndef HOME_PARKER_PORTABLE_FUTEX_H_
#define HOME_PARKER_PORTABLE_FUTEX_H_

#include <atomic>
#include <cstdint>

namespace home::parker_internal {

// The functions of futex.h, under names of their own.
struct PortableFutex {
  static std::int64_t ClockNanos();
  static bool Wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                   std::int64_t deadline);
  static void Wake(const std::atomic<std::uint32_t>* word);
};

}  // namespace home::parker_internal

#endif  // HOME_PARKER_PORTABLE_FUTEX_H_
