// RealClock on Linux: CLOCK_MONOTONIC, which the vDSO answers without a system
// call. It counts from boot and does not run on while the machine sleeps.

#include <time.h>

#include <cstdint>

#include "home/timer/clock.h"

namespace home {

Instant RealClock::Now() const {
  timespec now;
  // Can't fail: the clock exists on every Linux and the pointer is good.
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant::FromNanoseconds(static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 +
                                  now.tv_nsec);
}

}  // namespace home
