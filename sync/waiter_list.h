// WaiterList: those who wait, in order, as nodes inside their futures.
//
// What all that waits here has in common: a list under its owner's mutex, a waker a waiter,
// and the rules by which wakers are kept. Who is woken when, and what it gets, is the owner's:
// WaitQueue for those who compete, GrantQueue for those who are handed what they wait for,
// and whoever wakes all at once (Event, Barrier, broadcast channels).
//
// Invariants
//  I1  The list, a waiter's links and its waker belong to the mutex.
//  I2  A waiter's state is kListed if and only if it is in the list. It becomes kReleased when
//      it is taken out for its owner to see, and from then on belongs to the owner alone.
//  I3  A waiter in the list holds the waker of its future's last poll, and the owner has the
//      word of that one, so that a poll that changes nothing needs no mutex.
//
// No waker is cloned, woken or dropped under the mutex: they run anybody's code (tokio#5471
// shows what happens otherwise).

#ifndef HOME_SYNC_WAITER_LIST_H_
#define HOME_SYNC_WAITER_LIST_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "home/future/wake_list.h"
#include "home/future/waker.h"

namespace home::sync_internal {

enum class WaiterState : std::uint8_t {
  kIdle,      // as new
  kListed,    // in the list
  kReleased,  // taken out of it, which its owner has not seen yet
};

template <typename Node>
class WaiterList;

// The base of what lies in a future. Not moved once it was listed.
template <typename PolicyType>
class Waiter {
 public:
  using Policy = PolicyType;

  Waiter() {}  // NOLINT: not all members are initialised.
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // For the owner.
  [[nodiscard]] WaiterState state() const {
    // acquire: what whoever released it did. pairs with: WaiterList::Release().
    return state_.load(std::memory_order_acquire);
  }
  // The owner has seen that it was released.
  void Reset() {
    // relaxed: it is its owner's alone.
    state_.store(WaiterState::kIdle, std::memory_order_relaxed);
  }

 private:
  template <typename Node>
  friend class WaiterList;

  // For the owner of a listed waiter.
  [[nodiscard]] bool WillWake(const Waker& waker) const { return waker.target() == target_; }

  // Not initialised: a future that need not wait should cost nothing for it.
  Waiter* previous_;
  Waiter* next_;
  Waker waker_;
  // The word of waker_ (I3); the owner's.
  WakerTarget* target_;
  // Written under the mutex, or by the owner of one that is in no list, who also reads it
  // without.
  typename Policy::template Atomic<WaiterState> state_{WaiterState::kIdle};
};

// A Node is a Waiter, with what its owner needs besides.
template <typename Node>
class WaiterList {
 public:
  using Policy = typename Node::Policy;
  using Mutex = typename Policy::Mutex;

  WaiterList() = default;
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;

  // -- For the owner of a waiter, who does not hold the mutex --------------------------------

  // Whether a poll with `waker` has nothing to do: the waiter is listed, and who releases it
  // now wakes exactly this waker.
  [[nodiscard]] static bool SleepsWith(const Node& waiter, const Waker& waker) {
    return waiter.state() == WaiterState::kListed && waiter.WillWake(waker);
  }

  // Whether the waiter was released, and whoever did that is done with the mutex, so that the
  // owner may destroy it. Then the waiter is as new. May be false for no reason.
  [[nodiscard]] static bool SeesRelease(Mutex& mutex, Node& waiter) {
    // Whoever released it had locked the mutex before, which the acquire of the state tells us of.
    if (waiter.state() != WaiterState::kReleased || !mutex.IsFree()) return false;
    waiter.Reset();
    return true;
  }

  // The poll of a waiting future: true once `done(bool released)` was, which is called under
  // the mutex; the waiter is as new then. Until then it is in the list, put there by
  // `link(Node&)`, and wakes `current`.
  template <typename Done, typename Link>
  bool Poll(Mutex& mutex, Node& waiter, const Waker& current, bool will_likely_wait, Done done,
            Link link) {
    if (SleepsWith(waiter, current)) return false;
    Waker stale;  // dropped after the mutex is released, like fresh
    Waker fresh;
    for (bool cloned = will_likely_wait;; cloned = true) {
      if (cloned) fresh = current.Clone();
      const std::lock_guard lock(mutex);
      // relaxed, all: it changes under the mutex, and what we store is read by this thread or
      // under the mutex.
      const WaiterState state = waiter.state_.load(std::memory_order_relaxed);
      if (done(state == WaiterState::kReleased)) {
        if (state == WaiterState::kListed) Unlink(waiter);
        stale = std::move(waiter.waker_);
        waiter.state_.store(WaiterState::kIdle, std::memory_order_relaxed);
        return true;
      }
      if (cloned) {
        NoteWord(waiter, fresh);
        std::swap(waiter.waker_, fresh);
        if (state != WaiterState::kListed) {
          link(waiter);
          waiter.state_.store(WaiterState::kListed, std::memory_order_relaxed);
        }
        return false;
      }
    }
  }
  template <typename Done>
  bool Poll(Mutex& mutex, Node& waiter, const Waker& current, bool will_likely_wait, Done done) {
    return Poll(mutex, waiter, current, will_likely_wait, std::move(done),
                [this](Node& node) { LinkBefore(node, nullptr); });
  }

