// Interval: the same thing every so often.
//
//   Interval every_second(absl::Seconds(1));
//   for (;;) {
//     co_await every_second.Tick();
//     Report();
//   }
//
// The first tick is one period after the first Tick() was polled, and every
// other one period after the last, whatever the time between the calls was
// spent on: an Interval does not drift. A tick was missed if the next one is
// due already when it is taken; MissedTick says what follows then. With a
// period of 10 and a task that is back from a tick at 10 only at 35:
//
//   kBurst   20 30 at once, then 40, 50    every tick comes, late ones in a row
//   kSkip    20 at once, then 40, 50       the missed ones are left out
//   kDelay   20 at once, then 45, 55       the period counts from the late tick
//
// Cancellation: dropping a Tick() before it is ready loses no tick: the next
// one waits for the same moment.
// Thread-safety: one thread at a time. One Tick() at a time.
// Cost: no allocation; a tick is one Sleep.

#ifndef HOME_TIMER_INTERVAL_H_
#define HOME_TIMER_INTERVAL_H_

#include <cassert>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"
#include "home/timer/timer_precision.h"

namespace home {

// What an Interval does about ticks that nobody waited for.
enum class MissedTick : std::uint8_t { kBurst, kSkip, kDelay };

class Interval {
 public:
  // The future that Tick() returns: ready at the next tick, with the moment
  // for which that was set. Movable before its first poll.
  class TickFuture {
   public:
    using Output = Instant;

    TickFuture(TickFuture&& other) noexcept
        : interval_(std::exchange(other.interval_, nullptr)),
          waiting_(std::exchange(other.waiting_, false)) {
      assert(!waiting_ && "a Tick was moved after its first poll");
    }
    TickFuture& operator=(TickFuture&&) = delete;
    ~TickFuture() {
      if (waiting_) interval_->Stop();
    }

    [[nodiscard]] home::Poll<Instant> Poll(Context& cx) {
      assert(interval_ != nullptr && "a Tick was polled after it was ready");
      home::Poll<Instant> tick = interval_->PollTick(cx);
      waiting_ = tick.pending();
      if (tick.ready()) interval_ = nullptr;
      return tick;
    }

   private:
    friend class Interval;
    explicit TickFuture(Interval* interval) noexcept : interval_(interval) {}

    Interval* interval_;
    bool waiting_ = false;
  };

  // Dies with a message if `period` is not positive. An infinite one never
  // ticks.
  explicit Interval(absl::Duration period, MissedTick missed = MissedTick::kBurst,
                    TimerPrecision precision = TimerPrecision::kMillisecond);
  Interval(const Interval&) = delete;
  Interval& operator=(const Interval&) = delete;

  // The next tick. The interval must outlive the future.
  [[nodiscard]] TickFuture Tick() noexcept { return TickFuture(this); }

  // Starts anew: the next tick is one period after the next poll.
  void Reset();

  [[nodiscard]] absl::Duration period() const { return absl::Nanoseconds(period_); }

 private:
  [[nodiscard]] home::Poll<Instant> PollTick(Context& cx);
  // Forgets the waker; the deadline stays.
  void Stop();
  // The tick after `tick`, which was taken at `now`.
  [[nodiscard]] Instant After(Instant tick, Instant now) const;

  const std::int64_t period_;  // nanoseconds
  const MissedTick missed_;
  const Clock* clock_ = nullptr;  // null until the first poll
  Instant next_;
  Sleep sleep_;
};

}  // namespace home

#endif  // HOME_TIMER_INTERVAL_H_
