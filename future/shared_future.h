// SharedFuture<T>: one future whose result many wait for.
//
//   SharedFuture<Config> config = Shared(LoadConfig());
//   tasks.Spawn(Serve(config));      // a copy for each
//   tasks.Spawn(Watch(config));
//
// Every copy is a future of its own and yields a copy of the value (share what is
// large, or move-only, as a std::shared_ptr<const V>). If the future throws, every
// copy rethrows the same exception. The future runs when one of the copies is
// polled, on the task that polls; if that task goes away, another one goes on.
//
// A copy of a copy that has yielded is ready at once. Moving a copy that
// waits, or has waited, and polling one that was moved from are fatal mistakes in
// every build; copying it is none.
//
// Thread-safety: each copy belongs to one thread at a time; different copies may
// be used on different threads. The future inside is polled by one at a time.
// Memory ordering: what the future did happens before every copy's Ready.
// Cancellation: dropping a copy takes it off the list of those that wait, and
// loses nothing; dropping the last one cancels the future.
// Cost: one block for the future and its value; a poll takes a lock, not while the
// future runs, until the value is there, and none after that. A wake wakes all
// copies that wait; the first one that is polled polls the future.

#ifndef HOME_FUTURE_SHARED_FUTURE_H_
#define HOME_FUTURE_SHARED_FUTURE_H_

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "home/future/fatal.h"
#include "home/future/frame_object.h"
#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/pipe.h"
#include "home/future/poll_check.h"
#include "home/future/result_slot.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"

namespace home {
namespace internal {

// One copy that waits: a link of the core's list. Guarded by the core's mutex.
struct SharedWaiter {
  SharedWaiter* previous = nullptr;
  SharedWaiter* next = nullptr;
  bool linked = false;
  Waker waker;
};

// What does not depend on the types: who waits, and whose turn it is to poll.
//
// `needs_poll_` says that the future has been woken since it was last polled;
// `polling_` that a copy is polling it. Invariant: if needs_poll_ is set and no
// copy is polling, every copy that waits has been woken since. So it does not
// matter which of them comes, nor whether some are dropped instead.
class SharedCore : public WakerTarget {
 public:
  SharedCore(const SharedCore&) = delete;
  SharedCore& operator=(const SharedCore&) = delete;

  // A copy more, or less. The last one destroys the future.
  void AddCopy() noexcept { copies_.fetch_add(1, std::memory_order_relaxed); }
  void DropCopy(SharedWaiter& waiter) noexcept;

  // Whether the result is there; it does not change any more then.
  [[nodiscard]] bool done() const noexcept { return done_.load(std::memory_order_acquire); }

  // Polls the future if it is time to. True once the result is there; false after
  // `waiter` was made to wait.
  bool Poll(SharedWaiter& waiter, Context& cx);

 protected:
  SharedCore() : WakerTarget(&kWakerVTable) {}
  ~SharedCore() = default;  // Free() knows the whole object

  // Polls the future; true if it has finished and its result is stored.
  virtual bool PollFuture(Context& cx) = 0;
  // Destroys the future, if it is still there.
  virtual void DestroyFuture() noexcept = 0;
  // Destroys and frees this object.
  virtual void Free() noexcept = 0;

 private:
  static const WakerVTable kWakerVTable;
  static SharedCore* Core(WakerTarget* target) { return static_cast<SharedCore*>(target); }

  void AddReference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void DropReference() noexcept;
  void OnWake();
  // Moves the wakers of all that wait into `wakes`. Under the lock.
  void Collect(WakeList& wakes);
  void Unlink(SharedWaiter& waiter) noexcept;

  std::atomic<std::uint32_t> copies_{1};
  std::atomic<std::uint32_t> references_{1};  // the copies' one, and one a waker
  std::atomic<bool> done_{false};
  std::mutex mutex_;
  bool needs_poll_ = true;           // guarded by mutex_
  bool polling_ = false;             // guarded by mutex_
  SharedWaiter* waiters_ = nullptr;  // guarded by mutex_
};

// With the value.
template <typename T>
class SharedResult : public SharedCore {
 public:
  // The value once more, or the exception. Only when done().
  T Copy() const {
    if (exception_ != nullptr) Rethrow(exception_);
    if constexpr (!std::is_void_v<T>) return *value_;
  }

 protected:
  SharedResult() = default;
  ~SharedResult() = default;

  std::optional<NonVoid<T>> value_;
  std::exception_ptr exception_;
};

// With the future.
template <Future F>
class SharedObject final : public SharedResult<FutureOutput<F>> {
 public:
  explicit SharedObject(F future) : future_(std::in_place, std::move(future)) {}

 private:
  bool PollFuture(Context& cx) override {
    HOME_FUTURE_TRY {
      auto polled = future_->Poll(cx);
      if (polled.pending()) return false;
      if constexpr (std::is_void_v<FutureOutput<F>>) {
        this->value_.emplace();
      } else {
        this->value_.emplace(std::move(polled).value());
      }
    }
    HOME_FUTURE_CATCH_ALL { this->exception_ = std::current_exception(); }
    future_.reset();
    return true;
  }
  void DestroyFuture() noexcept override { future_.reset(); }
  void Free() noexcept override { FrameObject<SharedObject>::Delete(this); }

  std::optional<F> future_;
};

}  // namespace internal

template <typename T = void>
class [[nodiscard]] SharedFuture {
  static_assert(std::is_void_v<T> || std::is_copy_constructible_v<T>,
                "every copy yields a copy of the value: share a std::shared_ptr to it");

 public:
  using Output = T;
  static constexpr const char* kName = "SharedFuture";

  // Takes `future` over.
  template <Future F>
    requires(std::is_same_v<FutureOutput<F>, T> && !std::is_same_v<F, SharedFuture>)
  explicit SharedFuture(F future)
      : core_(internal::FrameObject<internal::SharedObject<F>>::NewFrom(
            [&future] { return internal::SharedObject<F>(std::move(future)); })) {}

  SharedFuture(const SharedFuture& other) noexcept : core_(other.core_) {
    if (core_ != nullptr) core_->AddCopy();
  }
  SharedFuture(SharedFuture&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {
    // In every build: the list would go on pointing to where it was.
    if (ABSL_PREDICT_FALSE(other.waiter_.linked)) internal::DieOfMoveAfterPoll(kName);
  }
  SharedFuture& operator=(const SharedFuture&) = delete;
  ~SharedFuture() {
    if (core_ != nullptr) core_->DropCopy(waiter_);
  }

  // Whether the value is there: the next poll of any copy is ready.
  [[nodiscard]] bool ready() const noexcept { return core_ != nullptr && core_->done(); }

  home::Poll<T> Poll(Context& cx) {
    if (ABSL_PREDICT_FALSE(core_ == nullptr)) Fatal("poll of a SharedFuture that was moved from");
    check_.Begin();
    if (!core_->done() && !core_->Poll(waiter_, cx)) return check_.Pending();
    if constexpr (std::is_void_v<T>) {
      core_->Copy();
      return kReady;
    } else {
      return core_->Copy();
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<SharedFuture> check_;
  internal::SharedResult<T>* core_;
  internal::SharedWaiter waiter_;
};

// `future` for many.
template <Future F>
SharedFuture<FutureOutput<F>> Shared(F future) {
  return SharedFuture<FutureOutput<F>>(std::move(future));
}
// As a stage of a pipe.
inline auto Shared() {
  return Pipe([](auto&& future) { return Shared(std::forward<decltype(future)>(future)); });
}

}  // namespace home

#endif  // HOME_FUTURE_SHARED_FUTURE_H_