  // Takes an idle waiter with the clone `fresh` of its waker into the list: `link()` does that,
  // which is called under the mutex; its result.
  template <typename Link>
  auto Add(Mutex& mutex, Node& waiter, Waker fresh, Link link) {
    NoteWord(waiter, fresh);
    const std::lock_guard lock(mutex);
    std::swap(waiter.waker_, fresh);  // it was empty
    // relaxed: as in Poll().
    waiter.state_.store(WaiterState::kListed, std::memory_order_relaxed);
    return link();
  }

  // Gives a listed waiter another waker. False if it was released meanwhile.
  [[nodiscard]] static bool Replace(Mutex& mutex, Node& waiter, const Waker& current) {
    Waker fresh = current.Clone();
    const std::lock_guard lock(mutex);
    // relaxed: as in Poll().
    if (waiter.state_.load(std::memory_order_relaxed) != WaiterState::kListed) return false;
    NoteWord(waiter, fresh);
    std::swap(waiter.waker_, fresh);
    return true;
  }

  // The future goes, or need not wait any more: `gone(WaiterState)` is called under the mutex
  // with what the waiter was, after it was taken out. It is as new then.
  template <typename Gone>
  void Forget(Mutex& mutex, Node& waiter, Gone gone) {
    if (waiter.state() == WaiterState::kIdle) return;
    Waker stale;  // dropped after the mutex is released
    const std::lock_guard lock(mutex);
    // relaxed, both: as in Poll().
    const WaiterState state = waiter.state_.load(std::memory_order_relaxed);
    if (state == WaiterState::kListed) Unlink(waiter);
    stale = std::move(waiter.waker_);
    waiter.state_.store(WaiterState::kIdle, std::memory_order_relaxed);
    gone(state);
  }
  void Forget(Mutex& mutex, Node& waiter) {
    Forget(mutex, waiter, [](WaiterState) {});
  }

  // -- Under the mutex -----------------------------------------------------------------------

  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  // Null if there is none.
  [[nodiscard]] Node* first() const { return static_cast<Node*>(first_); }
  [[nodiscard]] Node* last() const { return static_cast<Node*>(last_); }
  [[nodiscard]] static Node* Next(const Node& waiter) { return static_cast<Node*>(waiter.next_); }

  // Behind all if `next` is null.
  void LinkBefore(Node& waiter, Node* next) {
    waiter.next_ = next;
    waiter.previous_ = next != nullptr ? PreviousOf(*next) : last_;
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = &waiter;
    SetPrevious(next, &waiter);
  }

  // Takes a listed waiter out. The caller wakes the waker once it has released the mutex; from
  // here on the waiter may be gone.
  [[nodiscard]] Waker Release(Node& waiter) {
    Unlink(waiter);
    Waker waker = std::move(static_cast<Base&>(waiter).waker_);
    // release: the waiter is its owner's from here on. pairs with: Waiter::state().
    static_cast<Base&>(waiter).state_.store(WaiterState::kReleased, std::memory_order_release);
    return waker;
  }
  void ReleaseAll(WakeList& wakes) {
    while (!empty()) wakes.Push(Release(*first()));
  }

 private:
  using Base = Waiter<Policy>;

  static void NoteWord(Node& waiter, const Waker& waker) { waiter.target_ = waker.target(); }

  static Base* PreviousOf(const Base& waiter) { return waiter.previous_; }
  void SetPrevious(Base* waiter, Base* previous) {
    (waiter != nullptr ? waiter->previous_ : last_) = previous;
  }
  void Unlink(Base& waiter) {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    SetPrevious(waiter.next_, waiter.previous_);
  }

  Base* first_ = nullptr;
  Base* last_ = nullptr;
};

// The simplest node.
template <typename Policy>
class PlainWaiter : public Waiter<Policy> {};

}  // namespace home::sync_internal

#endif  // HOME_SYNC_WAITER_LIST_H_
