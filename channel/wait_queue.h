// WaitQueue: those who wait for a channel to have a value, or room.
//
// A waiter is a node inside its future: waiting allocates nothing. What is waited for
// (the queue) knows nothing of this list. So there is a protocol between three:
//
//   waiter       Add() itself; look at the queue once more; if there is something, take it
//                and Remove() itself, or, if it may not, Notify(); else sleep.
//   publisher    change the queue, by a seq_cst RMW; Notify() for as much as it published.
//   notified     look at the queue; take what is there, and Notify() if more is; or Add()
//                itself again, at its old place, and look once more.
//
// A notified waiter is thus told that there may be something, and nothing is handed to it.
// What is in the queue stays there until somebody takes it, so a waiter that is dropped
// loses nothing. The price is that another may be quicker.
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
//  I1  The list, a node's links, its number and its waker belong to mutex_. Word and list
//      change together under it.
//  I2  A node's state is kListed if and only if it is in the list, and kNotified from
//      Notify() until its owner sees it, in Begin() or Remove().
//  I3  While somebody sleeps in the list there are as many waiters that were notified and
//      have not looked yet as there are things to take, or publishers on their way to
//      Notify(), or waiters on their way to their look after Add().
//
// Why I3 holds. Add() is a seq_cst RMW before the waiter's look, the publication a seq_cst
// RMW before Notify()'s load. In their single order either the look sees the publication, or
// the load sees the waiter, and wakes somebody for it. Who sleeps after its look has seen
// nothing to take, so all that is there later was published later; or it has seen something
// that it may not take, since one in front of it was overtaken, and has woken the first for
// it. A notified waiter that looks takes one thing at least, or sees that there is none. One
// that is dropped looks too, and wakes another if there is something.
//
// No waker is cloned, woken or dropped under the mutex: they run anybody's code.
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

#ifndef HOME_CHANNEL_WAIT_QUEUE_H_
#define HOME_CHANNEL_WAIT_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "absl/base/attributes.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"

namespace home::channel_internal {

template <typename Policy>
class WaitQueue {
 public:
  class Waiter {
   public:
    Waiter() {}  // NOLINT: not all members are initialised.
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

   private:
    friend class WaitQueue;
    enum class State : std::uint8_t { kIdle, kListed, kNotified };

    // Not initialised: a future that need not wait should cost nothing for it.
    Waiter* previous_;
    Waiter* next_;
    Waker waker_;
    // The words of waker_, for a comparison without the mutex; the owner's.
    void* waker_data_;
    const WakerVTable* waker_vtable_;
    std::uint32_t number_;  // Of its first Add(): who is older has a smaller one.
    // Written under the mutex; the waiter's owner also reads it without.
    typename Policy::template Atomic<State> state_{State::kIdle};
    // How often it was notified since it was new. Its owner's; does not change in the list.
    std::uint8_t notified_ = 0;
  };

  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // -- Waiters -----------------------------------------------------------------------------

  // How a poll of a waiting future begins.
  enum class Turn : std::uint8_t {
    kSleep,  // listed and not notified: there is nothing to do
    kTry,    // the caller looks; then Done() or Add()
  };
  // Replaces the waker of a waiter that sleeps on, if it is another one.
  [[nodiscard]] Turn Begin(Waiter& waiter, const Waker& waker) {
    // acquire: what the notifier did, for the free access to the node. pairs with: Notify().
    State state = waiter.state_.load(std::memory_order_acquire);
    if (state == State::kListed) {
      // A notifier that comes now wakes exactly this waker.
      if (waker.data() == waiter.waker_data_ && waker.vtable() == waiter.waker_vtable_) {
        return Turn::kSleep;
      }
      Waker fresh = waker.Clone();
      const Words words(fresh);
      {
        const std::lock_guard lock(mutex_);
        // relaxed: it changes under the mutex only.
        state = waiter.state_.load(std::memory_order_relaxed);
        if (state == State::kListed) std::swap(waiter.waker_, fresh);
      }
      // The replaced one, or one too many, is dropped at the end.
      if (state == State::kListed) {
        words.Note(waiter);
        return Turn::kSleep;
      }
    }
    if (state == State::kNotified) NoteNotified(waiter);
    return Turn::kTry;
  }

  // Puts an idle waiter into the list: behind all others, or to its old place if it was
  // notified before. The caller looks once more. If it finds something it calls Remove(), and
  // takes it, on true; on false one in front of it was overtaken and has precedence: the
  // caller calls Notify(), and sleeps.
  [[nodiscard]] bool Add(Waiter& waiter, const Waker& waker) {
    Waker fresh = waker.Clone();
    Words(fresh).Note(waiter);
    const std::lock_guard lock(mutex_);
    std::swap(waiter.waker_, fresh);  // it was empty
    const bool may_take = waiter.notified_ != 0 || !MustQueue();
    if (waiter.notified_ == 0) waiter.number_ = next_number_++;
    LinkBefore(waiter, waiter.notified_ == 0 ? nullptr : FirstYoungerThan(waiter));
    // relaxed: read under the mutex or by this thread.
    waiter.state_.store(State::kListed, std::memory_order_relaxed);
    // seq_cst: comes before the caller's look (I3). pairs with: the load in Notify().
    word_.fetch_add(kListed + OvertakenChange(), std::memory_order_seq_cst);
    return may_take;
  }

