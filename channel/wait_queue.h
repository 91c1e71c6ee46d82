// WaitQueue: those who wait for a channel to have a value, or room.
//
// A waiter is a node inside its future: waiting allocates nothing. What is waited for
// (the queue) knows nothing of this list. So there is a protocol between three:
//
//   waiter       Add() itself; look at the queue once more, if Add() says so; if there is
//                something, take it and Remove() itself; else sleep.
//   publisher    change the queue, by a seq_cst RMW; Notify().
//   notified     Acknowledge(); look at the queue; take what is there, and Notify() if more
//                is; or Add() itself again, in front, and look once more.
//
// A notified waiter is thus told that there may be something, and nothing is handed to it.
// What is in the queue stays there until somebody takes it, so a waiter that is dropped
// loses nothing. The price is that another may be quicker.
//
// Notify() wakes nobody while somebody who was notified has not looked yet: that one will
// see what was published, and wake the next if there is more. So a burst of a hundred values
// wakes one receiver and not all, unless they are needed. That one might be slow, or its
// future one that nobody polls, so every so often a publisher uses NotifyAnother() instead.
//
// -- State -----------------------------------------------------------------------------
//
//   word_   63 .......... 33      32     31 ......... 0
//          +----------------+----------+---------------+
//          |    notified    | overtaken|     listed    |
//          +----------------+----------+---------------+
//   listed     waiters in the list
//   notified   waiters that were notified and have not acknowledged it
//   overtaken  the first in the list was notified before, and found nothing
//
//  I1  The list, a node's links and its waker belong to mutex_. Word and list change
//      together under it; only Acknowledge() changes the word without.
//  I2  A node's state is kListed if and only if it is in the list, and kNotified from
//      Notify() until Acknowledge() or Remove().
//  I3  If something may be taken and somebody is listed, then a waiter is notified, or a
//      publisher is on its way to Notify(). Waiters sleep on this.
//
// Why I3 holds. Add() is a seq_cst RMW before the waiter's look, the publication a seq_cst
// RMW before Notify()'s load. In their single order either the look sees the publication, or
// the load sees the waiter. If the load sees also somebody who is notified, then that one's
// Acknowledge() comes later in the order, and so does its look. Whoever has been notified
// leaves, with something or without, only after it has looked whether there is more, and has
// notified another then.
//
// No waker is cloned, woken or dropped under the mutex: they run anybody's code.
//
// Fairness: first in, first notified. Who is overtaken by somebody that did not wait goes
// back to the front, and from then on nobody who comes fresh tries before it (MustQueue()).
//
// It is what Koval, Khalanskiy and Alistarh's CQS ("CQS: A Formally-Verified Framework for
// Fair and Abortable Synchronization", PLDI 2023) is for. Theirs is lock-free: an infinite
// array of cells with a counter an end, whose segments are reclaimed. Here a waiter that is
// added, removed or woken pays for an uncontended mutex, a small part of what its sleep and
// its poll cost; a list needs no memory beside the nodes, and cancelling is exact.

