// Mutex: a value that one task, or thread, has at a time.
//
//   Mutex<Ledger> ledger;
//   auto guard = co_await ledger.Lock();       // waits without blocking the thread
//   guard->Book(order);                        // ends with the guard
//
//   MutexGuard<Ledger> guard = BlockingWait(ledger.Lock());       // on a plain thread
//   auto owned = co_await LockOwned(shared_ledger);               // keeps a shared_ptr
//
// A guard may be held across an await and be moved to another thread. For what is never held
// across an await std::mutex is cheaper.
//
// Fairness: those who wait are woken in order, and compete with whoever comes by at that moment,
// who is running already: so a lock that is taken for short and often needs no change of tasks
// between any two owners. Whoever was overtaken three times is handed the lock when it is
// released, whoever comes; so nobody starves. This is the idea of Go's sync.Mutex, which hands
// over after a millisecond.
//
// There is no poisoning: an exception that leaves a guard's scope unlocks, and whoever comes next
// sees the value as it was left. A type that could be left broken has to say so itself.
//
// Thread-safety: all functions from any thread. A guard or future belongs to one thread at a time.
// The mutex must live until the destructors of all futures, and of all guards but owned ones, have
// returned: who gets the lock next can't know yet that the guard before is gone.
// Memory ordering: what precedes an unlock happens before what follows the next lock.
// Cost: locking and unlocking are one RMW each if nobody waits; unlocking a mutex for which nobody
// has waited for long is a store (bias.h), and who has to wait for such a one pays a few
// microseconds more. Waiting allocates nothing.
// 40 bytes besides the value.

#ifndef HOME_SYNC_MUTEX_H_
#define HOME_SYNC_MUTEX_H_

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <utility>

#include "absl/base/optimization.h"
#include "home/future/context.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/sync/bias.h"
#include "home/sync/sync_policy.h"
#include "home/sync/wait.h"
#include "home/sync/wait_queue.h"

namespace home {
namespace sync_internal {

inline constexpr char kMutexKind[] = "mutex";

// The lock without its value.
template <typename Policy = SyncPolicy>
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  [[nodiscard]] bool TryLock() {
    bool locked = false;
    // acquire: what preceded the unlock. pairs with: Unlock(). relaxed on failure: no lock.
    return locked_.compare_exchange_strong(locked, true, std::memory_order_acquire,
                                           std::memory_order_relaxed);
  }
  // Where another thread holds the lock it will mostly let go before this one has fallen asleep.
  // But not where the holder waits for something else with it, or for this very thread: so those
  // who come after spins in vain do not spin, but for one in kUnspunWaits.
  bool TryLockSpinning() {
    // relaxed, all: how often to spin is a guess, and who writes it at the same time as others
    // makes it a worse one.
    const std::uint8_t vain = vain_spins_.load(std::memory_order_relaxed);
    if (vain >= Policy::kVainSpins) {
      constexpr int kNext = Policy::kVainSpins + Policy::kUnspunWaits;
      vain_spins_.store(vain + 1 < kNext ? vain + 1 : Policy::kVainSpins - 1,
                        std::memory_order_relaxed);
      return false;
    }
    for (int i = 0; i < Policy::kLooks; ++i) {
      Policy::BackOff();
      // relaxed: only a hint that it is worth an RMW.
      if (!locked_.load(std::memory_order_relaxed) && TryLock()) {
        if (vain != 0) vain_spins_.store(0, std::memory_order_relaxed);
        return true;
      }
    }
    vain_spins_.store(vain + 1, std::memory_order_relaxed);
    return false;
  }
  void Unlock() {
    if (ABSL_PREDICT_FALSE(queue_.HandOver())) return;
    if (ABSL_PREDICT_TRUE(bias_.PublishesByStore())) {
      // release: what precedes it. pairs with: TryLock(). The fence: a publication (bias.h).
      locked_.store(false, std::memory_order_release);
      Policy::LightFence();
    } else {
      // seq_cst: a publication (wait_queue.h), an exchange for that reason. release: as above.
      locked_.exchange(false, std::memory_order_seq_cst);
    }
    queue_.Notify();
  }

  // What a future waits for (wait.h).
  class Side {
   public:
    explicit Side(Lock& lock) : lock_(lock) {}
    auto& queue() { return lock_.queue_; }
    bool Take() { return lock_.TryLock(); }
    bool Spin() { return lock_.TryLockSpinning(); }
    bool Look() {
      // seq_cst: the look of one who waits. pairs with: Unlock().
      return !lock_.locked_.load(std::memory_order_seq_cst);
    }
    void Enter() {}
    void Listed() { lock_.bias_.BeforeLook(); }
    void Leave() {}
    void Receive() {}
    void Return() { lock_.Unlock(); }

   private:
    Lock& lock_;
  };

 private:
  typename Policy::template Atomic<bool> locked_{false};
  // Spins that were in vain, in a row; from kVainSpins on also waits without one.
  typename Policy::template Atomic<std::uint8_t> vain_spins_{0};
  Bias<Policy> bias_;
  WaitQueue<Policy> queue_;
};

// The wait of one future for a lock.
template <typename Policy = SyncPolicy>
class LockWait {
 public:
  explicit LockWait(Lock<Policy>& lock) noexcept : lock_(&lock) {}
  LockWait(LockWait&& other) noexcept = default;
  LockWait& operator=(LockWait&&) = delete;
  ~LockWait() {
    if (!wait_.waiting()) return;
    typename Lock<Policy>::Side side(*lock_);
    wait_.Cancel(side);
  }

