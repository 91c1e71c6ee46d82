// Hedge: asks again when an answer is late, and takes whichever comes first.
//
//   absl::StatusOr<Page> page = co_await Hedge(absl::Milliseconds(30), [&] { return Fetch(url); });
//   auto best = Hedge<3>(absl::Milliseconds(30), [&] { return Fetch(url); });
//
// `make` makes the attempts, kAttempts at most, 2 if not said. The first starts at
// once; another one each time that `delay` has passed without an answer, or as soon
// as all that were started have failed. The first success wins; the other attempts
// are cancelled before it is returned. If all fail, Hedge yields the last error. For
// futures that yield neither Status nor StatusOr every answer is a success.
//
// Choose the delay near the 95th percentile of the answers: the tail shrinks for
// one request more in twenty (Dean and Barroso, The Tail at Scale, CACM 2013). What
// is asked must be safe to ask twice. The clock is the TimerScope's: a test can
// pause it.
//
// Cancellation: dropping a Hedge drops all attempts; it loses what they lose.
// Thread-safety, memory ordering: those of the attempts. Each poll polls every
// attempt that is under way.
// Cost: no allocation; a Sleep (48 bytes) and room for kAttempts attempts.

#ifndef HOME_TIMER_HEDGE_H_
#define HOME_TIMER_HEDGE_H_

#include <array>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/timer/sleep.h"

namespace home {

// What Hedge() returns. Movable before its first poll.
template <std::size_t kAttempts, typename Make>
class [[nodiscard]] HedgeFuture {
  static_assert(kAttempts >= 1);
  using Attempt = std::invoke_result_t<Make&>;

 public:
  using Output = FutureOutput<Attempt>;
  static constexpr const char* kName = "Hedge";

  HedgeFuture(absl::Duration delay, Make make)
      : delay_(delay), make_(std::move(make)), next_(delay) {}
  HedgeFuture(HedgeFuture&& other) noexcept(std::is_nothrow_move_constructible_v<Make>)
      : check_(other.check_),
        delay_(other.delay_),
        make_(std::move(other.make_)),
        next_(other.delay_) {}
  HedgeFuture& operator=(HedgeFuture&&) = delete;
  ~HedgeFuture() = default;

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    std::size_t from = 0;
    while (true) {
      for (std::size_t i = from; i < started_; ++i) {
        if (!attempts_[i].has_value()) continue;
        home::Poll<Output> answer = attempts_[i]->Poll(cx);
        if (answer.pending()) continue;
        attempts_[i].reset();
        --running_;
        if (IsSuccess(answer) || (running_ == 0 && started_ == kAttempts)) {
          for (auto& attempt : attempts_) attempt.reset();
          // Its waker should not linger.
          next_.Reset(absl::InfiniteDuration());
          return answer;
        }
      }
      from = started_;
      if (started_ == kAttempts || (running_ != 0 && !IsTime(cx))) return check_.Pending();
      attempts_[started_].emplace(InPlace{make_});
      ++started_;
      ++running_;
      next_.Reset(delay_);
    }
  }

 private:
  struct InPlace {
    Make& make;
    operator Attempt() const { return make(); }  // NOLINT: built in place, unmoved
  };

  static bool IsSuccess(home::Poll<Output>& answer) {
    if constexpr (FallibleType<Output>) {
      return answer.value().ok();
    } else {
      static_cast<void>(answer);
      return true;
    }
  }
  // Whether the delay is over. Without a budget: attempts that use it up in every
  // poll must not hold back the next one.
  bool IsTime(Context& cx) {
    Context unlimited(cx.waker());
    return next_.Poll(unlimited).ready();
  }

  [[no_unique_address]] internal::PollCheck<HedgeFuture> check_;
  absl::Duration delay_;
  Make make_;
  std::size_t started_ = 0;
  std::size_t running_ = 0;
  std::array<std::optional<Attempt>, kAttempts> attempts_;
  Sleep next_;
};

// A future of the first success of up to kAttempts futures that make() returns.
template <std::size_t kAttempts = 2, typename Make>
  requires Future<std::invoke_result_t<std::decay_t<Make>&>>
HedgeFuture<kAttempts, std::decay_t<Make>> Hedge(absl::Duration delay, Make&& make) {
  return HedgeFuture<kAttempts, std::decay_t<Make>>(delay, std::forward<Make>(make));
}

}  // namespace home

#endif  // HOME_TIMER_HEDGE_H_
