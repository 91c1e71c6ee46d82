// Instant: a point on a clock that never goes backwards, in nanoseconds.
//
//   Instant deadline = clock.Now() + absl::Seconds(5);
//   absl::Duration left = deadline - clock.Now();
//
// absl::Time is wall-clock time, which is set back and forth by people and by
// NTP. Deadlines live on the monotonic clock, and a type of its own keeps the
// two apart. The origin is the clock's (the machine's boot, say): an Instant
// means nothing to another machine, and nothing after a restart.
//
// Arithmetic saturates: what is later than the last Instant is
// Instant::Infinite(), which means "never" and stays infinite whatever is
// added. A duration finer than a nanosecond is rounded up, so that a deadline
// computed from it never comes early.
//
// Thread-safety: a plain value. Cost: an int64.

#ifndef HOME_TIMER_INSTANT_H_
#define HOME_TIMER_INSTANT_H_

#include <compare>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace home {

// `duration` in whole nanoseconds, rounded up, saturated at both ends.
[[nodiscard]] inline std::int64_t ToNanosecondsRoundedUp(absl::Duration duration) noexcept {
  const std::int64_t nanos = absl::ToInt64Nanoseconds(duration);  // towards zero, saturating
  if (nanos == std::numeric_limits<std::int64_t>::max()) return nanos;
  return absl::Nanoseconds(nanos) < duration ? nanos + 1 : nanos;
}

class Instant {
 public:
  // The origin of the clock.
  constexpr Instant() noexcept = default;

  // `nanos` after the origin.
  [[nodiscard]] static constexpr Instant FromNanoseconds(std::int64_t nanos) noexcept {
    return Instant(nanos);
  }
  // Later than every moment that a clock shows: never.
  [[nodiscard]] static constexpr Instant Infinite() noexcept {
    return Instant(std::numeric_limits<std::int64_t>::max());
  }
  // Not later than any moment: long past.
  [[nodiscard]] static constexpr Instant InfinitePast() noexcept {
    return Instant(std::numeric_limits<std::int64_t>::min());
  }

  [[nodiscard]] constexpr std::int64_t nanoseconds() const noexcept { return nanos_; }
  [[nodiscard]] constexpr bool is_infinite() const noexcept { return *this == Infinite(); }

  // operator+ for who has nanoseconds already.
  [[nodiscard]] constexpr Instant PlusNanoseconds(std::int64_t nanos) const noexcept {
    // "Never" and "long past" are no points to count from.
    if (*this == Infinite() || *this == InfinitePast()) return *this;
    std::int64_t sum = 0;
    if (__builtin_add_overflow(nanos_, nanos, &sum)) {
      return nanos > 0 ? Infinite() : InfinitePast();
    }
    return Instant(sum);
  }

  friend constexpr auto operator<=>(Instant, Instant) noexcept = default;

  friend Instant operator+(Instant instant, absl::Duration duration) noexcept {
    return instant.PlusNanoseconds(ToNanosecondsRoundedUp(duration));
  }
  friend Instant operator+(absl::Duration duration, Instant instant) noexcept {
    return instant + duration;
  }
  // Rounds up like operator+: an Instant is never earlier than the exact one.
  friend Instant operator-(Instant instant, absl::Duration duration) noexcept {
    return instant + -duration;
  }
  // How much later `a` is than `b`; infinite if exactly one of them is.
  friend absl::Duration operator-(Instant a, Instant b) noexcept {
    if (a == b) return absl::ZeroDuration();
    if (a == Infinite() || b == InfinitePast()) return absl::InfiniteDuration();
    if (b == Infinite() || a == InfinitePast()) return -absl::InfiniteDuration();
    return absl::Nanoseconds(a.nanos_) - absl::Nanoseconds(b.nanos_);  // can't overflow in these
  }
  Instant& operator+=(absl::Duration duration) noexcept { return *this = *this + duration; }
  Instant& operator-=(absl::Duration duration) noexcept { return *this = *this - duration; }

 private:
  explicit constexpr Instant(std::int64_t nanos) noexcept : nanos_(nanos) {}

  std::int64_t nanos_ = 0;
};

}  // namespace home

#endif  // HOME_TIMER_INSTANT_H_