  // Ready once the caller has the lock. Until then the task waits for `reason`.
  home::Poll<void> Poll(Context& cx, const char* reason = kMutexKind) {
    if (!cx.ConsumeBudget()) return kPending;
    typename Lock<Policy>::Side side(*lock_);
    if (!wait_.Poll(side, cx.waker())) return cx.PendingFor(reason);
    return kReady;
  }

 private:
  Lock<Policy>* lock_;
  Wait<WaitQueue<Policy>> wait_;
};

}  // namespace sync_internal

template <typename T>
class Mutex;

// The right to use a mutex's value; gives it up in the end. `Handle` is a pointer to the mutex,
// which keeps it or not. A guard that was moved from may only be assigned to or destroyed.
template <typename T, typename Handle>
class [[nodiscard]] BasicMutexGuard {
 public:
  using Mark = internal::LockMark<BasicMutexGuard>;

  // For the mutex: takes over a lock that is held.
  BasicMutexGuard(Handle mutex, Mark mark) noexcept
      : mutex_(std::move(mutex)), mark_(std::move(mark)) {
    mark_.Hold();
  }
  BasicMutexGuard(BasicMutexGuard&& other) noexcept
      : mutex_(std::exchange(other.mutex_, nullptr)), mark_(std::move(other.mark_)) {}
  BasicMutexGuard& operator=(BasicMutexGuard&& other) noexcept {
    BasicMutexGuard old(std::move(*this));
    mutex_ = std::exchange(other.mutex_, nullptr);
    mark_ = std::move(other.mark_);
    return *this;
  }
  ~BasicMutexGuard() {
    if (mutex_ == nullptr) return;
    mark_.Release();
    mutex_->lock_.Unlock();
  }

  [[nodiscard]] T& operator*() const { return mutex_->value_; }
  [[nodiscard]] T* operator->() const { return std::addressof(mutex_->value_); }
  // The mutex that is locked.
  [[nodiscard]] const Handle& mutex() const { return mutex_; }

 private:
  Handle mutex_;
  [[no_unique_address]] Mark mark_;
};

template <typename T>
using MutexGuard = BasicMutexGuard<T, Mutex<T>*>;
// For a task that must keep the mutex alive.
template <typename T>
using OwnedMutexGuard = BasicMutexGuard<T, std::shared_ptr<Mutex<T>>>;

// What Lock() and LockOwned() return. Movable before its first poll.
template <typename T, typename Handle>
class [[nodiscard]] LockFuture {
 public:
  using Output = BasicMutexGuard<T, Handle>;
  static constexpr const char* kName = "Mutex::Lock";

  LockFuture(Handle mutex, const internal::LockPlace& place)
      : mutex_(std::move(mutex)),
        wait_(mutex_->lock_),
        mark_(sync_internal::kMutexKind, std::to_address(mutex_), place) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (wait_.Poll(cx).pending()) {
      mark_.Wait();
      return check_.Pending();
    }
    return Output(std::move(mutex_), typename Output::Mark(std::move(mark_)));
  }

 private:
  [[no_unique_address]] internal::PollCheck<LockFuture> check_;
  Handle mutex_;
  sync_internal::LockWait<> wait_;
  [[no_unique_address]] internal::LockMark<LockFuture> mark_;
};

template <typename T>
class Mutex {
 public:
  template <typename... Args>
    requires std::constructible_from<T, Args...>
  explicit Mutex(Args&&... args) : value_(std::forward<Args>(args)...) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // A guard, once the mutex is free.
  // Cancellation: dropping the future loses the place in the queue; a lock that it was handed,
  // or woken for, goes on to the next.
  [[nodiscard]] LockFuture<T, Mutex*> Lock(
      const internal::LockPlace& place = std::source_location::current()) {
    return LockFuture<T, Mutex*>(this, place);
  }
  // A guard if the mutex is free now.
  [[nodiscard]] std::optional<MutexGuard<T>> TryLock(
      const internal::LockPlace& place = std::source_location::current()) {
    return Try(this, place);
  }
  // The value, for one who knows that nobody else uses the mutex.
  [[nodiscard]] T& Unguarded() { return value_; }

 private:
  template <typename U, typename Handle>
  friend class BasicMutexGuard;
  template <typename U, typename Handle>
  friend class LockFuture;
  template <typename U>
  friend std::optional<OwnedMutexGuard<U>> TryLockOwned(std::shared_ptr<Mutex<U>> mutex,
                                                        const internal::LockPlace& place);

  template <typename Handle>
  static std::optional<BasicMutexGuard<T, Handle>> Try(Handle mutex,
                                                       const internal::LockPlace& place) {
    if (!mutex->lock_.TryLock()) return std::nullopt;
    using Guard = BasicMutexGuard<T, Handle>;
    typename Guard::Mark mark(sync_internal::kMutexKind, std::to_address(mutex), place);
    return Guard(std::move(mutex), std::move(mark));
  }

  sync_internal::Lock<> lock_;
  T value_;
};

// As mutex->Lock(), for a guard that keeps the mutex.
// Cancellation: as Mutex::Lock(): dropping the future loses the place in the queue, no lock.
template <typename T>
[[nodiscard]] LockFuture<T, std::shared_ptr<Mutex<T>>> LockOwned(
    std::shared_ptr<Mutex<T>> mutex,
    const internal::LockPlace& place = std::source_location::current()) {
  return LockFuture<T, std::shared_ptr<Mutex<T>>>(std::move(mutex), place);
}
// As mutex->TryLock(), the same.
template <typename T>
[[nodiscard]] std::optional<OwnedMutexGuard<T>> TryLockOwned(
    std::shared_ptr<Mutex<T>> mutex,
    const internal::LockPlace& place = std::source_location::current()) {
  return Mutex<T>::Try(std::move(mutex), place);
}

}  // namespace home

#endif  // HOME_SYNC_MUTEX_H_
