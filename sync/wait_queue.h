// WaitQueue: those who compete for what there is: a channel's values, its room, a lock.
//
// A waiter is a node inside its future (waiter_list.h): waiting allocates nothing. What is
// waited for, the store, knows nothing of this list. So there is a protocol between three:
//
//   waiter       Add() itself; look at the store once more; if there is something, take it
//                and Remove() itself, or, if it may not, Notify(); else sleep.
//   publisher    change the store, by a seq_cst RMW, or a store where a bias says who fences
//                (bias.h, home/channel/biased_word.h); Notify() for as much as it published.
//   notified     look at the store; take what is there, and Notify() if more is; or Add()
//                itself again, at its old place, and look once more.
//
// A notified waiter is thus told that there may be something, and nothing is handed to it.
// What is in the store stays there until somebody takes it, so a waiter that is dropped
// loses nothing. The price is that another may be quicker. (A lock may hand itself over to one
// to whom that has happened too often: HandOver().)
//
// Each thing that is published wakes one who waits. Who is woken may be slow, or its future
// one that nobody polls; that holds up one thing at most, which the next to come by may take.
// To wake nobody while one who was woken has not looked yet would spare wake-ups in a burst,
// as that one could wake the next; but then all would wait for it.
//
// -- State -----------------------------------------------------------------------------
//
//   word_    31      30 ........ 0
//          +---------+-------------+
//          |overtaken|   listed    |
//          +---------+-------------+
//   listed     waiters in the list
//   overtaken  the first in the list was notified kPatience times, and found nothing
//
//  I1  The list and its waiters' numbers belong to mutex_. Word and list change together
//      under it.
//  I2  A waiter is kReleased from Notify(), or HandOver(), until its owner sees it, in Begin()
//      or Remove().
//  I3  While somebody sleeps in the list there are as many waiters that were notified and
//      have not looked yet as there are things to take, or publishers on their way to
//      Notify(), or waiters on their way to their look after Add().
//
// Why I3 holds, without biases. Add() is a seq_cst RMW before the waiter's look, the publication a
// seq_cst RMW before Notify()'s load. In their single order either the look sees the publication,
// or the load sees the waiter, and wakes somebody for it. Who sleeps after its look has seen
// nothing to take, so all that is there later was published later; or it has seen something
// that it may not take, since one in front of it was overtaken, and has woken the first for
// it. A notified waiter that looks takes one thing at least, or sees that there is none. One
// that is dropped looks too, and wakes another if there is something.
//
// Fairness: first in, first notified. Who is overtaken by somebody that did not wait goes
// back to its place; when that has happened to the first in the list a few times nobody who
// comes fresh tries before it (MustQueue()). To give it precedence at once costs throughput:
// a consumer that is awake, and would take the next value too, must sleep for it.
//
// It is what Koval, Khalanskiy and Alistarh's CQS ("CQS: A Formally-Verified Framework for
// Fair and Abortable Synchronization", PLDI 2023) is for. Theirs is lock-free: an infinite
// array of cells with a counter an end, whose segments are reclaimed. Here a waiter that is
// added, removed or woken pays for an uncontended mutex, a small part of what its sleep and
// its poll cost; a list needs no memory beside the nodes, and cancelling is exact.

#ifndef HOME_SYNC_WAIT_QUEUE_H_
#define HOME_SYNC_WAIT_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/sync/waiter_list.h"

namespace home::sync_internal {

template <typename Policy>
class WaitQueue {
 public:
  static constexpr bool kHasOthers = true;  // Several may wait at once.

  class Waiter : public sync_internal::Waiter<Policy> {
   private:
    friend class WaitQueue;
    std::uint32_t number_;  // Of its first Add(): who is older has a smaller one.
    // How often it was notified since it was new. Its owner's; does not change in the list.
    std::uint8_t notified_ = 0;
    bool has_lock_ = false;  // It was released by HandOver().
  };

  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // -- Waiters -----------------------------------------------------------------------------

  // How a poll of a waiting future begins.
  enum class Turn : std::uint8_t {
    kSleep,   // listed and not notified: there is nothing to do
    kTry,     // the caller looks; then Done() or Add()
    kHasLock  // HandOver() was to it; then Done()
  };
  // Replaces the waker of a waiter that sleeps on, if it is another one.
  [[nodiscard]] Turn Begin(Waiter& waiter, const Waker& waker) {
    if (List::SleepsWith(waiter, waker)) return Turn::kSleep;
    if (waiter.state() == WaiterState::kListed && List::Replace(mutex_, waiter, waker)) {
      return Turn::kSleep;
    }
    if (waiter.state() == WaiterState::kReleased) NoteNotified(waiter);
    return waiter.has_lock_ ? Turn::kHasLock : Turn::kTry;
  }

