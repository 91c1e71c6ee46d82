// Timeout: gives a future a limited time.
//
//   absl::StatusOr<Page> page = co_await Timeout(Fetch(url), absl::Seconds(5));
//   auto quick = Fetch(url) | Map(Parse) | Timeout(absl::Seconds(5));
//   auto timely = Fetch(url) | Timeout(deadline);
//
// The result is the future's own, as a Status or StatusOr, or kDeadlineExceeded:
//
//   future's Output   T             void     StatusOr<T>   Status
//   Timeout's         StatusOr<T>   Status   StatusOr<T>   Status
//
// A duration counts from the first poll. Every poll asks the future first, so a
// result that is there wins over a deadline that has passed, also when the
// duration is zero or negative. When the time is up, the future is destroyed,
// which cancels it, before the Timeout is ready. No timer is armed for a future
// that is ready at the first poll.
//
// A future that uses up its task's budget in every poll can't hold back the
// deadline: the timer is polled without a budget.
//
// Cancellation: dropping a Timeout drops the future; it loses what that loses.
// When the time is up the same is lost.
// Thread-safety, memory ordering: those of the future.
// Cost: no allocation, but for the error's message when the time is up; a Sleep (64
// bytes) beside the future.

#ifndef HOME_TIMER_TIMEOUT_H_
#define HOME_TIMER_TIMEOUT_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/pipe.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"

namespace home {

namespace timer_internal {

// kDeadlineExceeded with the duration in its message, if that is finite.
[[nodiscard]] absl::Status TimedOut(absl::Duration duration);

}  // namespace timer_internal

template <Future F>
class WithDeadlineFuture;

// What Timeout() returns. Movable before its first poll.
template <Future F>
class TimeoutFuture {
 public:
  using Output = Fallible<FutureOutput<F>>;
  static constexpr const char* kName = "Timeout";

  TimeoutFuture(F future, absl::Duration duration)
      : future_(std::move(future)), duration_(duration), sleep_(duration) {}
  TimeoutFuture(F future, Instant deadline)
      : future_(std::move(future)),
        duration_(absl::InfiniteDuration()),
        sleep_(SleepUntil(deadline)) {}
  TimeoutFuture(TimeoutFuture&&) = default;
  TimeoutFuture& operator=(TimeoutFuture&&) = delete;

  [[nodiscard]] home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    {
      home::Poll<FutureOutput<F>> result = future_->Poll(cx);
      if (result.ready()) {
        // The deadline means nothing any more; its waker should not linger.
        sleep_.Reset(absl::InfiniteDuration());
        future_.reset();
        if constexpr (std::is_same_v<FutureOutput<F>, Output>) {
          return result;
        } else if constexpr (std::is_void_v<FutureOutput<F>>) {
          return Output(absl::OkStatus());
        } else {
          return Output(std::move(result).value());
        }
      }
    }
    Context unlimited(cx.waker());
    if (sleep_.Poll(unlimited).pending()) return check_.Pending();
    future_.reset();
    return Output(timer_internal::TimedOut(duration_));
  }

 private:
  friend class WithDeadlineFuture<F>;

  // Before the first poll.
  void SetDeadline(Instant deadline) { sleep_.Reset(deadline); }

  [[no_unique_address]] internal::PollCheck<TimeoutFuture> check_;
  std::optional<F> future_;  // empty once ready
  absl::Duration duration_;  // infinite if there is a deadline instead
  Sleep sleep_;
};

// `future` with at most `duration` to finish in, or until `deadline`. The future is moved in.
template <typename F>
  requires Future<std::remove_cvref_t<F>>
[[nodiscard]] TimeoutFuture<std::remove_cvref_t<F>> Timeout(F&& future, absl::Duration duration) {
  static_assert(!std::is_lvalue_reference_v<F>, "Timeout takes the future over: std::move it in");
  return TimeoutFuture<std::remove_cvref_t<F>>(std::forward<F>(future), duration);
}

template <typename F>
  requires Future<std::remove_cvref_t<F>>
[[nodiscard]] TimeoutFuture<std::remove_cvref_t<F>> Timeout(F&& future, Instant deadline) {
  static_assert(!std::is_lvalue_reference_v<F>, "Timeout takes the future over: std::move it in");
  return TimeoutFuture<std::remove_cvref_t<F>>(std::forward<F>(future), deadline);
}

// As a stage of a pipe.
[[nodiscard]] inline auto Timeout(Instant deadline) {
  return Pipe([deadline](auto&& future) {
    return Timeout(std::forward<decltype(future)>(future), deadline);
  });
}
[[nodiscard]] inline auto Timeout(absl::Duration duration) {
  return Pipe([duration](auto&& future) {
    return Timeout(std::forward<decltype(future)>(future), duration);
  });
}

}  // namespace home

#endif  // HOME_TIMER_TIMEOUT_H_
