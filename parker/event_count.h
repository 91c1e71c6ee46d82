// EventCount: sleep until a condition over any number of queues, flags and counters may
// have become true, without a lock around them.
//
//   // Waiter. One EventCount::Waiter a thread.      // Notifier.
//   for (;;) {                                       queue.Push(item);
//     if (TryWork()) continue;                       event_count.NotifyOne();
//     event_count.Prepare(waiter);
//     if (TryWork()) {            // Look again.
//       event_count.Cancel(waiter);
//     } else {
//       event_count.Commit(waiter);
//     }
//   }
//
// Await() and AwaitFor() are that loop. It is a condition variable for conditions that are
// made of atomics: the notifier takes no lock, and pays next to nothing if nobody waits.
//
// Guarantee. Let a waiter Prepare() and then look at the condition. Every NotifyOne() or
// NotifyAll() whose caller published before it, and whose publication that look did not see,
// counts this waiter as there. NotifyOne() then has an effect on exactly one of those that
// are there: its Commit() returns, or its Cancel() hands the notification on to the next.
// NotifyAll() ends the Commit() of every one of them. So nothing published is slept over, and
// a notification that is given is never lost with the one to whom it was given.
//
// Whoever returns from Commit() looks at the condition. Commit() returns only for a
// notification, but another thread may have been quicker at what it announced. If a thread
// that was notified can't use what was published, it calls NotifyOne() for another; where
// waiters look at different conditions, the notifier uses NotifyAll().
//
// Thread-safety: any thread may do anything at any time, each with a Waiter of its own.
// Memory ordering: what precedes a Notify...() happens before the return of the Commit()
// that it ends, and before what follows the Cancel() that hands it on. Prepare() and Notify...()
// each contain a sequentially consistent fence, so that the condition and its publication may
// use any order, even relaxed, as far as the EventCount is concerned.
//
// Cost: Notify...() with nobody there is one load after the fence. A pair of Prepare() and
// Cancel() is two RMWs and a fence. A NotifyOne() that meets a thread between Prepare() and
// Commit() is one RMW and no system call; else it locks a mutex for a few instructions and
// unparks (parker.h).
//
// Lifetime. A Notify...() does not touch the event count after it has let a waiter go, so a
// waiter whose Commit() was ended by what it knows to be the last notification may destroy the
// event count. Nobody else may before all notifiers have returned: who saw the condition true
// (Cancel(), Await(), AwaitFor()) may have done so before the notifier has looked for waiters.
//
// -- State -----------------------------------------------------------------------
//
//   word_     63      62 ........ 32    31    30 ........ 0
//            +----+------------------+------+---------------+
//            | 0  |     signals      | list |   announced   |
//            +----+------------------+------+---------------+
//   announced  waiters between Prepare() and their Cancel() or Commit()
//   signals    notifications that one of these will take
//   list       whether list_, the waiters that have committed, has any
//   epoch_     how often NotifyAll() met somebody
//
//  I1  signals <= announced. A signal belongs to no waiter in particular: whichever of the
//      announced ones commits next takes it. Any will do, as it looks at the condition once
//      more after that, and so after the publication.
//  I2  NotifyOne() changes word_ or list_ itself: who is promised a notification is no longer
//      counted by the next NotifyOne(), however late the woken thread runs.
//  I3  A Cancel() that leaves fewer announced waiters than signals takes one of these along and
//      notifies once more. It may have been meant for what the canceller has just seen: then a
//      waiter wakes for nothing. Without it, the canceller could have seen something older, and
//      what was announced to it would have nobody.
//  I4  list_, and the bit that tells of it, and epoch_ change only under mutex_. A waiter is in
//      list_ or is owed an Unpark() by whoever took it out; it leaves Commit() by its own hand
//      only while it is in there. So a waiter whose time is over knows which.
//  I5  A waiter remembers epoch_ at Prepare(), and goes into list_ only if it is the same under
//      the lock. A NotifyAll() thus reaches the announced waiters though others take signals.
//      64 bits do not wrap.
//
// Why no wake-up is lost. The waiter adds itself to word_, fence, looks at the condition. The
// notifier publishes, fence, looks at word_. Whichever fence is later in their single order, its
// side sees what the other did before. A release store and an acquire or seq_cst load in place
// of the fences would not do. After the fence every look of the notifier at word_ is at least
// as new (coherence), so that losing a race for the last waiter is no loss: that waiter is awake
// and looks at everything before it sleeps again.
//
// list_ is a stack. Who came last is the likeliest to be in its spin still, and warm.
//
// -- Others ----------------------------------------------------------------------
//
// The idea of a count that one reads before looking: Reed and Kanodia, "Synchronization with
// Eventcounts and Sequencers" (1979). Prepare, check, commit for lock-free structures: Vyukov,
// "eventcount" (2008) and its later form in Eigen. folly::EventCount is the other well-known one.
//  - folly: a count of waiters beside an epoch on which all sleep by futex. The notifier writes
//    the word each time, so that notifiers contend with nobody there; and a new epoch returns
//    every announced waiter for one notification. No passing on: a canceller was in the count.
//  - Eigen: announced, signals and a stack of sleepers in one word, by index into an array fixed
//    at construction. Signals are ours too. The stack without a lock can't let a sleeper go
//    whose time is over, and notifying all reaches an announced waiter only if no other takes
//    its signal. A canceller keeps the signal.
//  - Vyukov's first has a mutex around a list, as ours, and waiters that join the list in
//    Prepare(): two locked sections for each look that finds work after all.

