// Clock: where "now" comes from.
//
// RealClock reads the operating system's monotonic clock. A PausedClock stands
// still until a test moves it, so that hours of timeouts run in microseconds
// and always in the same order:
//
//   PausedClock clock;
//   TimerService timers(1, &clock, [] {});
//   ...
//   clock.Advance(absl::Hours(1));
//   timers.FireAllExpired(wakes);
//
// Thread-safety: Now() and Advance() may be called from any thread.
// Memory ordering: none: seeing a time says nothing about other memory.
// Cost: RealClock one vDSO call (about 20-40 ns), no system call.

#ifndef HOME_TIMER_CLOCK_H_
#define HOME_TIMER_CLOCK_H_

#include <atomic>
#include <cassert>
#include <cstdint>

#include "absl/time/time.h"
#include "home/timer/instant.h"

namespace home {

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  // The current moment; never earlier than one shown before on this thread,
  // and never before the clock's origin.
  [[nodiscard]] virtual Instant Now() const = 0;

  // The process's RealClock. Never destroyed.
  [[nodiscard]] static const Clock* Real();
};

// The machine's monotonic clock. It stands still while the machine is
// suspended, as deadlines should; but on Windows it goes on.
class RealClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const override;
};

// A clock that moves only when told to.
class PausedClock final : public Clock {
 public:
  // Starts an hour after the origin: nothing in a test should depend on zero.
  PausedClock() : PausedClock(Instant() + absl::Hours(1)) {}
  explicit PausedClock(Instant start) : nanos_(start.nanoseconds()) {}

  [[nodiscard]] Instant Now() const override {
    // relaxed: the time itself is the only thing passed on.
    return Instant::FromNanoseconds(nanos_.load(std::memory_order_relaxed));
  }

  // Moves the clock forward. It never fires a timer: that is for whoever
  // drives the TimerService.
  void Advance(absl::Duration duration) {
    assert(duration >= absl::ZeroDuration());
    std::int64_t now = nanos_.load(std::memory_order_relaxed);
    std::int64_t next;
    do {
      next = (Instant::FromNanoseconds(now) + duration).nanoseconds();
    } while (!nanos_.compare_exchange_weak(now, next, std::memory_order_relaxed,
                                           std::memory_order_relaxed));
  }
  // Moves the clock forward to `instant`; does nothing if it is past.
  void AdvanceTo(Instant instant) {
    std::int64_t now = nanos_.load(std::memory_order_relaxed);
    while (now < instant.nanoseconds() &&
           !nanos_.compare_exchange_weak(now, instant.nanoseconds(), std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
    }
  }

 private:
  std::atomic<std::int64_t> nanos_;
};

}  // namespace home

#endif  // HOME_TIMER_CLOCK_H_
