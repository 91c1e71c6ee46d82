// Sleep: a future that is ready once some time has passed.
//
//   co_await Sleep(absl::Milliseconds(100));
//   co_await SleepUntil(deadline);
//   co_await Sleep(absl::Microseconds(200), TimerPrecision::kHigh);
//
// A Sleep counts from its first poll, not from its making: futures are lazy.
// It is never ready early, and late by the rest of a millisecond plus what the
// scheduler needs; with TimerPrecision::kHigh by microseconds instead. A duration that is zero or
// negative is ready at the first poll (after yielding, if the task's budget is used up); an
// infinite one never is.
//
// The first poll must happen under a TimerScope, as every worker of a runtime
// has one: else the process dies with a message. Later polls, and the
// destructor, may happen on any thread.
//
// Cancellation: dropping a Sleep before it is ready loses nothing. The
// destructor takes its entry out of the timers, synchronously, also while
// another thread is firing it: afterwards nothing refers to it.
// Thread-safety: one thread at a time, like every future.
// Memory ordering: none beyond the waker's.
// Cost: no allocation; 48 bytes; O(1) to arm and to cancel, one uncontended
// lock each; a poll that finds it still pending takes no lock.

#ifndef HOME_TIMER_SLEEP_H_
#define HOME_TIMER_SLEEP_H_

#include <cstdint>

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/timer/instant.h"
#include "home/timer/timer_precision.h"
#include "home/timer/timer_service.h"

namespace home {

class Sleep : private TimerNode {
 public:
  using Output = void;

  // Ready `duration` after the first poll.
  explicit Sleep(absl::Duration duration,
                 TimerPrecision precision = TimerPrecision::kMillisecond) noexcept
      : Sleep(Phase::kRelative, ToNanosecondsRoundedUp(duration), precision) {}

  // Only before the first poll.
  Sleep(Sleep&& other) noexcept : Sleep(other.phase(), other.nanos(), other.precision()) {
    assert(other.phase() <= Phase::kAbsolute && "a Sleep was moved after its first poll");
  }
  Sleep& operator=(Sleep&&) = delete;
  ~Sleep() {
    if (phase() == Phase::kWaiting) TimerService::Cancel(*this);
  }

  [[nodiscard]] home::Poll<void> Poll(Context& cx) noexcept;

  // Starts anew, on the next poll: that counts as a first one, and the Sleep
  // may be moved before it. Cancels what is under way. Re-arming a timeout that
  // is pushed back over and over costs one O(1) cancel and one O(1) arm.
  void Reset(absl::Duration duration);
  void Reset(Instant deadline);

 private:
  friend Sleep SleepUntil(Instant deadline, TimerPrecision precision) noexcept;

  // Where the Sleep stands in its own life.
  enum class Phase : std::uint8_t {
    kRelative,  // not polled; nanos() is a duration
    kAbsolute,  // not polled; nanos() is an Instant
    kWaiting,   // armed or fired, or infinite
    kDue,       // the time is up, Ready was not returned yet
    kDone,      // Ready was returned
  };

  // The node's spare byte: the phase, and above it the precision.
  static constexpr std::uint8_t kPhaseBits = 0x0f;
  static constexpr unsigned kPrecisionShift = 4;

  Sleep(Phase phase, std::int64_t nanos, TimerPrecision precision) noexcept {
    set_nanos(nanos);
    tag_ = static_cast<std::uint8_t>(static_cast<unsigned>(precision) << kPrecisionShift);
    set_phase(phase);
  }

  [[nodiscard]] TimerPrecision precision() const noexcept {
    return static_cast<TimerPrecision>(tag_ >> kPrecisionShift);
  }
  [[nodiscard]] Phase phase() const noexcept { return static_cast<Phase>(tag_ & kPhaseBits); }
  void set_phase(Phase phase) noexcept {
    tag_ = static_cast<std::uint8_t>((tag_ & ~kPhaseBits) | static_cast<std::uint8_t>(phase));
  }

  // Before the first poll: for how long, or until when. It lies where the entry's tick will.
  [[nodiscard]] std::int64_t nanos() const noexcept { return static_cast<std::int64_t>(tick()); }
  void set_nanos(std::int64_t nanos) noexcept { set_tick(static_cast<std::uint64_t>(nanos)); }

  // First poll: arms, or finds that the time is up.
  void Start(const Waker& waker) noexcept;
};

// Ready once `deadline` has passed.
[[nodiscard]] inline Sleep SleepUntil(
    Instant deadline, TimerPrecision precision = TimerPrecision::kMillisecond) noexcept {
  return Sleep(Sleep::Phase::kAbsolute, deadline.nanoseconds(), precision);
}

}  // namespace home

#endif  // HOME_TIMER_SLEEP_H_
