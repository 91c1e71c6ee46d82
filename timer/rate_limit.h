// RateLimiter: how often something may happen. RateLimit: a future that starts only
// when it may.
//
//   RateLimiter limiter(/*per_second=*/100, /*burst=*/10);
//   co_await limiter.Acquire();
//   auto page = co_await RateLimit(limiter, Fetch(url));
//   auto same = Fetch(url) | RateLimit(limiter) | Timeout(absl::Seconds(5));
//
// Permits come at an even rate; up to `burst` of them are saved up while nobody
// asks, and at the start. Who asks gets the next free moment, in the order of the
// first polls, and sleeps until then: first come, first served, with no queue.
//
// The algorithm is GCRA (ITU-T I.371), a token bucket whose whole state is one
// number: the moment at which the bucket is full again.
//
// The clock is that of the TimerScope under which a future is first polled; a test
// can pause it. Use a limiter under one clock only.
//
// Cancellation: dropping an Acquire() that waits gives its permits back if nobody
// has asked since. Otherwise they are lost: those who came later keep their
// moments, and the rate stays below the limit. Dropping a RateLimit() drops the
// future too.
// Thread-safety: full. The limiter must outlive its futures.
// Memory ordering: none: a permit says nothing about other memory.
// Cost: no allocation; 24 bytes a limiter; one CAS a request; a Sleep (48 bytes) a
// waiting future.

#ifndef HOME_TIMER_RATE_LIMIT_H_
#define HOME_TIMER_RATE_LIMIT_H_

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/pipe.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"

namespace home {

class RateLimiter;

// What Acquire() returns. Movable before its first poll.
class [[nodiscard]] RateAcquireFuture {
 public:
  using Output = void;
  static constexpr const char* kName = "RateLimiter::Acquire";

  RateAcquireFuture(RateAcquireFuture&& other) noexcept
      : check_(other.check_),
        limiter_(other.limiter_),
        permits_(other.permits_),
        reserved_(std::exchange(other.reserved_, false)),
        full_(other.full_),
        sleep_(std::move(other.sleep_)) {}
  RateAcquireFuture& operator=(RateAcquireFuture&&) = delete;
  ~RateAcquireFuture() {
    if (reserved_) GiveBack();
  }

  home::Poll<void> Poll(Context& cx);

 private:
  friend RateLimiter;

  RateAcquireFuture(RateLimiter& limiter, std::int64_t permits) noexcept
      : limiter_(&limiter), permits_(permits), sleep_(SleepUntil(Instant::Infinite())) {}

  void GiveBack() noexcept;

  [[no_unique_address]] internal::PollCheck<RateAcquireFuture> check_;
  RateLimiter* limiter_;
  std::int64_t permits_;
  bool reserved_ = false;  // permits are set aside, and not used yet
  Instant full_;           // if reserved_: when the bucket is full after us
  Sleep sleep_;
};

class RateLimiter {
 public:
  // `per_second` permits a second, positive, at most 10^9; up to `burst`, at least
  // 1, at once.
  explicit RateLimiter(double per_second, int burst = 1);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // A future that is ready when `permits`, at least 1, are free, and takes them. They
  // may be more than the burst: then it waits until they would have come.
  RateAcquireFuture Acquire(int permits = 1);
  // Takes them if they are free at `now`.
  [[nodiscard]] bool TryAcquire(Instant now, int permits = 1) noexcept;

 private:
  friend RateAcquireFuture;

  // Sets `permits` aside. Returns when the bucket is full again after them; they
  // may be used `burst_nanos_` before that.
  Instant Reserve(Instant now, std::int64_t permits) noexcept;
  void GiveBack(Instant full, std::int64_t permits) noexcept;
  [[nodiscard]] Instant UsableAt(Instant full) const noexcept {
    return full.PlusNanoseconds(-burst_nanos_);
  }

  const std::int64_t interval_nanos_;  // between two permits
  const std::int64_t burst_nanos_;     // for all permits of a burst
  // Nanoseconds of the Instant at which the bucket is full.
  std::atomic<std::int64_t> full_;
};

// What RateLimit() returns. Movable before its first poll.
template <Future F>
class [[nodiscard]] RateLimitFuture {
 public:
  using Output = FutureOutput<F>;
  static constexpr const char* kName = "RateLimit";

  RateLimitFuture(RateAcquireFuture acquire, F future)
      : acquire_(std::move(acquire)), future_(std::move(future)) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (!acquired_) {
      if (acquire_.Poll(cx).pending()) return check_.Pending();
      acquired_ = true;
    }
    home::Poll<Output> polled = future_.Poll(cx);
    if (polled.pending()) return check_.Pending();
    return polled;
  }

 private:
  [[no_unique_address]] internal::PollCheck<RateLimitFuture> check_;
  bool acquired_ = false;
  RateAcquireFuture acquire_;
  F future_;
};

// `future`, started when `limiter` lets it.
template <Future F>
RateLimitFuture<F> RateLimit(RateLimiter& limiter, F future) {
  return RateLimitFuture<F>(limiter.Acquire(), std::move(future));
}
// As a stage of a pipe.
inline auto RateLimit(RateLimiter& limiter) {
  return Pipe([&limiter](auto&& future) {
    return RateLimit(limiter, std::forward<decltype(future)>(future));
  });
}

}  // namespace home

#endif  // HOME_TIMER_RATE_LIMIT_H_
