// Deadline propagation: one deadline for all that a request does.
//
//   auto reply = co_await (Handle(request) | WithDeadline(received + absl::Seconds(2)));
//
//   // Anywhere beneath, however deep:
//   call.set_deadline(CurrentDeadline());                       // pass it on to another machine
//   if (auto status = CheckDeadline("sort"); !status.ok()) ...  // before something expensive
//
// While the future of a WithDeadline() is polled, CurrentDeadline() is its deadline, or that of
// a WithDeadline() around it if that is earlier: what is beneath may ask for less time than it
// was given, never for more. So nobody has to pass a deadline from function to function, or to
// subtract what was spent, as in Go's contexts and in gRPC.
//
// When the time is up the future is destroyed, which cancels it, and the result is
// kDeadlineExceeded, as with Timeout(). Of two deadlines at the same moment the inner one
// comes first.
//
// A task that is spawned beneath is another task, and inherits nothing: give it the deadline
// with `Spawn(Work() | WithDeadline(CurrentDeadline()))`.
//
// Cancellation: dropping it drops the future; it loses what that loses.
// Thread-safety, memory ordering: those of the future. CurrentDeadline() is the calling
// thread's.
// Cost: no allocation; what a Timeout() costs, and two accesses to a thread-local a poll.

#ifndef HOME_TIMER_DEADLINE_H_
#define HOME_TIMER_DEADLINE_H_

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/pipe.h"
#include "home/future/poll.h"
#include "home/timer/instant.h"
#include "home/timer/timeout.h"

namespace home {

// The deadline of what is being polled on this thread; Infinite if it has none.
[[nodiscard]] Instant CurrentDeadline() noexcept;

// OK, or kDeadlineExceeded, naming `operation`, if the current deadline has passed. Reads the
// clock if there is a deadline. Needs a TimerScope then, as a WithDeadline() does.
[[nodiscard]] absl::Status CheckDeadline(std::string_view operation);

namespace timer_internal {

// Makes `deadline` the current one until the scope ends.
class DeadlineScope {
 public:
  explicit DeadlineScope(Instant deadline) noexcept;
  DeadlineScope(const DeadlineScope&) = delete;
  DeadlineScope& operator=(const DeadlineScope&) = delete;
  ~DeadlineScope();

 private:
  const Instant previous_;
};

}  // namespace timer_internal

// What WithDeadline() returns. Movable before its first poll.
template <Future F>
class WithDeadlineFuture {
 public:
  using Output = Fallible<FutureOutput<F>>;
  static constexpr const char* kName = "WithDeadline";

  WithDeadlineFuture(F future, Instant deadline)
      : deadline_(deadline), timeout_(std::move(future), deadline) {}

  [[nodiscard]] home::Poll<Output> Poll(Context& cx) {
    if (!started_) {
      started_ = true;
      deadline_ = std::min(deadline_, CurrentDeadline());
      timeout_.SetDeadline(deadline_);
    }
    const timer_internal::DeadlineScope scope(deadline_);
    return timeout_.Poll(cx);
  }

 private:
  bool started_ = false;
  Instant deadline_;
  TimeoutFuture<F> timeout_;
};

// `future`, which is moved in, with `deadline` for it and all that it does.
template <typename F>
  requires Future<std::remove_cvref_t<F>>
[[nodiscard]] WithDeadlineFuture<std::remove_cvref_t<F>> WithDeadline(F&& future,
                                                                      Instant deadline) {
  static_assert(!std::is_lvalue_reference_v<F>,
                "WithDeadline takes the future over: std::move it in");
  return WithDeadlineFuture<std::remove_cvref_t<F>>(std::forward<F>(future), deadline);
}

// As a stage of a pipe.
[[nodiscard]] inline auto WithDeadline(Instant deadline) {
  return Pipe([deadline](auto&& future) {
    return WithDeadline(std::forward<decltype(future)>(future), deadline);
  });
}

}  // namespace home

#endif  // HOME_TIMER_DEADLINE_H_
