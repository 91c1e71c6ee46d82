// RealClock on Windows: the performance counter. It counts from boot, also while the machine
// sleeps. (QueryUnbiasedInterruptTime() would leave sleep out, but it moves by whole ticks of up
// to 15.6 ms, and its precise form is not everywhere.)

#include <windows.h>

#include <cstdint>

#include "home/timer/clock.h"

namespace home {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::int64_t TicksPerSecond() {
  // It stays what it was when the machine was booted.
  static const std::int64_t frequency = [] {
    LARGE_INTEGER ticks;
    QueryPerformanceFrequency(&ticks);
    return ticks.QuadPart;
  }();
  return frequency;
}

}  // namespace

Instant RealClock::Now() const {
  LARGE_INTEGER ticks;
  // Can't fail since Windows XP.
  QueryPerformanceCounter(&ticks);
  const std::int64_t frequency = TicksPerSecond();
  // In two parts, so that the product does not overflow.
  return Instant::FromNanoseconds(ticks.QuadPart / frequency * kNanosPerSecond +
                                  ticks.QuadPart % frequency * kNanosPerSecond / frequency);
}

}  // namespace home
