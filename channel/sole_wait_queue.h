// SoleWaitQueue: where the only receiver of a channel waits.
//
// What WaitQueue is for many (home/sync/wait_queue.h), with the same protocol and the same
// calls, so that Wait serves both: the receiver adds itself, looks once more, sleeps; a
// publisher changes the store by a seq_cst RMW (or as biased_word.h says) and notifies. With one
// who waits there is no order to keep and nobody to pass anything on to: a slot for one waker is
// enough, and no mutex. To wait is one RMW and a clone of the waker, to wake one RMW.
//
//   word_    63 ............ 1     0
//          +------------------+---------+
//          |   registration   |  waits  |
//          +------------------+---------+
//
// Invariants
//  I1  Only the receiver sets waits. While it is set the slot holds a waker, which belongs to
//      whoever clears it.
//  I2  Each time that waits is set the registration grows. So a CAS that clears the bit proves
//      that the word read from the slot before it was that registration's (as in oneshot.h).
//  I3  No wake-up is lost: see Notify().

#ifndef HOME_CHANNEL_SOLE_WAIT_QUEUE_H_
#define HOME_CHANNEL_SOLE_WAIT_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/base/attributes.h"
#include "home/channel/shared_waker_slot.h"
#include "home/future/fatal.h"
#include "home/future/waker.h"

namespace home::channel_internal {

// Begin(), Add() and Remove() by the receiver's futures, which one thread at a time polls and
// drops; Notify() by any thread.
template <typename Policy>
class SoleWaitQueue {
 public:
  static constexpr bool kHasOthers = false;

  // A future's part.
  class Waiter {
    friend class SoleWaitQueue;
    std::uint64_t word_ = 0;  // What the word is while this one sleeps.
  };

  SoleWaitQueue() = default;
  SoleWaitQueue(const SoleWaitQueue&) = delete;
  SoleWaitQueue& operator=(const SoleWaitQueue&) = delete;

  enum class Turn : std::uint8_t { kSleep, kTry };  // As WaitQueue::Turn.
  [[nodiscard]] Turn Begin(Waiter& waiter, const Waker& waker) {
    // acquire: what preceded the notification, if there was one. pairs with: Notify().
    if (word_.load(std::memory_order_acquire) != waiter.word_) return Turn::kTry;
    if (slot_.Get() == waker.target()) return Turn::kSleep;
    static_cast<void>(Remove(waiter));
    return Turn::kTry;
  }

  // True: the caller looks, and if it finds something calls Remove(), and takes it.
  [[nodiscard]] bool Add(Waiter& waiter, const Waker& waker) {
    Waker fresh = waker.Clone();
    // acquire: the slot is ours. pairs with: the CASes that clear the bit.
    const std::uint64_t word = word_.load(std::memory_order_acquire);
    if ((word & kWaits) != 0) {
      Fatal("two futures of one MpscReceiver wait at once; those of a Receiver (mpmc.h) may");
    }
    slot_.Put(fresh);
    waiter.word_ = (word + kRegistration) | kWaits;
    // release: the slot. seq_cst: comes before the caller's look (I3). An RMW for that; nobody
    // else changes the word now (I1).
    word_.exchange(waiter.word_, std::memory_order_seq_cst);
    const BorrowedWaker given_away(std::move(fresh));
    return true;
  }

  // Forgets the waker. False: nobody relies on this one's look.
  [[nodiscard]] bool Remove(Waiter& waiter) {
    std::uint64_t word = waiter.word_;
    WakerTarget* const mine = slot_.Get();
    // release: as in Notify(). relaxed on failure: it was notified, and the waker taken.
    if ((word & kWaits) != 0 &&
        word_.compare_exchange_strong(word, word & ~kWaits, std::memory_order_release,
                                      std::memory_order_relaxed)) {
      const Waker dropped(mine);
    }
    return false;
  }
  void Done(Waiter& /*waiter*/) {}
  // Nobody is ever in front.
  [[nodiscard]] static constexpr bool MustQueue() { return false; }

  // Something was published, by a seq_cst RMW: wakes the receiver if it waits.
  //
  // I3: Add() is a seq_cst RMW before the receiver's look, and the load here one after the
  // publication. In their single order either the look sees the publication, or the load sees
  // the receiver. If the CAS fails then somebody else has woken it, or it has removed itself:
  // it looks after that, and so after the publication.
  void Notify(std::size_t /*count*/ = 1) {
    // seq_cst: as above. acquire: the slot. pairs with: Add().
    const std::uint64_t word = word_.load(std::memory_order_seq_cst);
    if ((word & kWaits) != 0) WakeReceiver(word);
  }
  void NotifyAll() { Notify(); }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;

  static constexpr std::uint64_t kWaits = 1;
  static constexpr std::uint64_t kRegistration = 2;

  ABSL_ATTRIBUTE_NOINLINE void WakeReceiver(std::uint64_t word) {
    WakerTarget* const waker = slot_.Get();
    // release: our reading of the slot comes before the next registration, and what was
    // published before the receiver's look. pairs with: Begin() and Add(). relaxed on failure:
    // the word that was read is thrown away.
    if (word_.compare_exchange_strong(word, word & ~kWaits, std::memory_order_release,
                                      std::memory_order_relaxed)) {
      Waker(waker).Wake();
    }
  }

  Atomic<std::uint64_t> word_{0};
  SharedWakerSlot<Policy> slot_;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_SOLE_WAIT_QUEUE_H_
