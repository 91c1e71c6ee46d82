// Event: a flag that futures can wait for, set and reset by hand.
//
//   home::Event stop;
//   co_await stop.Wait();   // in any number of tasks
//   stop.Set();             // in any thread: releases all of them
//
// Set() releases everyone who waits at that moment, also if Reset() follows at
// once, and everyone who comes while the event stays set.
//
// A waiter is a node inside its future (waiter_list.h): waiting allocates nothing. While the
// event is set the list is empty.
//
// Thread-safety: all methods from any thread. A WaitFuture belongs to one
// thread at a time and must not outlive its event.
// Memory ordering: what happens before Set() happens before a wait that it
// releases is ready, and before IsSet() returns true because of it.
// Destruction: who was released by a *wait* may destroy the event, Set() touches
// it no more. IsSet() gives no such licence.
// Cost: a wait for an event that is set is three loads, as is the poll after a release, unless
// Set() is just going on. Else the first poll of a wait takes the mutex twice at most, later polls
// with the same waker are one load. Set() is linear in the waiters and allocates for more than 16
// of them.

#ifndef HOME_SYNC_EVENT_H_
#define HOME_SYNC_EVENT_H_

#include <atomic>
#include <cassert>
#include <mutex>
#include <source_location>
#include <utility>

#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/future/wake_list.h"
#include "home/sync/sync_policy.h"
#include "home/sync/waiter_list.h"

namespace home {

template <typename Policy>
class BasicEvent {
 public:
  class WaitFuture;

  BasicEvent() = default;
  BasicEvent(const BasicEvent&) = delete;
  BasicEvent& operator=(const BasicEvent&) = delete;
  ~BasicEvent() {
    assert(waiters_.empty() && "an event was destroyed while somebody waits for it");
  }

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
  [[nodiscard]] WaitFuture Wait(const internal::LockPlace& place = std::source_location::current());
  // The same for who waits for something else, which the event puts an end to: that is what the
  // task's wait reason and the lock watch show, and not this wait.
  [[nodiscard]] WaitFuture WaitBeside();

 private:
  using Waiter = sync_internal::PlainWaiter<Policy>;
  using Waiters = sync_internal::WaiterList<Waiter>;

  typename Policy::Mutex mutex_;
  typename Policy::template Atomic<bool> set_{false};  // written under mutex_
  Waiters waiters_;
};

using Event = BasicEvent<sync_internal::SyncPolicy>;

// The future of Event::Wait(). Movable until its first poll.
template <typename Policy>
class [[nodiscard]] BasicEvent<Policy>::WaitFuture {
 public:
  using Output = void;
  static constexpr const char* kName = "Event::Wait";

  // WaitBeside().
  explicit WaitFuture(BasicEvent& event) noexcept : event_(&event) {}
  // Wait(). `kind`, a string that lives for ever, is what the event is to the lock watch.
  WaitFuture(BasicEvent& event, const char* kind, const internal::LockPlace& place) noexcept
      : event_(&event), mark_(kind, &event, place), beside_(false) {}
  WaitFuture(WaitFuture&& other) noexcept
      : check_(other.check_),
        event_(other.event_),
        mark_(std::move(other.mark_)),
        beside_(other.beside_) {
    if (other.waits_) Fatal("an event's future was moved after its first poll");
  }
  WaitFuture& operator=(WaitFuture&&) = delete;
  ~WaitFuture() {
    if (waits_) event_->waiters_.Forget(event_->mutex_, waiter_);
  }

  home::Poll<void> Poll(Context& cx);

  [[nodiscard]] bool beside() const { return beside_; }

 private:
  [[no_unique_address]] internal::PollCheck<WaitFuture> check_;
  BasicEvent* event_;
  [[no_unique_address]] sync_internal::LockMark<Policy, WaitFuture> mark_;
  Waiter waiter_;
  bool waits_ = false;
  bool beside_ = true;
};

template <typename Policy>
typename BasicEvent<Policy>::WaitFuture BasicEvent<Policy>::Wait(const internal::LockPlace& place) {
  return WaitFuture(*this, "event", place);
}

template <typename Policy>
typename BasicEvent<Policy>::WaitFuture BasicEvent<Policy>::WaitBeside() {
  return WaitFuture(*this);
}

template <typename Policy>
void BasicEvent<Policy>::Set() {
  WakeList wakes;
  {
    const std::lock_guard lock(mutex_);
    // Release, pairs with: IsSet().
    set_.store(true, std::memory_order_release);
    waiters_.ReleaseAll(wakes);
  }
  // From here on *this may be gone: a waiter may have destroyed it.
  wakes.WakeAll();
}

template <typename Policy>
home::Poll<void> BasicEvent<Policy>::WaitFuture::Poll(Context& cx) {
  check_.Begin();
  // The caller may destroy the event after Ready, so that Set() must be done with the mutex: who
  // sees what it did and that the mutex is free (waiter_list.h) need not lock it.
  if (waiter_.state() == sync_internal::WaiterState::kIdle
          ? event_->IsSet() && event_->mutex_.IsFree()
          : Waiters::SeesRelease(event_->mutex_, waiter_)) {
    waits_ = false;
    mark_.Release();
    return kReady;
  }
  const bool done = event_->waiters_.Poll(
      event_->mutex_, waiter_, cx.waker(), /*will_likely_wait=*/!event_->IsSet(),
      // relaxed: it changes under the mutex only.
      [this](bool released) { return released || event_->set_.load(std::memory_order_relaxed); });
  waits_ = !done;
  if (done) {
    mark_.Release();
    return kReady;
  }
  mark_.Wait();
  if (!beside_) static_cast<void>(cx.PendingFor("event"));
  return check_.Pending();
}

}  // namespace home

#endif  // HOME_SYNC_EVENT_H_