  // Puts an idle waiter into the list: behind all others, or to its old place if it was
  // notified before. The caller looks once more. If it finds something it calls Remove(), and
  // takes it, on true; on false one in front of it was overtaken and has precedence: the
  // caller calls Notify(), and sleeps.
  [[nodiscard]] bool Add(Waiter& waiter, const Waker& waker) {
    return list_.Add(mutex_, waiter, waker.Clone(), [&] {
      const bool may_take = waiter.notified_ != 0 || !MustQueue();
      if (waiter.notified_ == 0) waiter.number_ = next_number_++;
      list_.LinkBefore(waiter, waiter.notified_ == 0 ? nullptr : FirstYoungerThan(waiter));
      // seq_cst: comes before the caller's look (I3). pairs with: the load in Notify().
      word_.fetch_add(kListed + OvertakenChange(list_.first()), std::memory_order_seq_cst);
      return may_take;
    });
  }

  // Takes a waiter out, whatever its state, and forgets its waker. True if it has been
  // notified since Done(): then others rely on it, and the caller looks once more, after it
  // has taken something or not, and calls Notify() if it finds something.
  [[nodiscard]] bool Remove(Waiter& waiter) {
    list_.Forget(mutex_, waiter, [&](WaiterState state) {
      if (state == WaiterState::kListed) CountOneLess(list_.first());
      if (state == WaiterState::kReleased) NoteNotified(waiter);
    });
    return waiter.notified_ != 0;
  }
  // Whether the waiter has a lock, after Remove().
  [[nodiscard]] bool HasLock(const Waiter& waiter) const { return waiter.has_lock_; }

  // The waiter has what it waited for, and is as new.
  void Done(Waiter& waiter) {
    waiter.notified_ = 0;
    waiter.has_lock_ = false;
  }

  // Whether one who comes fresh has to wait without trying.
  [[nodiscard]] bool MustQueue() const {
    // relaxed: fairness, not correctness.
    return (word_.load(std::memory_order_relaxed) & kOvertaken) != 0;
  }

  // -- Publishers --------------------------------------------------------------------------

  // `count` things were published, by a seq_cst RMW: wakes as many waiters.
  void Notify(std::size_t count = 1) {
    // seq_cst: comes after the publication (I3). pairs with: Add().
    if ((word_.load(std::memory_order_seq_cst) & kListedMask) != 0) WakeFirst(count);
  }
  // Wakes everybody: nothing more will come.
  void NotifyAll() {
    WakeList wakes;
    {
      const std::lock_guard lock(mutex_);
      while (!list_.empty()) wakes.Push(TakeFirst());
    }
    wakes.WakeAll();
  }

  // For a lock that its holder would release: true if the first in the list has been overtaken
  // too often. Then it has the lock from here on.
  [[nodiscard]] bool HandOver() { return ABSL_PREDICT_FALSE(MustQueue()) && HandOverToFirst(); }

 private:
  using List = WaiterList<Waiter>;

  static constexpr std::uint32_t kListed = 1;
  static constexpr std::uint32_t kOvertaken = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kListedMask = kOvertaken - 1;

  // The owner of a notified waiter is about to look.
  void NoteNotified(Waiter& waiter) {
    waiter.Reset();
    if (waiter.notified_ < Policy::kPatience) ++waiter.notified_;
  }

  ABSL_ATTRIBUTE_NOINLINE bool HandOverToFirst() {
    Waker waker;
    {
      const std::lock_guard lock(mutex_);
      if (!MustQueue()) return false;
      list_.first()->has_lock_ = true;
      waker = TakeFirst();
    }
    std::move(waker).Wake();
    return true;
  }

  ABSL_ATTRIBUTE_NOINLINE void WakeFirst(std::size_t count) {
    for (; count != 0; --count) {
      Waker waker;
      {
        const std::lock_guard lock(mutex_);
        if (list_.empty()) return;
        waker = TakeFirst();
      }
      std::move(waker).Wake();
    }
  }

  // Under the mutex: takes the first out of the list as a notified one.
  Waker TakeFirst() {
    Waiter& first = *list_.first();
    CountOneLess(List::Next(first));
    return list_.Release(first);
  }

  // Under the mutex: one has been taken out of the list, or is just being taken, whose first
  // is or will be `first`.
  void CountOneLess(const Waiter* first) {
    // relaxed: that somebody leaves may be seen late.
    word_.fetch_add(OvertakenChange(first) - kListed, std::memory_order_relaxed);
  }

  // Under the mutex: what to add to the word so that its flag tells of `first`.
  [[nodiscard]] std::uint32_t OvertakenChange(const Waiter* first) const {
    const bool overtaken = first != nullptr && first->notified_ == Policy::kPatience;
    return (overtaken ? kOvertaken : 0) - (MustQueue() ? kOvertaken : 0);
  }

  // Under the mutex. Who goes back to its place passes those only who did so too.
  Waiter* FirstYoungerThan(const Waiter& waiter) const {
    Waiter* other = list_.first();
    // Numbers wrap.
    while (other != nullptr && static_cast<std::int32_t>(other->number_ - waiter.number_) < 0) {
      other = List::Next(*other);
    }
    return other;
  }

  typename Policy::template Atomic<std::uint32_t> word_{0};
  std::uint32_t next_number_ = 0;
  typename Policy::Mutex mutex_;
  List list_;
};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_WAIT_QUEUE_H_
