// Ticks: the units in which wheels count time. A tick is the 256th part of a millisecond,
// 3,906.25 ns, so that the wheel's level 0 has one millisecond.
//
// Nothing is early: a deadline is rounded up to a tick, and the present down.

#ifndef HOME_TIMER_TICK_H_
#define HOME_TIMER_TICK_H_

#include <algorithm>
#include <cstdint>

#include "home/timer/instant.h"
#include "home/timer/timer_precision.h"

namespace home::timer_internal {

inline constexpr std::uint64_t kNanosPerMilli = 1'000'000;
inline constexpr std::uint64_t kTicksPerMilli = 256;

// What comes before the clock's origin counts as the origin.
[[nodiscard]] inline std::uint64_t NanosOf(Instant instant) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(instant.nanoseconds(), 0));
}

// The first tick that does not start before `instant`, or the first such that starts a
// millisecond.
[[nodiscard]] inline std::uint64_t TickAtOrAfter(Instant instant, TimerPrecision precision) {
  const std::uint64_t nanos = NanosOf(instant);
  const std::uint64_t millis = nanos / kNanosPerMilli;
  const std::uint64_t rest = nanos % kNanosPerMilli;
  if (precision == TimerPrecision::kMillisecond) {
    return (millis + (rest != 0 ? 1 : 0)) * kTicksPerMilli;
  }
  return millis * kTicksPerMilli + (rest * kTicksPerMilli + kNanosPerMilli - 1) / kNanosPerMilli;
}

// The tick that `instant` lies in.
[[nodiscard]] inline std::uint64_t TickOf(Instant instant) {
  const std::uint64_t nanos = NanosOf(instant);
  return nanos / kNanosPerMilli * kTicksPerMilli +
         nanos % kNanosPerMilli * kTicksPerMilli / kNanosPerMilli;
}

// The first moment that lies in `tick`; infinite for TimerWheel::kNever and beyond.
[[nodiscard]] inline Instant StartOf(std::uint64_t tick) {
  constexpr auto kInfinite = static_cast<std::uint64_t>(Instant::Infinite().nanoseconds());
  const std::uint64_t millis = tick / kTicksPerMilli;
  if (millis >= kInfinite / kNanosPerMilli) return Instant::Infinite();
  const std::uint64_t rest = tick % kTicksPerMilli;
  return Instant::FromNanoseconds(static_cast<std::int64_t>(
      millis * kNanosPerMilli + (rest * kNanosPerMilli + kTicksPerMilli - 1) / kTicksPerMilli));
}

}  // namespace home::timer_internal

#endif  // HOME_TIMER_TICK_H_