#ifndef HOME_PARKER_EVENT_COUNT_H_
#define HOME_PARKER_EVENT_COUNT_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <mutex>

#include "absl/time/time.h"
#include "home/parker/deadline.h"
#include "home/parker/fatal.h"
#include "home/parker/parker.h"
#include "home/parker/parker_policy.h"

namespace home {

template <typename Policy>
class BasicEventCount {
 public:
  // What a thread brings along to wait. Used with any number of event counts, one after the
  // other. Best kept for long: its parker learns how long to spin.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      if (prepared_for_ != nullptr) parker_internal::Die("a prepared Waiter was destroyed");
    }

   private:
    friend class BasicEventCount;

    BasicParker<Policy> parker_;
    BasicEventCount* prepared_for_ = nullptr;  // The waiting thread's own, like epoch_.
    std::uint64_t epoch_ = 0;
    bool listed_ = false;  // This and the links: guarded by mutex_ (I4).
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
  };

  BasicEventCount() = default;
  BasicEventCount(const BasicEventCount&) = delete;
  BasicEventCount& operator=(const BasicEventCount&) = delete;
  ~BasicEventCount() {
    // relaxed: that nobody is there any more is for the owner to know; this only tells.
    if (word_.load(std::memory_order_relaxed) != 0) {
      parker_internal::Die("an EventCount was destroyed while a thread waits");
    }
  }

  // Announces the intention to sleep. The caller then looks at its condition, and calls Cancel()
  // or one of the Commit functions.
  void Prepare(Waiter& waiter) {
    if (waiter.prepared_for_ != nullptr) parker_internal::Die("Prepare() of a prepared Waiter");
    waiter.prepared_for_ = this;
    // relaxed, both: the fence makes an acquire of them. So a new epoch comes with what was
    // published before it, and who announces itself after a notification has run out of waiters
    // sees what it was for.
    waiter.epoch_ = epoch_.load(std::memory_order_relaxed);
    word_.fetch_add(kAnnounced, std::memory_order_relaxed);
    // The waiter's half of "Why no wake-up is lost". pairs with: the fences of Notify...().
    Policy::Fence();
  }

  // Takes the announcement back: the condition was true, or the caller has other reasons.
  void Cancel(Waiter& waiter) {
    EndPreparation(waiter);
    // relaxed: the CAS looks again.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    std::uint64_t next;
    bool taken;
    do {
      taken = Signals(word) == Announced(word);  // I3.
      next = word - kAnnounced - (taken ? kSignal : 0);
      // acquire: what a signal announced is handed on with it. pairs with: SignalOrWake().
      // relaxed on failure: nothing was taken.
    } while (!word_.compare_exchange_weak(word, next, std::memory_order_acquire,
                                          std::memory_order_relaxed));
    // No fence here: whoever is not in `next` announces itself later than the notifier looked,
    // and so sees what was published.
    if (taken) SignalOrWake(next);
  }

  // Sleeps until a notification after Prepare().
  void Commit(Waiter& waiter) {
    static_cast<void>(CommitUntil(waiter, parker_internal::kNoDeadline));
  }

  // The same, but only so long. True if it took a notification, false if the time was over
  // without. Durations are as in Parker::ParkFor().
  [[nodiscard]] bool CommitFor(Waiter& waiter, absl::Duration timeout) {
    return CommitUntil(waiter, parker_internal::DeadlineAfter<Policy>(timeout));
  }

  // The same with a deadline: nanoseconds on the clock of Policy::Now(), or kNoDeadline.
  [[nodiscard]] bool CommitUntil(Waiter& waiter, std::int64_t deadline) {
    EndPreparation(waiter);
    if (!Enlist(waiter)) return true;
    if (waiter.parker_.ParkUntil(deadline)) return true;
    if (Delist(waiter)) return false;
    // The time was over, but a notifier was quicker (I4): its token is on the way.
    waiter.parker_.Park();
    return true;
  }

  // Sleeps until `condition` is true. It is called any number of times, by this thread, and
  // under no lock. If it throws, a notification that was taken for it goes on to the next.
  template <std::predicate Condition>
  void Await(Waiter& waiter, Condition condition) {
    static_cast<void>(AwaitUntil(waiter, parker_internal::kNoDeadline, condition));
  }

  // The same, but only so long. Returns what `condition` was at last.
  template <std::predicate Condition>
  [[nodiscard]] bool AwaitFor(Waiter& waiter, absl::Duration timeout, Condition condition) {
    if (condition()) return true;
    return AwaitUntil(waiter, parker_internal::DeadlineAfter<Policy>(timeout), condition);
  }

  // Tells one waiter that something was published.
  void NotifyOne() {
    // The notifier's half. pairs with: Prepare()'s.
    Policy::Fence();
    // relaxed: the fence orders it.
    SignalOrWake(word_.load(std::memory_order_relaxed));
  }

  // Tells all that are there.
  void NotifyAll() {
    // As in NotifyOne().
    Policy::Fence();
    if (word_.load(std::memory_order_relaxed) == 0) return;
    Waiter* woken;
    {
      const std::lock_guard<Mutex> lock(mutex_);
      // relaxed, both: it is only written under the lock, and the fence above makes a release
      // of the store, for those who Prepare().
      epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      woken = list_;
      list_ = nullptr;
      for (Waiter* waiter = woken; waiter != nullptr; waiter = waiter->next_) {
        waiter->listed_ = false;
      }
      // relaxed: the lock orders the list that it stands for.
      word_.fetch_and(~kList, std::memory_order_relaxed);
    }
    while (woken != nullptr) {
      // Its thread may be gone, and the waiter and *this with it, once it has the token.
      Waiter* const next = woken->next_;
      woken->parker_.Unpark();
      woken = next;
    }
  }

 private:
  template <typename U>
  using Atomic = typename Policy::template Atomic<U>;
  using Mutex = typename Policy::Mutex;

  static constexpr std::uint64_t kAnnounced = 1;
  static constexpr std::uint64_t kList = std::uint64_t{1} << 31;
  static constexpr std::uint64_t kSignal = std::uint64_t{1} << 32;

  static constexpr std::uint64_t Announced(std::uint64_t word) { return word & (kList - 1); }
  static constexpr std::uint64_t Signals(std::uint64_t word) { return word / kSignal; }

  void EndPreparation(Waiter& waiter) {
    if (waiter.prepared_for_ != this) {
      parker_internal::Die("Cancel() or Commit() of a Waiter that was not prepared here");
    }
    waiter.prepared_for_ = nullptr;
  }

  template <typename Condition>
  bool AwaitUntil(Waiter& waiter, std::int64_t deadline, Condition& condition) {
    for (bool notified = false;; notified = true) {
      {
        Prepare(waiter);
        Preparation preparation{*this, waiter, notified};
        const bool is_true = condition();
        preparation.SetLooked();
        if (is_true) return true;
        preparation.Forget();
      }
      if (!CommitUntil(waiter, deadline)) return condition();
    }
  }

  // Cancels when it goes out of scope. If the condition has thrown, it may not have used what
  // the thread was notified of: somebody else has to look.
  class Preparation {
   public:
    Preparation(BasicEventCount& event_count, Waiter& waiter, bool notified)
        : event_count_(&event_count), waiter_(waiter), owes_look_(notified) {}
    Preparation(const Preparation&) = delete;
    Preparation& operator=(const Preparation&) = delete;
    ~Preparation() {
      if (event_count_ == nullptr) return;
      event_count_->Cancel(waiter_);
      if (owes_look_) event_count_->NotifyOne();
    }
    void SetLooked() { owes_look_ = false; }
    void Forget() { event_count_ = nullptr; }

   private:
    BasicEventCount* event_count_;
    Waiter& waiter_;
    bool owes_look_;
  };

  // Gives one notification to whoever is there, as seen in `word` or later.
  void SignalOrWake(std::uint64_t word) {
    for (;;) {
      if (Announced(word) > Signals(word)) {
        // release: what was published. pairs with: Enlist() and Cancel(). (The fence of the
        // first notifier would do; ThreadSanitizer knows none.)
        // relaxed on failure: it only looks again. *this may be gone after a success.
        if (word_.compare_exchange_weak(word, word + kSignal, std::memory_order_release,
                                        std::memory_order_relaxed)) {
          return;
        }
      } else if ((word & kList) == 0 || WakeListed()) {
        return;
      } else {
        // relaxed: newer than `word` by coherence, and that is all it has to be.
        word = word_.load(std::memory_order_relaxed);
      }
    }
  }

  // Wakes the last of list_. False if there is none any more.
  bool WakeListed() {
    Waiter* waiter;
    {
      const std::lock_guard<Mutex> lock(mutex_);
      waiter = list_;
      if (waiter == nullptr) return false;
      Unlink(*waiter);
    }
    waiter->parker_.Unpark();
    return true;
  }

  // Ends the announcement: by a notification that is there (then false), or by going to list_.
  bool Enlist(Waiter& waiter) {
    const std::lock_guard<Mutex> lock(mutex_);
    // relaxed: written under the lock.
    const bool all_notified = epoch_.load(std::memory_order_relaxed) != waiter.epoch_;
    // relaxed: the CAS looks again.
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    std::uint64_t next;
    bool stay;
    do {
      const bool signalled = Signals(word) > 0;
      stay = !signalled && !all_notified;
      next = word - kAnnounced - (signalled ? kSignal : 0);
      if (stay) next |= kList;
      // acquire: what the signal announced. pairs with: SignalOrWake(). One RMW takes the waiter
      // from the announced to the listed ones, so that a notifier always sees it somewhere.
      // relaxed on failure: nothing was taken.
    } while (!word_.compare_exchange_weak(word, next, std::memory_order_acquire,
                                          std::memory_order_relaxed));
    if (stay) Link(waiter);
    return stay;
  }

  // Takes the waiter out of list_. False if somebody else did.
  bool Delist(Waiter& waiter) {
    const std::lock_guard<Mutex> lock(mutex_);
    if (!waiter.listed_) return false;
    Unlink(waiter);
    return true;
  }

  // Both under mutex_.
  void Link(Waiter& waiter) {
    waiter.previous_ = nullptr;
    waiter.next_ = list_;
    if (list_ != nullptr) list_->previous_ = &waiter;
    list_ = &waiter;
    waiter.listed_ = true;
  }

  void Unlink(Waiter& waiter) {
    waiter.listed_ = false;
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : list_) = waiter.next_;
    if (waiter.next_ != nullptr) waiter.next_->previous_ = waiter.previous_;
    // relaxed: the lock orders the list that it stands for.
    if (list_ == nullptr) word_.fetch_and(~kList, std::memory_order_relaxed);
  }

  Atomic<std::uint64_t> word_{0};
  Atomic<std::uint64_t> epoch_{0};
  Mutex mutex_;
  Waiter* list_ = nullptr;
};

using EventCount = BasicEventCount<EventCountPolicy>;

}  // namespace home

#endif  // HOME_PARKER_EVENT_COUNT_H_
