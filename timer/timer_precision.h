// TimerPrecision: how late a timer may be for the sake of those beside it.

#ifndef HOME_TIMER_TIMER_PRECISION_H_
#define HOME_TIMER_TIMER_PRECISION_H_

#include <cstdint>

namespace home {

enum class TimerPrecision : std::uint8_t {
  // Due at the end of its millisecond: timers wake a sleeping runtime at most 1,000 times a
  // second, however many there are.
  kMillisecond,
  // Due within 4 us (1 ms / 256). A runtime that sleeps uses a timeout in nanoseconds, where
  // the system has one, and the system's own timer slack comes on top (on Linux 50 us for
  // threads that are not real-time). Where such timers are dense they are batched: a runtime
  // that has fired two or more at once wakes for the next 150 us later at the earliest.
  kHigh,
};

}  // namespace home

#endif  // HOME_TIMER_TIMER_PRECISION_H_
