// ShardLock: the lock of one shard of timers.
//
// It is taken for every timer that is armed or cancelled, nearly always by the thread whose
// shard it is, and held for some ten nanoseconds; at most for TimerService's kMovesPerLock
// steps. For that case it is made: one RMW to take it, a plain store to leave it. A mutex
// needs a second RMW there, to learn whether somebody sleeps, and that one waits for all
// stores of the critical section, which are cache misses: it was a quarter of the cost of
// arming and cancelling a timer among a million.
//
// Who finds the lock taken looks again for about a microsecond and then sleeps, longer each
// time, so that a holder that was preempted gets its processor, also from a waiter of higher
// priority. It is not woken: what it waits for may end unnoticed for as long as its nap
// lasts. Not fair.
//
// Thread-safety: as a mutex; satisfies BasicLockable.
// Memory ordering: what happened before an unlock() happens before what follows the lock()
// after it.

#ifndef HOME_TIMER_SHARD_LOCK_H_
#define HOME_TIMER_SHARD_LOCK_H_

#include <atomic>

namespace home::timer_internal {

class ShardLock {
 public:
  ShardLock() = default;
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;

  void lock() {
    // acquire: pairs with the release in unlock(); weaker, the last holder's writes to the
    // wheel might not be seen.
    if (locked_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      LockSlowly();
  }
  void unlock() {
    // release: pairs with the acquire in lock().
    locked_.store(false, std::memory_order_release);
  }

 private:
  void LockSlowly();

  std::atomic<bool> locked_{false};
};

}  // namespace home::timer_internal

#endif  // HOME_TIMER_SHARD_LOCK_H_
