// RealClock on macOS: CLOCK_UPTIME_RAW, which like Linux's monotonic clock counts from boot, in
// nanoseconds, and does not run on while the machine sleeps. It is also the clock by which
// kevent(2) counts its timeouts. (CLOCK_MONOTONIC counts microseconds there, and runs on.)

#include <time.h>

#include <cstdint>

#include "home/timer/clock.h"

namespace home {

Instant RealClock::Now() const {
  return Instant::FromNanoseconds(
      static_cast<std::int64_t>(::clock_gettime_nsec_np(CLOCK_UPTIME_RAW)));
}

}  // namespace home
