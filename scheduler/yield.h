// YieldNow: lets the other tasks of this worker run first.
//
//   while (!done) { Step(); co_await YieldNow(); }
//
// Cancellation: nothing is lost. Cost: a turn through the worker's queue.

#ifndef HOME_SCHEDULER_YIELD_H_
#define HOME_SCHEDULER_YIELD_H_

#include "home/future/context.h"
#include "home/future/poll.h"

namespace home {

class [[nodiscard]] YieldFuture {
 public:
  using Output = void;

  YieldFuture() = default;

  home::Poll<void> Poll(Context& cx) noexcept {
    if (yielded_) return kReady;
    yielded_ = true;
    cx.PollAgain();
    return cx.PendingFor("its next turn (it yielded)");
  }

 private:
  bool yielded_ = false;
};

// A future that is pending once: the task goes to the back of its worker's
// queue, behind every task that is ready there now.
inline YieldFuture YieldNow() { return YieldFuture(); }

}  // namespace home

#endif  // HOME_SCHEDULER_YIELD_H_
