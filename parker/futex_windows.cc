// The futex contract by WaitOnAddress (Windows 8 and later; link with synchronization.lib).
//
// WaitOnAddress takes milliseconds, and may come back a little before or, as its timer goes by
// the system's tick, a tick after they are over: up to 15.6 ms late unless the process has asked
// for a finer one. So the time that is left is rounded down to a millisecond but for the last
// one, and the clock decides what is reported: never early.

#include <windows.h>
//
#include <synchapi.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "home/parker/fatal.h"
#include "home/parker/futex.h"

namespace home::parker_internal {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerMillisecond = 1'000'000;
// The longest wait at a time, in milliseconds: INFINITE would be the next value.
constexpr std::int64_t kMaxWait = INFINITE - 1;

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t),
              "the system must see the word that the program sees");

}  // namespace

std::int64_t FutexClockNanos() {
  static const std::int64_t frequency = [] {
    LARGE_INTEGER ticks_per_second;
    QueryPerformanceFrequency(&ticks_per_second);
    return ticks_per_second.QuadPart;
  }();
  LARGE_INTEGER ticks;
  QueryPerformanceCounter(&ticks);
  // In two parts, so that the product does not overflow.
  return ticks.QuadPart / frequency * kNanosPerSecond +
         ticks.QuadPart % frequency * kNanosPerSecond / frequency;
}

bool FutexWait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
               std::int64_t deadline) {
  const DWORD saved_error = GetLastError();  // The caller may be in the middle of reporting one.
  bool in_time = true;
  for (;;) {
    DWORD milliseconds = INFINITE;
    if (deadline != kNoDeadline) {
      const std::int64_t left = deadline - FutexClockNanos();
      if (left <= 0) {
        in_time = false;
        break;
      }
      milliseconds =
          static_cast<DWORD>(std::clamp(left / kNanosPerMillisecond, std::int64_t{1}, kMaxWait));
    }
    // The system compares by value; it writes nothing.
    auto* const address = const_cast<std::atomic<std::uint32_t>*>(&word);
    if (WaitOnAddress(address, &expected, sizeof expected, milliseconds)) break;
    if (GetLastError() != ERROR_TIMEOUT) Die("WaitOnAddress failed");
  }
  SetLastError(saved_error);
  return in_time;
}

void FutexWake(const std::atomic<std::uint32_t>* word) {
  const DWORD saved_error = GetLastError();
  // The address is a key in a table of the system's, it is not looked behind.
  WakeByAddressSingle(const_cast<std::atomic<std::uint32_t>*>(word));
  SetLastError(saved_error);
}

}  // namespace home::parker_internal
