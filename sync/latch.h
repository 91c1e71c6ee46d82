// Latch: wait until something has happened so many times.
//
//   Latch ready(3);
//   ready.CountDown();                      // by each of three
//   co_await ready.Wait();                  // in any number of tasks
//
// Thread-safety: all functions from any thread. A future belongs to one thread at a time and
// must not outlive the latch.
// Memory ordering: what precedes a CountDown() happens before what follows a wait that it ends.
// Cost: counting is one RMW, and so is a wait that is over. Waiting allocates nothing. 32 bytes.

#ifndef HOME_SYNC_LATCH_H_
#define HOME_SYNC_LATCH_H_

#include <cstddef>
#include <source_location>

#include "home/future/lock_watch.h"
#include "home/sync/countdown.h"
#include "home/sync/grant_wait.h"

namespace home {

class Latch {
 public:
  // What Wait() returns. Movable before its first poll.
  using WaitFuture = sync_internal::GrantFuture<sync_internal::ZeroKind>;

  explicit Latch(std::size_t count) : count_(count) {}
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;

  // At most as often, all together, as the latch was told.
  void CountDown(std::size_t by = 1) { count_.Subtract(by); }
  // Whether the count is zero.
  [[nodiscard]] bool IsOpen() const { return count_.count() == 0; }
  // Ready once the count is zero.
  // Cancellation: dropping the future loses nothing.
  [[nodiscard]] WaitFuture Wait(
      const internal::LockPlace& place = std::source_location::current()) {
    return count_.Wait("latch", place);
  }

 private:
  sync_internal::Countdown count_;
};

}  // namespace home

#endif  // HOME_SYNC_LATCH_H_
