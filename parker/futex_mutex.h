// FutexMutex: a mutex of four bytes for critical sections of a few instructions.
//
//   const std::lock_guard lock(mutex);
//
// It is for the lists of those who wait (home/sync), where it is locked for some 20 ns, mostly by
// one thread alone. So locking and unlocking are inline and one RMW each, where a std::mutex
// (glibc's, which has kinds to tell apart) is two calls and 40 bytes; and one who finds it locked
// looks again for a while before it asks the kernel to let it sleep, which takes fifty times as
// long as the holder needs. A holder that lost its processor is slept for.
//
//   word_   kFree      nobody has it
//           kHeld      somebody has it
//           kAwaited   somebody has it, and others may sleep until it is free
//
// Algorithm: the third mutex of Drepper, "Futexes Are Tricky" (2004), with a spin before it.
//
// Invariants
//  I1  Who changes the word from kFree has the mutex, until it sets it to kFree.
//  I2  Nobody sleeps but on kAwaited, and who has slept leaves kAwaited behind when it gets the
//      mutex, since others may sleep too. So whoever unlocks while somebody sleeps wakes one.
//
// Fairness: none. Who comes by may be quicker than one who sleeps.
// Thread-safety: by all threads; unlocked by the thread that locked it. May be destroyed by
// whoever has locked it last and unlocked it, although the one before is still in unlock(): that
// touches nothing but the address after it has let go.
// Memory ordering: what precedes unlock() happens before what follows the next lock().

#ifndef HOME_PARKER_FUTEX_MUTEX_H_
#define HOME_PARKER_FUTEX_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/parker/futex.h"
#include "home/parker/parker_policy.h"

namespace home {

template <typename Policy>
class BasicFutexMutex {
 public:
  BasicFutexMutex() = default;
  BasicFutexMutex(const BasicFutexMutex&) = delete;
  BasicFutexMutex& operator=(const BasicFutexMutex&) = delete;

  // As std::mutex.
  void lock() {
    if (ABSL_PREDICT_FALSE(!try_lock())) LockSlowly();
  }
  [[nodiscard]] bool try_lock() {
    std::uint32_t word = kFree;
    // acquire: what preceded the unlock. pairs with: unlock(). relaxed on failure: no lock.
    return word_.compare_exchange_strong(word, kHeld, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void unlock() {
    const Word* const word = &word_;
    // release: what this thread did under the mutex. pairs with: try_lock(), LockSlowly().
    if (ABSL_PREDICT_FALSE(word_.exchange(kFree, std::memory_order_release) == kAwaited)) {
      // *this may be gone here: only the address is used.
      Policy::Wake(word);
    }
  }
  // Whether nobody has it at this moment.
  [[nodiscard]] bool IsFree() const {
    // acquire: what preceded the unlock. pairs with: unlock(). One who knows of somebody's lock
    // cannot see the word as it was before, so that a true says that it is unlocked.
    return word_.load(std::memory_order_acquire) == kFree;
  }

 private:
  using Word = typename Policy::template Atomic<std::uint32_t>;

  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kAwaited = 2;

  ABSL_ATTRIBUTE_NOINLINE void LockSlowly() {
    for (int i = 0; i < Policy::kMutexLooks; ++i) {
      Policy::BackOff();
      // relaxed: whether it pays to try.
      if (word_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
    }
    // acquire: as try_lock().
    while (word_.exchange(kAwaited, std::memory_order_acquire) != kFree) {
      Policy::Wait(word_, kAwaited, parker_internal::kNoDeadline);
    }
  }

  Word word_{kFree};
};

using FutexMutex = BasicFutexMutex<ParkerPolicy>;

}  // namespace home

#endif  // HOME_PARKER_FUTEX_MUTEX_H_
