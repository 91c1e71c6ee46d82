// Deadlines: how long a wait may last, as a moment on the monotonic clock.
//
// A wait that is interrupted and taken up again must not begin its time anew, so
// that every timeout becomes a deadline once, at the outset.

#ifndef HOME_PARKER_DEADLINE_H_
#define HOME_PARKER_DEADLINE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "home/parker/futex.h"

namespace home::parker_internal {

// The first nanosecond of Policy's clock at which `timeout`, counted from now, is over;
// kNoDeadline if the clock does not reach that far (292 years). Now, for a timeout that is
// not positive.
template <typename Policy>
std::int64_t DeadlineAfter(absl::Duration timeout) {
  const std::int64_t now = Policy::Now();
  if (timeout <= absl::ZeroDuration()) return now;
  // Rounded up, so that a fraction of a nanosecond does not end early. Saturates.
  const std::int64_t nanos = absl::ToInt64Nanoseconds(absl::Ceil(timeout, absl::Nanoseconds(1)));
  return nanos >= kNoDeadline - now ? kNoDeadline : now + nanos;
}

}  // namespace home::parker_internal

#endif  // HOME_PARKER_DEADLINE_H_
