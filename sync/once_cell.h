// OnceCell, LazyCell, Once: something that is made, or done, once, by whoever needs it first.
//
//   OnceCell<Config> config;
//   Config& c = co_await config.GetOrInit([&] { return ReadConfig(path); });   // a future
//   auto made = co_await config.GetOrTryInit([&] { return Fetch(url); });      // of StatusOr
//   if (Config* there = config.Get()) ...                                      // no waiting
//
//   LazyCell<Pool, Make> pool(make);                       // brings its function along
//   Pool& p = co_await pool.Get();
//
//   Once once;
//   co_await once.Call([] { return Warm(); });             // a future of void
//
// While one makes the value others wait for it. If that one is cancelled, or fails, the next one
// makes it, by its own function. The function gives a future, or the value itself.
//
// Thread-safety: all functions from any thread, but for construction and destruction. A future
// belongs to one thread at a time and must not outlive its cell.
// Memory ordering: the making of the value happens before what follows each call that returns it.
// Cost: a load once the value is there. Waiting allocates nothing. Some 50 bytes besides the value.

#ifndef HOME_SYNC_ONCE_CELL_H_
#define HOME_SYNC_ONCE_CELL_H_

#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/context.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/lock_watch.h"
#include "home/future/poll.h"
#include "home/future/poll_check.h"
#include "home/future/ready.h"
#include "home/sync/mutex.h"
#include "home/sync/sync_policy.h"

namespace home {
namespace sync_internal {

// The future that `fn` gives; a value that it gives is a future that is ready.
template <typename Fn>
auto CallForFuture(Fn& fn) {
  using Result = std::invoke_result_t<Fn&>;
  if constexpr (Future<Result>) {
    return std::invoke(fn);
  } else if constexpr (std::is_void_v<Result>) {
    std::invoke(fn);
    return Ready();
  } else {
    return Ready(std::invoke(fn));
  }
}

// Locks the cell's lock, if its value is not there, and makes it. True once it is there, false
// once that has failed, with `error`. Movable before its first poll.
template <typename Cell, typename Fn>
class CellWait {
  using Making = decltype(CallForFuture(std::declval<Fn&>()));
  using Made = FutureOutput<Making>;

 public:
  CellWait(Cell& cell, Fn fn, const internal::LockPlace& place)
      : cell_(&cell),
        lock_(cell.lock_),
        mark_(internal::kCellKind, &cell, place),
        fn_(std::move(fn)) {}
  CellWait(CellWait&& other) noexcept(std::is_nothrow_move_constructible_v<Fn>)
      : cell_(other.cell_),
        lock_(std::move(other.lock_)),
        mark_(std::move(other.mark_)),
        fn_(std::move(other.fn_)) {}
  CellWait& operator=(CellWait&&) = delete;
  ~CellWait() {
    if (has_lock_) Unlock();
  }

  home::Poll<bool> Poll(Context& cx, absl::Status& error) {
    if (!has_lock_) {
      if (cell_->IsSet()) {
        mark_.Release();
        return true;
      }
      if (lock_.Poll(cx, internal::kCellKind).pending()) {
        mark_.Wait();
        return kPending;
      }
      has_lock_ = true;
      mark_.Hold();
      if (cell_->IsSet()) {
        Unlock();
        return true;
      }
    }
    if (!making_) making_.emplace(Caller{fn_});
    home::Poll<Made> polled = making_->Poll(cx);
    if (polled.pending()) return kPending;
    if constexpr (std::is_void_v<Made>) {
      cell_->Make();
    } else if constexpr (std::is_same_v<Made, absl::Status>) {
      error = std::move(polled).value();
      if (error.ok()) cell_->Make();
    } else if constexpr (FallibleType<Made>) {
      Made made = std::move(polled).value();
      error = made.status();
      if (made.ok()) cell_->Make(*std::move(made));
    } else {
      cell_->Make(std::move(polled).value());
    }
    Unlock();
    return error.ok();
  }

 private:
  // Makes the future where it stays.
  struct Caller {
    Fn& fn;
    operator Making() const { return CallForFuture(fn); }  // NOLINT: for emplace()
  };

  // The future goes first: it may be in the middle of its work.
  void Unlock() {
    making_.reset();
    has_lock_ = false;
    mark_.Release();
    cell_->lock_.Unlock();
  }

  Cell* cell_;
  LockWait<typename Cell::PolicyType> lock_;
  [[no_unique_address]] LockMark<typename Cell::PolicyType, CellWait> mark_;
  Fn fn_;
  std::optional<Making> making_;
  bool has_lock_ = false;
};

}  // namespace sync_internal

template <typename T, typename Policy = sync_internal::SyncPolicy>
class OnceCell {
 public:
  using PolicyType = Policy;

  OnceCell() = default;
  explicit OnceCell(T value) { Make(std::move(value)); }
  OnceCell(const OnceCell&) = delete;
  OnceCell& operator=(const OnceCell&) = delete;

  // What GetOrInit() returns. Movable before its first poll.
  template <typename Fn>
  class [[nodiscard]] GetFuture {
   public:
    using Output = T&;
    static constexpr const char* kName = "OnceCell::GetOrInit";

    GetFuture(OnceCell& cell, Fn fn, const internal::LockPlace& place)
        : cell_(&cell), wait_(cell, std::move(fn), place) {}

