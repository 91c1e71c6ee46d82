#include "home/future/shared_future.h"

namespace home::internal {

constinit const WakerVTable SharedCore::kWakerVTable = {
    .clone =
        [](WakerTarget* target) {
          Core(target)->AddReference();
          return target;
        },
    .wake =
        [](WakerTarget* target) {
          Core(target)->OnWake();
          Core(target)->DropReference();
        },
    .wake_by_ref = [](WakerTarget* target) { Core(target)->OnWake(); },
    .drop = [](WakerTarget* target) { Core(target)->DropReference(); },
};

void SharedCore::DropReference() noexcept {
  // release: our use of it. acquire: that of all others, before it goes.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Free();
}

void SharedCore::DropCopy(SharedWaiter& waiter) noexcept {
  Waker dropped;  // outside the lock: it may run foreign code
  if (waiter.linked) {
    const std::lock_guard lock(mutex_);
    Unlink(waiter);
    dropped = std::move(waiter.waker);
  }
  // As a reference; the future goes with the last copy, although wakers of it may
  // be kept.
  if (copies_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  DestroyFuture();
  DropReference();
}

bool SharedCore::Poll(SharedWaiter& waiter, Context& cx) {
  Waker fresh = cx.waker().Clone();  // outside the lock, as all that is foreign
  {
    const std::lock_guard lock(mutex_);
    // relaxed: the lock orders it.
    if (done_.load(std::memory_order_relaxed)) return true;
    std::swap(waiter.waker, fresh);
    if (!waiter.linked) {
      waiter.linked = true;
      waiter.next = waiters_;
      if (waiters_ != nullptr) waiters_->previous = &waiter;
      waiters_ = &waiter;
    }
    if (!needs_poll_ || polling_) return false;
    needs_poll_ = false;
    polling_ = true;
  }
  const BorrowedWaker waker(this);
  Context future_cx(waker.get(), cx.turn());
  const bool done = PollFuture(future_cx);
  WakeList wakes;
  Waker mine;
  {
    const std::lock_guard lock(mutex_);
    polling_ = false;
    if (done) {
      Unlink(waiter);
      mine = std::move(waiter.waker);
      // release: the result. pairs with: done().
      done_.store(true, std::memory_order_release);
    }
    // Those who came while we were polling counted on us to come back.
    if (done || needs_poll_) Collect(wakes);
  }
  wakes.WakeAll();
  return done;
}

void SharedCore::OnWake() {
  WakeList wakes;
  {
    const std::lock_guard lock(mutex_);
    needs_poll_ = true;
    // Who is polling wakes everybody at the end.
    if (!polling_) Collect(wakes);
  }
  wakes.WakeAll();
}

void SharedCore::Collect(WakeList& wakes) {
  for (SharedWaiter* waiter = waiters_; waiter != nullptr; waiter = waiter->next) {
    if (waiter->waker) wakes.Push(std::move(waiter->waker));
  }
}

void SharedCore::Unlink(SharedWaiter& waiter) noexcept {
  if (waiter.previous != nullptr) waiter.previous->next = waiter.next;
  if (waiter.next != nullptr) waiter.next->previous = waiter.previous;
  if (waiters_ == &waiter) waiters_ = waiter.next;
  waiter.linked = false;
}

}  // namespace home::internal