  // Takes a waiter out, whatever its state, and forgets its waker. True if it has been
  // notified since Done(): then others rely on it, and the caller looks once more, after it
  // has taken something or not, and calls Notify() if it finds something.
  [[nodiscard]] bool Remove(Waiter& waiter) {
    // acquire: as in Begin().
    State state = waiter.state_.load(std::memory_order_acquire);
    Waker dropped;  // after the mutex is released
    if (state == State::kListed) {
      const std::lock_guard lock(mutex_);
      // relaxed, both: under the mutex.
      state = waiter.state_.load(std::memory_order_relaxed);
      if (state == State::kListed) {
        dropped = std::move(waiter.waker_);
        Unlist(waiter);
        waiter.state_.store(State::kIdle, std::memory_order_relaxed);
      }
    }
    if (state == State::kNotified) NoteNotified(waiter);
    return waiter.notified_ != 0;
  }

  // The waiter has what it waited for, and is as new.
  void Done(Waiter& waiter) { waiter.notified_ = 0; }

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
      while (first_ != nullptr) wakes.Push(TakeFirst());
    }
    wakes.WakeAll();
  }

 private:
  using State = typename Waiter::State;

  static constexpr std::uint32_t kListed = 1;
  static constexpr std::uint32_t kOvertaken = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kListedMask = kOvertaken - 1;
  static constexpr std::uint8_t kPatience = 3;

  // A waker's words, to be noted once the waker has its place.
  struct Words {
    explicit Words(const Waker& waker) : data(waker.data()), vtable(waker.vtable()) {}
    void Note(Waiter& waiter) const {
      waiter.waker_data_ = data;
      waiter.waker_vtable_ = vtable;
    }
    void* data;
    const WakerVTable* vtable;
  };

  // The owner of a notified waiter is about to look.
  void NoteNotified(Waiter& waiter) {
    // relaxed: the node is its owner's alone since Notify() let go of it.
    waiter.state_.store(State::kIdle, std::memory_order_relaxed);
    if (waiter.notified_ < kPatience) ++waiter.notified_;
  }

  ABSL_ATTRIBUTE_NOINLINE void WakeFirst(std::size_t count) {
    for (; count != 0; --count) {
      Waker waker;
      {
        const std::lock_guard lock(mutex_);
        if (first_ == nullptr) return;
        waker = TakeFirst();
      }
      std::move(waker).Wake();
    }
  }

  // Under the mutex: takes the first out of the list as a notified one.
  Waker TakeFirst() {
    Waiter& waiter = *first_;
    Waker waker = std::move(waiter.waker_);
    Unlist(waiter);
    // release: the node is its owner's from here on. pairs with: Begin() and Remove().
    waiter.state_.store(State::kNotified, std::memory_order_release);
    return waker;
  }

  // Under the mutex.
  void Unlist(Waiter& waiter) {
    Unlink(waiter);
    // relaxed: that somebody leaves may be seen late.
    word_.fetch_add(OvertakenChange() - kListed, std::memory_order_relaxed);
  }

  // Under the mutex: what to add to the word so that its flag tells of the first in the list.
  [[nodiscard]] std::uint32_t OvertakenChange() const {
    const bool overtaken = first_ != nullptr && first_->notified_ == kPatience;
    return (overtaken ? kOvertaken : 0) - (MustQueue() ? kOvertaken : 0);
  }

  // Under the mutex. Who goes back to its place passes those only who did so too.
  Waiter* FirstYoungerThan(const Waiter& waiter) const {
    Waiter* other = first_;
    // Numbers wrap.
    while (other != nullptr && static_cast<std::int32_t>(other->number_ - waiter.number_) < 0) {
      other = other->next_;
    }
    return other;
  }

  // Behind all if `next` is null.
  void LinkBefore(Waiter& waiter, Waiter* next) {
    waiter.next_ = next;
    waiter.previous_ = next != nullptr ? next->previous_ : last_;
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = &waiter;
    (next != nullptr ? next->previous_ : last_) = &waiter;
  }
  void Unlink(Waiter& waiter) {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
  }

  typename Policy::template Atomic<std::uint32_t> word_{0};
  std::uint32_t next_number_ = 0;
  typename Policy::Mutex mutex_;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_WAIT_QUEUE_H_