    home::Poll<T&> Poll(Context& cx) {
      check_.Begin();
      absl::Status never;
      if (wait_.Poll(cx, never).pending()) return check_.Pending();
      return *cell_->value_;
    }

   private:
    [[no_unique_address]] internal::PollCheck<GetFuture> check_;
    OnceCell* cell_;
    sync_internal::CellWait<OnceCell, Fn> wait_;
  };
  // What GetOrTryInit() returns. Movable before its first poll.
  template <typename Fn>
  class [[nodiscard]] TryGetFuture {
   public:
    using Output = absl::StatusOr<T*>;
    static constexpr const char* kName = "OnceCell::GetOrTryInit";

    TryGetFuture(OnceCell& cell, Fn fn, const internal::LockPlace& place)
        : cell_(&cell), wait_(cell, std::move(fn), place) {}

    home::Poll<Output> Poll(Context& cx) {
      check_.Begin();
      absl::Status error;
      auto polled = wait_.Poll(cx, error);
      if (polled.pending()) return check_.Pending();
      if (!*polled) return Output(std::move(error));
      return Output(std::addressof(*cell_->value_));
    }

   private:
    [[no_unique_address]] internal::PollCheck<TryGetFuture> check_;
    OnceCell* cell_;
    sync_internal::CellWait<OnceCell, Fn> wait_;
  };

  // The value, if it is there.
  [[nodiscard]] T* Get() { return IsSet() ? std::addressof(*value_) : nullptr; }
  [[nodiscard]] const T* Get() const { return IsSet() ? std::addressof(*value_) : nullptr; }
  [[nodiscard]] bool IsSet() const {
    // acquire: the value. pairs with: Make().
    return set_.load(std::memory_order_acquire);
  }

  // Puts a value in. False, and `value` is untouched, if one is there or is being made.
  bool Set(T&& value) {
    if (!lock_.TryLock()) return false;
    const bool free = !IsSet();
    if (free) Make(std::move(value));
    lock_.Unlock();
    return free;
  }

  // The value; made by `fn()` if it is not there, which gives a T or a future of one.
  // Cancellation: dropping the future destroys what is being made, and lets the next one make it.
  template <std::invocable Fn>
  [[nodiscard]] GetFuture<Fn> GetOrInit(
      Fn fn, const internal::LockPlace& place = std::source_location::current()) {
    return GetFuture<Fn>(*this, std::move(fn), place);
  }
  // The same with a function that can fail: of StatusOr<T>, or a future of that. An error leaves
  // the cell as it was.
  // Cancellation: as GetOrInit().
  template <std::invocable Fn>
  [[nodiscard]] TryGetFuture<Fn> GetOrTryInit(
      Fn fn, const internal::LockPlace& place = std::source_location::current()) {
    return TryGetFuture<Fn>(*this, std::move(fn), place);
  }

 private:
  template <typename Cell, typename Fn>
  friend class sync_internal::CellWait;

  // Under the lock.
  template <typename... Args>
  void Make(Args&&... args) {
    value_.emplace(std::forward<Args>(args)...);
    // release: the value. pairs with: IsSet().
    set_.store(true, std::memory_order_release);
  }

  typename Policy::template Atomic<bool> set_{false};
  sync_internal::Lock<Policy> lock_;
  std::optional<T> value_;
};

// A OnceCell and the function that makes its value.
template <typename T, std::invocable Fn>
class LazyCell {
 public:
  explicit LazyCell(Fn fn) : fn_(std::move(fn)) {}

  // The value, made by the first one.
  // Cancellation: as OnceCell::GetOrInit().
  [[nodiscard]] auto Get(const internal::LockPlace& place = std::source_location::current()) {
    return cell_.GetOrInit(std::ref(fn_), place);
  }
  // The value, if it is there.
  [[nodiscard]] T* Peek() { return cell_.Get(); }

 private:
  Fn fn_;
  OnceCell<T> cell_;
};

// Something that is done once.
class Once {
 public:
  // What Call() returns. Movable before its first poll.
  template <typename Fn>
  class [[nodiscard]] CallFuture {
   public:
    using Output = void;
    static constexpr const char* kName = "Once::Call";

    CallFuture(OnceCell<std::true_type>& cell, Fn fn, const internal::LockPlace& place)
        : wait_(cell, std::move(fn), place) {}

    home::Poll<void> Poll(Context& cx) {
      check_.Begin();
      absl::Status never;
      if (wait_.Poll(cx, never).pending()) return check_.Pending();
      return kReady;
    }

   private:
    [[no_unique_address]] internal::PollCheck<CallFuture> check_;
    sync_internal::CellWait<OnceCell<std::true_type>, Fn> wait_;
  };

  // Runs `fn()`, which gives void or a future of void, unless that was done; ready once it is.
  // Cancellation: dropping the future stops what is being done, and lets the next one do it anew.
  template <std::invocable Fn>
  [[nodiscard]] CallFuture<Fn> Call(
      Fn fn, const internal::LockPlace& place = std::source_location::current()) {
    return CallFuture<Fn>(cell_, std::move(fn), place);
  }
  [[nodiscard]] bool IsDone() const { return cell_.IsSet(); }

 private:
  OnceCell<std::true_type> cell_;
};

}  // namespace home

#endif  // HOME_SYNC_ONCE_CELL_H_
