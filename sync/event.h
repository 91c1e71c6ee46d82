// Event: a flag that futures can wait for, set and reset by hand.
//
//   home::Event stop;
//   co_await stop.Wait();   // in any number of tasks
//   stop.Set();             // in any thread: releases all of them
//
// Set() releases everyone who waits at that moment, also if Reset() follows at
// once, and everyone who comes while the event stays set.
//
// A waiter is a node inside its future, in a list that the event's mutex
// guards: waiting allocates nothing. No waker is ever cloned, woken or dropped
// under that mutex (tokio#5471 shows what happens otherwise).
//
// Invariants, all under mutex_:
//   I1  A node is in the list if and only if its state is kWaiting.
//   I2  A node in the list holds the waker of its future's last poll.
//   I3  While set_ is true the list is empty.
//
// Thread-safety: all methods from any thread. A WaitFuture belongs to one
// thread at a time and must not outlive its event.
// Memory ordering: what happens before Set() happens before a wait that it
// releases is ready, and before IsSet() returns true because of it.
// Destruction: who was released by a *wait* may destroy the event, Set() touches
// it no more. IsSet() gives no such licence.
// Cost: the first poll of a wait takes the mutex twice at most, later polls
// with the same waker are one load. Set() is linear in the waiters and
// allocates for more than 16 of them.

#ifndef HOME_SYNC_EVENT_H_
#define HOME_SYNC_EVENT_H_

#include <atomic>
#include <cassert>
#include <cstdint>
#include <mutex>
#include <utility>

#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"

namespace home {

class Event {
 public:
  class WaitFuture;

  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { assert(head_ == nullptr && "an event was destroyed while somebody waits for it"); }

  // Sets the flag and releases all waiters.
  void Set();

  // Clears the flag. Waits that are already released stay so.
  void Reset() {
    const std::lock_guard lock(mutex_);
    // Relaxed: the mutex orders it for waits; IsSet() promises nothing for false.
    set_.store(false, std::memory_order_relaxed);
  }

  // The flag at this moment.
  [[nodiscard]] bool IsSet() const {
    // Acquire, pairs with: Set(), so that its caller's writes are visible.
    return set_.load(std::memory_order_acquire);
  }

  // A future of void that is ready once the event is or was set.
  // Cancellation: dropping it loses nothing.
  [[nodiscard]] WaitFuture Wait();

 private:
  enum class State : std::uint8_t {
    kIdle,      // not polled yet
    kWaiting,   // in the list
    kReleased,  // taken out of the list by Set()
    kDone,      // Ready was returned
  };

  struct Node {
    Node* previous = nullptr;  // Links and waker belong to the mutex.
    Node* next = nullptr;
    Waker waker;
    // Written under the mutex; the owner of the future also reads it without.
    std::atomic<State> state{State::kIdle};
  };

  void Link(Node& node) {
    node.previous = tail_;
    node.next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = &node;
    tail_ = &node;
  }
  void Unlink(Node& node) {
    (node.previous != nullptr ? node.previous->next : head_) = node.next;
    (node.next != nullptr ? node.next->previous : tail_) = node.previous;
    node.previous = node.next = nullptr;
  }

  mutable std::mutex mutex_;
  std::atomic<bool> set_{false};  // written under mutex_
  Node* head_ = nullptr;
  Node* tail_ = nullptr;
};

// The future of Event::Wait(). Movable until its first poll.
class [[nodiscard]] Event::WaitFuture {
 public:
  using Output = void;

  explicit WaitFuture(Event& event) noexcept : event_(&event) {}
  WaitFuture(WaitFuture&& other) noexcept : event_(other.event_) {
    // Relaxed: the future belongs to this thread, and was never in the list.
    assert(other.node_.state.load(std::memory_order_relaxed) == State::kIdle);
  }
  WaitFuture& operator=(WaitFuture&&) = delete;
  ~WaitFuture();

  home::Poll<void> Poll(Context& cx);

 private:
  Event* event_;
  Node node_;
  // The words of node_.waker, for a comparison without the mutex. The node's
  // own reference keeps them from being reused while the state is kWaiting.
  void* waker_data_ = nullptr;
  const WakerVTable* waker_vtable_ = nullptr;
};

inline Event::WaitFuture Event::Wait() { return WaitFuture(*this); }

inline void Event::Set() {
  WakeList wakes;
  {
    const std::lock_guard lock(mutex_);
    // Release, pairs with: IsSet().
    set_.store(true, std::memory_order_release);
    while (head_ != nullptr) {
      Node& node = *head_;
      Unlink(node);
      wakes.Push(std::move(node.waker));
      // Release, pairs with: the load in WaitFuture::Poll(), which then takes
      // the mutex in any case.
      node.state.store(State::kReleased, std::memory_order_release);
    }
  }
  // From here on *this may be gone: a waiter may have destroyed it.
  wakes.WakeAll();
}

inline Event::WaitFuture::~WaitFuture() {
  // Relaxed: a state other than kWaiting was reached by our own poll or is seen
  // again under the mutex.
  const State state = node_.state.load(std::memory_order_relaxed);
  if (state == State::kIdle || state == State::kDone) return;
  Waker stale;  // dropped after the mutex is released
  {
    const std::lock_guard lock(event_->mutex_);
    if (node_.state.load(std::memory_order_relaxed) == State::kWaiting) event_->Unlink(node_);
    stale = std::move(node_.waker);
  }
}

inline home::Poll<void> Event::WaitFuture::Poll(Context& cx) {
  // Acquire, pairs with: Set(). All that follows a kReleased takes the mutex too.
  const State seen = node_.state.load(std::memory_order_acquire);
  assert(seen != State::kDone && "a wait was polled after it was ready");
  const Waker& current = cx.waker();
  if (seen == State::kWaiting && current.data() == waker_data_ &&
      current.vtable() == waker_vtable_) {
    // A Set() that comes now wakes exactly this waker.
    return cx.PendingFor("event");
  }
  bool cloned = false;
  Waker fresh;
  Waker stale;  // like fresh, dropped after the mutex is released
  while (true) {
    if (!cloned && node_.state.load(std::memory_order_acquire) != State::kReleased &&
        !event_->IsSet()) {
      fresh = current.Clone();
      cloned = true;
    }
    // Taken even if the answer is already known: the caller may destroy the
    // event after Ready, so Set() must have left the mutex by then.
    const std::lock_guard lock(event_->mutex_);
    // Relaxed: state and set_ change only under the mutex, and what we store is
    // read by this thread or under the mutex.
    const State state = node_.state.load(std::memory_order_relaxed);
    if (state == State::kReleased || event_->set_.load(std::memory_order_relaxed)) {
      if (state == State::kWaiting) event_->Unlink(node_);
      stale = std::move(node_.waker);
      node_.state.store(State::kDone, std::memory_order_relaxed);
      return kReady;
    }
    if (!cloned) continue;  // it was set a moment ago, and reset since
    if (state == State::kIdle) event_->Link(node_);
    stale = std::exchange(node_.waker, std::move(fresh));
    waker_data_ = node_.waker.data();
    waker_vtable_ = node_.waker.vtable();
    node_.state.store(State::kWaiting, std::memory_order_relaxed);
    return cx.PendingFor("event");
  }
}

}  // namespace home

#endif  // HOME_SYNC_EVENT_H_
