#include "home/timer/deadline.h"

#include <cstddef>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

// Trivially destructible: it may be asked for while the thread ends.
constinit thread_local Instant current_deadline = Instant::Infinite();

// Never inlined: a coroutine that goes on on another thread must not keep the address.
ABSL_ATTRIBUTE_NOINLINE Instant ExchangeCurrent(Instant deadline) {
  return std::exchange(current_deadline, deadline);
}

}  // namespace

ABSL_ATTRIBUTE_NOINLINE Instant CurrentDeadline() noexcept { return current_deadline; }

absl::Status CheckDeadline(std::string_view operation) {
  const Instant deadline = CurrentDeadline();
  if (deadline.is_infinite()) return absl::OkStatus();
  std::size_t shard = 0;
  if (TimerService::CurrentOrDie("CheckDeadline", shard).Now() < deadline) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat(operation, ": the deadline has passed before it began"));
}

namespace timer_internal {

DeadlineScope::DeadlineScope(Instant deadline) noexcept : previous_(ExchangeCurrent(deadline)) {}
DeadlineScope::~DeadlineScope() { ExchangeCurrent(previous_); }

}  // namespace timer_internal
}  // namespace home
