#include "home/timer/timeout.h"

#include "absl/strings/str_cat.h"

namespace home::timer_internal {

absl::Status TimedOut(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) {
    return absl::DeadlineExceededError("Timeout: not finished by its deadline");
  }
  return absl::DeadlineExceededError(
      absl::StrCat("Timeout: not finished within ", absl::FormatDuration(duration)));
}

}  // namespace home::timer_internal
