#include "home/timer/clock.h"

namespace home {

const Clock* Clock::Real() {
  // Leaked on purpose: timers may look at the clock until the process ends.
  static const RealClock* const clock = new RealClock();
  return clock;
}

}  // namespace home