#ifndef HOME_CHANNEL_WAIT_QUEUE_H_
#define HOME_CHANNEL_WAIT_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

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
    // Written under the mutex; the waiter's owner also reads it without.
    typename Policy::template Atomic<State> state_{State::kIdle};
    bool was_notified_ = false;  // The owner's: it goes to the front next time.
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
    if (state == State::kNotified) Acknowledge(waiter);
    return Turn::kTry;
  }

  // Puts an idle waiter into the list: behind all others, or in front if it was notified
  // before. True: the caller looks once more, and calls Remove() if it finds something. False:
  // the first in the list was overtaken; it has precedence, and will notify others (I3).
  [[nodiscard]] bool Add(Waiter& waiter, const Waker& waker) {
    Waker fresh = waker.Clone();
    Words(fresh).Note(waiter);
    const std::lock_guard lock(mutex_);
    std::swap(waiter.waker_, fresh);  // it was empty
    std::uint64_t added = kListed;
    if (waiter.was_notified_) {
      LinkFront(waiter);
      // relaxed: the bit changes under the mutex only.
      if ((word_.load(std::memory_order_relaxed) & kOvertaken) == 0) added += kOvertaken;
    } else {
      LinkBack(waiter);
    }
    // relaxed: read under the mutex or by this thread.
    waiter.state_.store(State::kListed, std::memory_order_relaxed);
    // seq_cst: comes before the caller's look (I3). pairs with: the loads in Notify().
    const std::uint64_t before = word_.fetch_add(added, std::memory_order_seq_cst);
    return waiter.was_notified_ || (before & kOvertaken) == 0;
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
    if (state == State::kNotified) Acknowledge(waiter);
    return waiter.was_notified_;
  }

  // The waiter has what it waited for, and is as new.
  void Done(Waiter& waiter) { waiter.was_notified_ = false; }

  // Whether one who comes fresh has to wait without trying.
  [[nodiscard]] bool MustQueue() const {
    // relaxed: fairness, not correctness.
    return (word_.load(std::memory_order_relaxed) & kOvertaken) != 0;
  }

  // -- Publishers --------------------------------------------------------------------------

  // Something was published, by a seq_cst RMW: wakes a waiter if it has to.
  void Notify() {
    // seq_cst: comes after the publication (I3). pairs with: Add() and Acknowledge().
    const std::uint64_t word = word_.load(std::memory_order_seq_cst);
    if ((word & kListedMask) != 0 && word < kNotified) WakeFirst();
  }
  // The same, but wakes a waiter even if another is notified already.
  void NotifyAnother() {
    // seq_cst: as above.
    if ((word_.load(std::memory_order_seq_cst) & kListedMask) != 0) WakeFirst();
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

  // Whether somebody is in the list. A hint.
  [[nodiscard]] bool HasWaiters() const {
    // relaxed: a hint.
    return (word_.load(std::memory_order_relaxed) & kListedMask) != 0;
  }

 private:
  using State = typename Waiter::State;

  static constexpr std::uint64_t kListed = 1;
  static constexpr std::uint64_t kOvertaken = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kNotified = std::uint64_t{1} << 33;
  static constexpr std::uint64_t kListedMask = kOvertaken - 1;

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
  void Acknowledge(Waiter& waiter) {
    // relaxed: the node is its owner's alone since Notify() let go of it.
    waiter.state_.store(State::kIdle, std::memory_order_relaxed);
    waiter.was_notified_ = true;
    // seq_cst: comes before the look (I3). pairs with: the loads in Notify().
    word_.fetch_sub(kNotified, std::memory_order_seq_cst);
  }

  void WakeFirst() {
    Waker waker;
    {
      const std::lock_guard lock(mutex_);
      if (first_ == nullptr) return;
      waker = TakeFirst();
    }
    std::move(waker).Wake();
  }

  // Under the mutex: takes the first out of the list as a notified one.
  Waker TakeFirst() {
    Waiter& waiter = *first_;
    Waker waker = std::move(waiter.waker_);
    Unlist(waiter);
    word_.fetch_add(kNotified, std::memory_order_relaxed);
    // release: the node is its owner's from here on. pairs with: Begin() and Remove().
    waiter.state_.store(State::kNotified, std::memory_order_release);
    return waker;
  }

  // Under the mutex. relaxed, all: what waiters and publishers must not miss is ordered by
  // Add() and Acknowledge().
  void Unlist(Waiter& waiter) {
    if (first_ == &waiter && (word_.load(std::memory_order_relaxed) & kOvertaken) != 0) {
      word_.fetch_sub(kOvertaken, std::memory_order_relaxed);
    }
    Unlink(waiter);
    word_.fetch_sub(kListed, std::memory_order_relaxed);
  }

  void LinkBack(Waiter& waiter) {
    waiter.previous_ = last_;
    waiter.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &waiter;
    last_ = &waiter;
  }
  void LinkFront(Waiter& waiter) {
    waiter.previous_ = nullptr;
    waiter.next_ = first_;
    (first_ != nullptr ? first_->previous_ : last_) = &waiter;
    first_ = &waiter;
  }
  void Unlink(Waiter& waiter) {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
  }

  typename Policy::template Atomic<std::uint64_t> word_{0};
  typename Policy::Mutex mutex_;
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace home::channel_internal

#endif  // HOME_CHANNEL_WAIT_QUEUE_H_
