// Deadline: one timer for a connection that sets new deadlines all the time.
//
// Arming and cancelling a timer for every request would cost more than the
// rest of the bookkeeping together. So the timer, once armed, is left alone
// while the deadline moves away from it; when it fires too early, it is armed
// again for what the deadline is by then. A busy connection touches the wheel
// once per timeout, and not once per request.
//
//   deadline.Set(deadline.In(absl::Seconds(30)));
//   if (deadline.Poll(cx)) ...   // passed; otherwise cx's task is woken in time
//
// Thread-safety: one thread at a time. Cost: Set() is a store; Poll() that
// finds nothing new is one load.

#ifndef HOME_HTTP_DEADLINE_H_
#define HOME_HTTP_DEADLINE_H_

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"
#include "home/timer/sleep.h"

namespace home::http {

class Deadline {
 public:
  // Deadlines are of `clock`, which must be the one that the timers run by.
  explicit Deadline(const Clock* clock = Clock::Real()) : clock_(clock) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // The moment `duration` from now.
  [[nodiscard]] Instant In(absl::Duration duration) const { return clock_->Now() + duration; }

  void Set(Instant deadline) { deadline_ = deadline; }

  // True if the deadline has passed. Otherwise the context's task will be woken
  // when it does.
  [[nodiscard]] bool Poll(Context& cx) {
    if (deadline_ < armed_) Arm();
    if (armed_.is_infinite()) return false;
    // Without the budget: a timeout must not wait for its turn.
    Context unlimited(cx.waker());
    while (sleep_.Poll(unlimited).ready()) {
      if (clock_->Now() >= deadline_) {
        deadline_ = Instant::Infinite();
        Arm();
        return true;
      }
      Arm();
      if (armed_.is_infinite()) return false;
    }
    return false;
  }

 private:
  void Arm() {
    sleep_.Reset(deadline_);
    armed_ = deadline_;
  }

  const Clock* const clock_;
  Instant deadline_ = Instant::Infinite();
  Instant armed_ = Instant::Infinite();  // what sleep_ waits for: never later than deadline_
  Sleep sleep_{absl::InfiniteDuration()};
};

}  // namespace home::http

#endif  // HOME_HTTP_DEADLINE_H_
