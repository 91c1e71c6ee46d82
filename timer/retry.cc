#include "home/timer/retry.h"

#include <algorithm>
#include <cmath>

#include "home/future/fatal.h"
#include "home/future/random.h"

namespace home {

RetryPolicy& RetryPolicy::set_max_attempts(int attempts) {
  if (attempts < 1) Fatal("RetryPolicy: max_attempts is less than 1");
  max_attempts_ = attempts;
  return *this;
}

RetryPolicy& RetryPolicy::set_initial_backoff(absl::Duration backoff) {
  initial_backoff_ = backoff;
  return *this;
}

RetryPolicy& RetryPolicy::set_max_backoff(absl::Duration backoff) {
  max_backoff_ = backoff;
  return *this;
}

RetryPolicy& RetryPolicy::set_multiplier(double multiplier) {
  // Put so that not-a-number is caught too.
  if (!(multiplier >= 1)) Fatal("RetryPolicy: multiplier is less than 1");
  multiplier_ = multiplier;
  return *this;
}

RetryPolicy& RetryPolicy::set_jitter(double jitter) {
  if (!(jitter >= 0 && jitter <= 1)) Fatal("RetryPolicy: jitter is not between 0 and 1");
  jitter_ = jitter;
  return *this;
}

RetryPolicy& RetryPolicy::set_retryable(bool (*retryable)(const absl::Status&)) {
  retryable_ = retryable;
  return *this;
}

absl::Duration RetryPolicy::Backoff(int attempt) const {
  // Also because nothing times infinity would be infinite below.
  if (initial_backoff_ <= absl::ZeroDuration()) return absl::ZeroDuration();
  // The power may overflow to infinity, and so may the product: both mean "the
  // longest there is".
  const absl::Duration grown = initial_backoff_ * std::pow(multiplier_, attempt - 1);
  const absl::Duration backoff = std::max(std::min(grown, max_backoff_), absl::ZeroDuration());
  return backoff * (1 - jitter_ * RandomUnit());
}

bool RetryPolicy::IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         absl::IsAborted(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace home
