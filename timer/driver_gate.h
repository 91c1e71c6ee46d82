// DriverGate: how a thread that arms a timer and the driver, the thread that is
// about to sleep until the earliest one, do not miss one another.
//
// Every shard of timers has a word `next`, the moment at which somebody must
// look at it. The driver reads these words one by one and then sleeps until the
// earliest, while another thread arms an earlier timer in a shard that was
// already read: the driver would sleep too long (tokio#6683). The gate is one
// more word, until_: kAwake, or the moment until which the driver will sleep.
//
//   arm, under the shard's lock          driver
//     A1 next.exchange(d)  if d < next     D1 until_.exchange(Infinite)
//     -- lock left                         D2 m = min over shards of next.load
//     A2 u = until_.load                   D3 CAS until_: Infinite -> m
//     A3 while d < u:                         sleep until m, or until woken
//          CAS until_: u -> kAwake;        D4 until_.exchange(kAwake)
//          if it succeeds, wake the driver
//
//  G1 Lower bound: whenever a shard's lock is free, its next is not later than
//     the deadline of any timer in it. Firing may raise next, arming lowers it,
//     and both hold the lock.
//  G2 No lost wake-up: A1, A2, D1 and D2 are all seq_cst, A1 and D1 RMWs (a
//     Dekker pair). In their single order either A1 is before D2, and then m is
//     not later than d; or D1 is before A2, and then A2 reads Infinite or m and
//     does A3 if that is later than d, or it reads kAwake: see G3.
//  G3 One wake a sleep: only who turns a sleeping value into kAwake wakes. Who
//     finds kAwake there after D1 relies on the wake of another arming thread:
//     the driver will look at all shards again. If D3 fails, such a wake is on
//     its way, and to sleep until m is harmless.
//  G4 An arm that does not lower next may skip all of this: another thread has
//     stored the earlier value under the same lock, and ran or will run A2 for
//     it. When that moment comes, the driver looks at the shard again.
//  G5 A wake that comes after D4 is spurious and harmless: the next sleep ends
//     at once.
//
// Rejected: a lock around all deadlines (every arm would meet every other); a
// wake-up for every arm while the driver sleeps (a system call an arm).
//
// `Atomic` lets tests run other threads between any two steps, and the model checker see all.
//
// Thread-safety: Lower() with the shard's lock held, MustWake() by any thread;
// Prepare() and Finish() by one thread at a time.
// Cost: an arm that lowers no deadline pays nothing; else one RMW and a load.

#ifndef HOME_TIMER_DRIVER_GATE_H_
#define HOME_TIMER_DRIVER_GATE_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "home/timer/instant.h"

namespace home {

template <template <typename> class Atomic = std::atomic>
class DriverGate {
 public:
  // Moments are nanoseconds here: an Instant's, so that they fit an atomic.
  using Word = Atomic<std::int64_t>;

  static constexpr std::int64_t kInfinite = Instant::Infinite().nanoseconds();
  // Earlier than any deadline, so that no arm finds itself earlier.
  static constexpr std::int64_t kAwake = Instant::InfinitePast().nanoseconds();

  DriverGate() = default;
  DriverGate(const DriverGate&) = delete;
  DriverGate& operator=(const DriverGate&) = delete;

  // Lowers a shard's `next` to `deadline`. True if it was later: the caller
  // must leave the lock and then ask MustWake().
  [[nodiscard]] static bool Lower(Word& next, std::int64_t deadline) {
    // relaxed: only written under the lock, which the caller holds.
    if (deadline >= next.load(std::memory_order_relaxed)) return false;  // G4
    // A1. seq_cst RMW: a Dekker pair with D1 and D2 in Prepare().
    next.exchange(deadline, std::memory_order_seq_cst);
    return true;
  }

  // True if the caller must wake the driver. Only after Lower() returned true.
  [[nodiscard]] bool MustWake(std::int64_t deadline) {
    // A2. seq_cst: after A1 in the single order, pairs with D1.
    std::int64_t until = until_.load(std::memory_order_seq_cst);
    while (deadline < until) {
      // A3. seq_cst: a failure reads again what A2 read; a success needs no
      // order of its own, the driver learns of the timer from A1.
      if (until_.compare_exchange_strong(until, kAwake, std::memory_order_seq_cst)) return true;
    }
    return false;
  }

  // The driver is about to sleep. `next_of(i)` is the word of shard i of
  // `shards`. Returns until when it may.
  template <typename NextOf>
  [[nodiscard]] std::int64_t Prepare(std::size_t shards, NextOf&& next_of) {
    // D1. seq_cst RMW: a Dekker pair with A1 and A2. Infinite until the minimum
    // is known: whatever is armed behind the scan wakes the driver.
    [[maybe_unused]] const std::int64_t before =
        until_.exchange(kInfinite, std::memory_order_seq_cst);
    assert(before == kAwake && "two threads are about to sleep as the driver");
    std::int64_t earliest = kInfinite;
    for (std::size_t i = 0; i < shards; ++i) {
      // D2. seq_cst: after D1 in the single order, pairs with A1.
      earliest = std::min(earliest, next_of(i).load(std::memory_order_seq_cst));
    }
    // D3. From here on only timers before `earliest` wake. seq_cst like all of
    // until_'s; a failure is G3.
    std::int64_t expected = kInfinite;
    until_.compare_exchange_strong(expected, earliest, std::memory_order_seq_cst);
    return earliest;
  }

  // The driver is awake again.
  void Finish() {
    // D4. seq_cst: one order for all of until_; it need not be ordered with
    // anything, the next Prepare() reads all shards anew.
    until_.exchange(kAwake, std::memory_order_seq_cst);
  }

 private:
  Word until_{kAwake};
};

}  // namespace home

#endif  // HOME_TIMER_DRIVER_GATE_H_
