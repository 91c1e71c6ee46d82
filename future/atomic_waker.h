// AtomicWaker: the place for one waker that a consumer registers and any thread
// wakes.
//
//   waker_.Register(cx.waker());          // the consumer, before it looks
//   if (NothingToDo()) return kPending;
//
//   Publish(item);                        // a producer
//   waker_.Wake();
//
// If the producer's Publish() comes too late for the consumer's look, its Wake()
// finds the waker that was registered: no wake-up is lost.
//
// The state word says who owns the slot:
//
//   0                       nobody; a waker may be in it
//   kRegistering            the consumer
//   kWaking                 one that wakes
//   kRegistering | kWaking  the consumer, who has been told to wake in passing
//
// Invariants:
//  W1  the slot is touched only by whoever turned 0 into its bit.
//  W2  a Wake() that finds a bit set does nothing but leave kWaking, because
//      whoever owns the slot looks at the word again before letting go.
//  W3  no waker is cloned, woken or dropped while a bit is set: those run foreign
//      code, which may come back here.
//
// The idea is that of the AtomicWaker of Rust's futures crate.
//
// Thread-safety: Register() by one thread at a time; Wake() by any.
// Memory ordering: what precedes a Wake() happens before the poll that it causes;
// and, if that Wake() found no waker, before what follows the next Register().
// Cost: Register() two RMWs and a clone; Wake() two RMWs and what waking costs.

#ifndef HOME_FUTURE_ATOMIC_WAKER_H_
#define HOME_FUTURE_ATOMIC_WAKER_H_

#include <atomic>
#include <cstdint>
#include <utility>

#include "home/future/waker.h"

namespace home {

template <template <typename> typename Atomic = std::atomic>
class AtomicWaker {
 public:
  AtomicWaker() = default;
  AtomicWaker(const AtomicWaker&) = delete;
  AtomicWaker& operator=(const AtomicWaker&) = delete;

  // The consumer: `current` is to be woken from now on.
  void Register(const Waker& current) {
    // Foreign code first (W3), at the price of a clone too many if this task is
    // registered already: seldom, as each wake takes the waker out.
    Waker fresh = current.Clone();
    std::uint32_t seen = 0;
    // acquire: what a Wake() before us did to the slot. pairs with: the release
    // in Wake(). relaxed on failure: we do not touch the slot then.
    if (!state_.compare_exchange_strong(seen, kRegistering, std::memory_order_acquire,
                                        std::memory_order_acquire)) {
      // Somebody is taking the old waker at this moment, for an event that we may
      // be too early to see: look again soon.
      std::move(fresh).Wake();
      return;
    }
    std::swap(slot_, fresh);  // the old one is dropped at the end
    seen = kRegistering;
    // release: the slot. pairs with: the acquire in Wake(). acquire on failure: what
    // preceded the Wake() that left its bit.
    if (state_.compare_exchange_strong(seen, 0, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      return;
    }
    // A Wake() came by (W2).
    Waker woken = std::exchange(slot_, Waker());
    // An exchange and not a store, and acquire, for what precedes those Wake()s
    // that come by only now: our next look has to see it. release: the slot.
    state_.exchange(0, std::memory_order_acq_rel);
    std::move(woken).Wake();
  }

  // Any thread: wakes what is registered, if anything, and forgets it.
  void Wake() { Take().Wake(); }

  // Any thread: takes out what is registered; empty if there is nothing, or if
  // somebody else is just seeing to it.
  [[nodiscard]] Waker Take() {
    // acquire: the slot. release: what precedes this call, for a consumer that
    // finds the bit.
    if (state_.fetch_or(kWaking, std::memory_order_acq_rel) != 0) return Waker();
    Waker taken = std::exchange(slot_, Waker());
    // release: the slot is empty. pairs with: Register()'s acquire.
    state_.fetch_and(~kWaking, std::memory_order_release);
    return taken;
  }

 private:
  static constexpr std::uint32_t kRegistering = 1;
  static constexpr std::uint32_t kWaking = 2;

  Atomic<std::uint32_t> state_{0};
  Waker slot_;  // W1
};

}  // namespace home

#endif  // HOME_FUTURE_ATOMIC_WAKER_H_
