// Condvar: waits, with a mutex's guard, until somebody says that its value has changed.
//
//   auto guard = co_await queue.Lock();
//   while (guard->empty()) guard = co_await changed.Wait(std::move(guard));
//
//   { auto guard = co_await queue.Lock(); guard->push_back(item); }
//   changed.NotifyOne();
//
// The wait unlocks the mutex, once it can be notified, and locks it again before it is ready.
// Who waits looks at the value again then: others may have been there in between. Where no
// value is under a lock Notify is simpler: it keeps a notification for who comes later, which a
// Condvar does not.
//
// Fairness: who waits longest is notified first.
// Thread-safety: all functions from any thread. A future belongs to one thread at a time and must
// not outlive the condition variable. All who wait at one time use one mutex.
// Memory ordering: that of the mutex.
// Cost: a wait takes an internal mutex twice, besides the mutex of the value. It allocates nothing.

#ifndef HOME_SYNC_CONDVAR_H_
#define HOME_SYNC_CONDVAR_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <source_location>
#include <utility>

#include "home/future/context.h"
#include "home/future/fatal.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/future/wake_list.h"
#include "home/sync/mutex.h"
#include "home/sync/sync_policy.h"
#include "home/sync/waiter_list.h"

namespace home {

template <typename T, typename Handle>
class CondvarFuture;

class Condvar {
 public:
  Condvar() = default;
  Condvar(const Condvar&) = delete;
  Condvar& operator=(const Condvar&) = delete;

  // Gives up the guard, waits for a notification and is ready with a guard again. Nothing is
  // given up before the first poll.
  // Cancellation: dropping the future gives up the guard. A notification that it got from
  // NotifyOne() goes on to the next.
  template <typename T, typename Handle>
  [[nodiscard]] CondvarFuture<T, Handle> Wait(
      BasicMutexGuard<T, Handle> guard,
      const internal::LockPlace& place = std::source_location::current()) {
    return CondvarFuture<T, Handle>(*this, std::move(guard), place);
  }

  // Wakes the one that waits longest, if there is one.
  void NotifyOne() {
    Waker waker;
    {
      const std::lock_guard lock(mutex_);
      if (waiters_.empty()) return;
      waker = waiters_.Release(*waiters_.first());
    }
    std::move(waker).Wake();
  }
  // Wakes all who wait now.
  void NotifyAll() {
    WakeList wakes;
    {
      const std::lock_guard lock(mutex_);
      waiters_.ReleaseAll(wakes);
    }
    wakes.WakeAll();
  }

 private:
  template <typename T, typename Handle>
  friend class CondvarFuture;

  using Waiter = sync_internal::PlainWaiter<sync_internal::SyncPolicy>;
  using Waiters = sync_internal::WaiterList<Waiter>;

  sync_internal::SyncPolicy::Mutex mutex_;
  Waiters waiters_;  // under the mutex
};

// What Condvar::Wait() returns. Movable before its first poll.
template <typename T, typename Handle>
class [[nodiscard]] CondvarFuture {
 public:
  using Output = BasicMutexGuard<T, Handle>;
  static constexpr const char* kName = "Condvar::Wait";

  CondvarFuture(Condvar& condvar, Output guard, const internal::LockPlace& place)
      : condvar_(&condvar),
        mark_("condvar", &condvar, place),
        lock_(guard.mutex(), place),
        guard_(std::move(guard)) {}
  CondvarFuture(CondvarFuture&& other) noexcept
      : check_(other.check_),
        condvar_(other.condvar_),
        mark_(std::move(other.mark_)),
        lock_(std::move(other.lock_)),
        guard_(std::move(other.guard_)) {
    if (other.stage_ != Stage::kFresh) Fatal("a condvar's future was moved after its first poll");
  }
  CondvarFuture& operator=(CondvarFuture&&) = delete;
  ~CondvarFuture() {
    bool notified = stage_ == Stage::kLocking;
    if (stage_ == Stage::kWaiting) {
      condvar_->waiters_.Forget(condvar_->mutex_, waiter_,
                                [&notified](sync_internal::WaiterState state) {
                                  notified = state == sync_internal::WaiterState::kReleased;
                                });
    }
    if (notified) condvar_->NotifyOne();
  }

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (stage_ != Stage::kLocking) {
      const bool notified =
          Condvar::Waiters::SeesRelease(condvar_->mutex_, waiter_) ||
          condvar_->waiters_.Poll(condvar_->mutex_, waiter_, cx.waker(), /*will_likely_wait=*/true,
                                  [](bool released) { return released; });
      stage_ = notified ? Stage::kLocking : Stage::kWaiting;
      // At first: whoever locks the mutex now can notify us.
      guard_.reset();
      if (!notified) {
        mark_.Wait();
        static_cast<void>(cx.PendingFor("condvar"));
        return check_.Pending();
      }
      mark_.Release();
    }
    auto locked = lock_.Poll(cx);
    if (locked.pending()) return check_.Pending();
    stage_ = Stage::kDone;
    return locked;
  }

 private:
  enum class Stage : std::uint8_t { kFresh, kWaiting, kLocking, kDone };

  [[no_unique_address]] internal::PollCheck<CondvarFuture> check_;
  Condvar* condvar_;
  [[no_unique_address]] internal::LockMark<CondvarFuture> mark_;
  LockFuture<T, Handle> lock_;
  std::optional<Output> guard_;
  Condvar::Waiter waiter_;
  Stage stage_ = Stage::kFresh;
};

}  // namespace home

#endif  // HOME_SYNC_CONDVAR_H_
