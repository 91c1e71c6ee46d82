#include "home/timer/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "home/future/fatal.h"
#include "home/timer/timer_service.h"

namespace home {
namespace {

std::int64_t IntervalOf(double per_second) {
  // Put so that not-a-number is caught too.
  if (!(per_second > 0 && per_second <= 1e9)) {
    Fatal("RateLimiter: the rate is not between 0 and 10^9 a second");
  }
  // Rounded up: never more often. A rate that is next to nothing is one permit in
  // many years.
  return static_cast<std::int64_t>(std::min(std::ceil(1e9 / per_second), 0x1p60));
}

// interval * permits, or as much as there is.
std::int64_t Times(std::int64_t interval, std::int64_t permits) noexcept {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(interval, permits, &product)) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return product;
}

std::int64_t CheckedPermits(int permits) {
  if (permits < 1) Fatal("RateLimiter: fewer than 1 permit asked for");
  return permits;
}

std::int64_t BurstOf(std::int64_t interval, int burst) {
  if (burst < 1) Fatal("RateLimiter: the burst is less than 1");
  return Times(interval, burst);
}

}  // namespace

// -- RateAcquireFuture -----------------------------------------------------------

home::Poll<void> RateAcquireFuture::Poll(Context& cx) {
  check_.Begin();
  if (!reserved_) {
    std::size_t shard = 0;
    const Instant now = TimerService::CurrentOrDie("RateLimiter", shard).Now();
    full_ = limiter_->Reserve(now, permits_);
    reserved_ = true;
    sleep_.Reset(limiter_->UsableAt(full_));
  }
  if (sleep_.Poll(cx).pending()) return check_.Pending();
  reserved_ = false;
  return kReady;
}

void RateAcquireFuture::GiveBack() noexcept { limiter_->GiveBack(full_, permits_); }

// -- RateLimiter -------------------------------------------------------------

RateLimiter::RateLimiter(double per_second, int burst)
    : interval_nanos_(IntervalOf(per_second)),
      burst_nanos_(BurstOf(interval_nanos_, burst)),
      full_(Instant::InfinitePast().nanoseconds()) {}

RateAcquireFuture RateLimiter::Acquire(int permits) {
  return RateAcquireFuture(*this, CheckedPermits(permits));
}

bool RateLimiter::TryAcquire(Instant now, int permits) noexcept {
  const std::int64_t taken = Times(interval_nanos_, CheckedPermits(permits));
  // relaxed, here and below: the number itself is all that is passed on.
  std::int64_t full = full_.load(std::memory_order_relaxed);
  Instant after;
  do {
    after = std::max(Instant::FromNanoseconds(full), now).PlusNanoseconds(taken);
    if (UsableAt(after) > now) return false;
  } while (!full_.compare_exchange_weak(full, after.nanoseconds(), std::memory_order_relaxed,
                                        std::memory_order_relaxed));
  return true;
}

Instant RateLimiter::Reserve(Instant now, std::int64_t permits) noexcept {
  const std::int64_t taken = Times(interval_nanos_, permits);
  std::int64_t full = full_.load(std::memory_order_relaxed);
  Instant after;
  do {
    after = std::max(Instant::FromNanoseconds(full), now).PlusNanoseconds(taken);
  } while (!full_.compare_exchange_weak(full, after.nanoseconds(), std::memory_order_relaxed,
                                        std::memory_order_relaxed));
  return after;
}

void RateLimiter::GiveBack(Instant full, std::int64_t permits) noexcept {
  std::int64_t expected = full.nanoseconds();
  const Instant before = full.PlusNanoseconds(-Times(interval_nanos_, permits));
  // If it fails, somebody has asked since.
  full_.compare_exchange_strong(expected, before.nanoseconds(), std::memory_order_relaxed,
                                std::memory_order_relaxed);
}

}  // namespace home
