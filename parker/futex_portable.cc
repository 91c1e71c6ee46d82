// The futex contract by the standard library, on platforms that have no source of their own
// (NetBSD among them: its futex is not for programs).

#include <atomic>
#include <cstdint>

#include "home/parker/futex.h"
#include "home/parker/portable_futex.h"

namespace home::parker_internal {

std::int64_t FutexClockNanos() { return PortableFutex::ClockNanos(); }

bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline) {
  return PortableFutex::Wait(word, expected, deadline);
}

void FutexWake(const std::atomic<std::uint32_t>* word) { PortableFutex::Wake(word); }

}  // namespace home::parker_internal
