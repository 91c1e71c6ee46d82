// Retry: makes a future again until one succeeds, with growing, jittered pauses.
//
//   absl::StatusOr<Page> page = co_await Retry(RetryPolicy(), [&] { return Fetch(url); });
//
// `make` makes one attempt after the other: futures of absl::Status or
// absl::StatusOr. Retry yields the first success; or the first error that is not
// worth another attempt; or, after the last attempt, that one's error, unchanged.
// Each attempt is destroyed before the pause begins. `| Timeout(t)` around a Retry
// limits all of it, inside of `make` each attempt.
//
// The pause after attempt n (from 1) is initial_backoff * multiplier^(n-1), at most
// max_backoff, of which a random part, up to `jitter`, is taken off: so that many
// that failed together do not come back together (Brooker, Exponential Backoff And
// Jitter, 2015). The numbers are those of home/future/random.h, and the clock is
// the TimerScope's: a test can seed the one and pause the other.
//
// Cancellation: dropping a Retry drops the attempt that is under way; it loses what
// that loses.
// Thread-safety, memory ordering: those of the attempts.
// Cost: no allocation; a Sleep (48 bytes) beside the attempt.

#ifndef HOME_TIMER_RETRY_H_
#define HOME_TIMER_RETRY_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/timer/sleep.h"

namespace home {

// When to try again, and when not to. A plain value.
class RetryPolicy {
 public:
  RetryPolicy() = default;

  // Attempts in all, the first one included; at least 1.
  RetryPolicy& set_max_attempts(int attempts);
  // The pause after the first attempt, and the longest there is.
  RetryPolicy& set_initial_backoff(absl::Duration backoff);
  RetryPolicy& set_max_backoff(absl::Duration backoff);
  // By how much each pause is longer than the one before; at least 1.
  RetryPolicy& set_multiplier(double multiplier);
  // How much of a pause is left to chance: 0, nothing, to 1, all of it.
  RetryPolicy& set_jitter(double jitter);
  // Which errors are worth another attempt.
  RetryPolicy& set_retryable(bool (*retryable)(const absl::Status&));

  [[nodiscard]] int max_attempts() const { return max_attempts_; }

  // Whether to try again after attempt number `attempt`, from 1, ended with `status`.
  [[nodiscard]] bool ShouldRetry(const absl::Status& status, int attempt) const {
    return attempt < max_attempts_ && retryable_(status);
  }
  // How long to wait after attempt number `attempt`, from 1. Draws a number.
  [[nodiscard]] absl::Duration Backoff(int attempt) const;

  // What is worth another attempt by default: kUnavailable, kResourceExhausted,
  // kAborted and kDeadlineExceeded.
  [[nodiscard]] static bool IsTransient(const absl::Status& status);

 private:
  int max_attempts_ = 5;
  absl::Duration initial_backoff_ = absl::Milliseconds(100);
  absl::Duration max_backoff_ = absl::Seconds(10);
  double multiplier_ = 2;
  double jitter_ = 0.5;
  bool (*retryable_)(const absl::Status&) = &IsTransient;
};

// What Retry() returns. Movable before its first poll.
template <typename Make>
class [[nodiscard]] RetryFuture {
  using Attempt = std::invoke_result_t<Make&>;

 public:
  using Output = FutureOutput<Attempt>;
  static_assert(FallibleType<Output>, "Retry: the attempts yield Status or StatusOr");
  static constexpr const char* kName = "Retry";

  RetryFuture(const RetryPolicy& policy, Make make) : policy_(policy), make_(std::move(make)) {}
  RetryFuture(RetryFuture&& other) noexcept(std::is_nothrow_move_constructible_v<Make>)
      : check_(other.check_), policy_(other.policy_), make_(std::move(other.make_)) {}
  RetryFuture& operator=(RetryFuture&&) = delete;
  ~RetryFuture() = default;

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    while (true) {
      if (pause_.has_value()) {
        if (pause_->Poll(cx).pending()) return check_.Pending();
        pause_.reset();
      }
      if (!attempt_.has_value()) attempt_.emplace(InPlace{make_});
      home::Poll<Output> result = attempt_->Poll(cx);
      if (result.pending()) return check_.Pending();
      attempt_.reset();
      ++attempts_;
      if (result.value().ok()) return result;
      if (!policy_.ShouldRetry(internal::GetStatus(result.value()), attempts_)) return result;
      pause_.emplace(policy_.Backoff(attempts_));
    }
  }

 private:
  struct InPlace {
    Make& make;
    operator Attempt() const { return make(); }  // NOLINT: built in place, unmoved
  };

  [[no_unique_address]] internal::PollCheck<RetryFuture> check_;
  RetryPolicy policy_;
  Make make_;
  int attempts_ = 0;  // that have ended
  std::optional<Attempt> attempt_;
  std::optional<Sleep> pause_;
};

// A future of the first success of those that make() returns. `make` is kept and
// called once an attempt.
template <typename Make>
  requires Future<std::invoke_result_t<std::decay_t<Make>&>>
RetryFuture<std::decay_t<Make>> Retry(const RetryPolicy& policy, Make&& make) {
  return RetryFuture<std::decay_t<Make>>(policy, std::forward<Make>(make));
}

}  // namespace home

#endif  // HOME_TIMER_RETRY_H_
