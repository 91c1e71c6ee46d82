// AwaitableFuture: an awaitable of another library, as a future.
//
//   Async<int> Read(cppcoro::task<int> task) {
//     int value = co_await std::move(task);      // just so, inside an Async
//     co_return value;
//   }
//   auto both = Join(FromAwaitable(std::move(task)), Sleep(absl::Seconds(1)));
//
// Takes what co_await takes in a coroutine with no await_transform: a type with
// await_ready, await_suspend (of all three result types) and await_resume, or
// with an operator co_await. One whose await_suspend wants a certain promise
// type is not taken: only that library's own coroutines can await it.
//
// At the first poll a small coroutine, the *bridge*, awaits the awaitable as the
// language says. Whoever resumes its handle runs await_resume() there and then,
// on that thread; the value, or the exception, is kept, the awaitable's awaiter
// is destroyed, and the task is woken and takes it at its next poll.
//
// Contract with the foreign side:
//  - It resumes the handle once, on any thread, also within await_suspend.
//  - If it destroys the handle instead, as some libraries do with their pending
//    work at exit, the future is never ready.
//  - If it does neither, the bridge is leaked.
//
// Cancellation: a foreign operation can't be told to stop in any common way, so
// dropping the future before it is ready detaches the bridge. The operation
// goes on; when it resumes the handle, its value is destroyed there. An
// awaitable that was given as an rvalue was moved in and lives as long as the
// bridge; one that was given as an lvalue must outlive the operation, dropped
// or not. Use the other library's own means to cancel, if it has any.
//
// Thread-safety: one thread at a time polls; the resumption may come on another.
// Memory ordering: what the resuming thread did before happens before the poll
// that is ready. Cost: two blocks from the recycling cache, and two uncontended
// locks of a mutex a poll that is pending.

#ifndef HOME_FUTURE_AWAITABLE_H_
#define HOME_FUTURE_AWAITABLE_H_

#include <atomic>
#include <concepts>
#include <coroutine>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/fatal.h"
#include "home/future/frame_storage.h"
#include "home/future/future.h"
#include "home/future/result_slot.h"

namespace home {
namespace awaitable_internal {

template <typename A>
concept HasMemberCoAwait =
    requires(A&& awaitable) { std::forward<A>(awaitable).operator co_await(); };
template <typename A>
concept HasFreeCoAwait = requires(A&& awaitable) { operator co_await(std::forward<A>(awaitable)); };

// What co_await asks of an awaitable's awaiter.
template <typename A>
decltype(auto) AwaiterOf(A&& awaitable) {
  if constexpr (HasMemberCoAwait<A>) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (HasFreeCoAwait<A>) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return std::forward<A>(awaitable);
  }
}

template <typename W>
concept Awaiter = requires(W& awaiter, std::coroutine_handle<> handle) {
  { awaiter.await_ready() } -> std::convertible_to<bool>;
  awaiter.await_suspend(handle);
  awaiter.await_resume();
};

}  // namespace awaitable_internal

// What a plain coroutine could co_await and is no future of ours.
template <typename A>
concept ForeignAwaitable =
    !Future<std::remove_reference_t<A>> &&
    (awaitable_internal::HasMemberCoAwait<A> || awaitable_internal::HasFreeCoAwait<A> ||
     awaitable_internal::Awaiter<std::remove_reference_t<A>>) &&
    requires(A&& awaitable) {
      { awaitable_internal::AwaiterOf(std::forward<A>(awaitable)) };
    } &&
    awaitable_internal::Awaiter<
        std::remove_reference_t<decltype(awaitable_internal::AwaiterOf(std::declval<A>()))>>;

namespace awaitable_internal {

// What a future and its bridge share; the last of the two frees it.
class BridgeState : public frame_internal::RecycledFrame {
 public:
  BridgeState() = default;
  BridgeState(const BridgeState&) = delete;
  BridgeState& operator=(const BridgeState&) = delete;
  virtual ~BridgeState() = default;

  // The future's side: true once the bridge has ended with a result. Else the
  // waker is kept.
  bool Poll(const Waker& waker) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return true;
      if (waker_.WillWake(waker)) return false;
    }
    // Cloning and dropping run the executor's code: not under the lock.
    Waker fresh = waker.Clone();
    const std::lock_guard lock(mutex_);
    if (ended_) return true;
    std::swap(waker_, fresh);
    return false;
  }

  // The future's side, when it goes.
  void Detach() {
    Waker dropped;
    {
      const std::lock_guard lock(mutex_);
      std::swap(waker_, dropped);
    }
    Unref();
  }

  // The bridge's side, when its frame goes. Without a result: somebody destroyed
  // the handle that should have been resumed.
  void BridgeIsGone(bool has_result) {
    Waker woken;
    {
      const std::lock_guard lock(mutex_);
      ended_ = has_result;
      std::swap(waker_, woken);
    }
    if (has_result) std::move(woken).Wake();
    Unref();
  }

 private:
  void Unref() {
    // Release: this side's last accesses happen before the other's delete;
    // acquire: the other's before ours.
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  std::atomic<int> references_{2};
  std::mutex mutex_;
  Waker waker_;         // guarded by mutex_
  bool ended_ = false;  // guarded by mutex_
};

class BridgePromise;

// The bridge: a coroutine that starts at once and frees itself at its end.
struct Bridge {
  using promise_type = BridgePromise;
};

class BridgePromise : public frame_internal::RecycledFrame {
 public:
  template <typename State>
  explicit BridgePromise(State& state) : state_(&state) {}
  BridgePromise(const BridgePromise&) = delete;
  BridgePromise& operator=(const BridgePromise&) = delete;
  // The body's variables and the awaiter are gone when this runs.
  ~BridgePromise() { state_->BridgeIsGone(ran_to_end_); }

  Bridge get_return_object() const noexcept { return {}; }
  std::suspend_never initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void return_void() noexcept { ran_to_end_ = true; }
  // The body catches what the awaitable throws.
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

 private:
  BridgeState* state_;
  bool ran_to_end_ = false;
};

template <typename A>
class BridgeStateOf final : public BridgeState {
 public:
  using Awaited = decltype(AwaiterOf(std::declval<A>()));
  using Resumed = decltype(std::declval<std::remove_reference_t<Awaited>&>().await_resume());
  // An rvalue reference refers into the awaiter, which will be gone.
  using Output = std::conditional_t<std::is_rvalue_reference_v<Resumed>,
                                    std::remove_cvref_t<Resumed>, Resumed>;

  explicit BridgeStateOf(A&& awaitable) : awaitable_(std::forward<A>(awaitable)) {}

  static Bridge Run(BridgeStateOf& self) {
    internal::ResultSlot<Output>& result = self.result_;
    HOME_FUTURE_TRY {
      if constexpr (std::is_void_v<Output>) {
        co_await std::forward<A>(self.awaitable_);
        result.Emplace();
      } else {
        // Taken out in this very expression: an awaiter that `operator co_await` made dies
        // at its end, with what it gave a reference to.
        Output value = co_await std::forward<A>(self.awaitable_);
        result.Emplace(std::forward<Output>(value));
      }
    }
    HOME_FUTURE_CATCH_ALL { result.SetException(std::current_exception()); }
  }

  Output Take() { return result_.Take(); }

 private:
  A awaitable_;  // a reference if it was given as an lvalue
  internal::ResultSlot<Output> result_;
};

}  // namespace awaitable_internal

// What FromAwaitable() returns. Movable before the first poll.
template <ForeignAwaitable A>
class [[nodiscard]] AwaitableFuture {
  using State = awaitable_internal::BridgeStateOf<A>;

 public:
  using Output = typename State::Output;

  explicit AwaitableFuture(A&& awaitable) : awaitable_(std::in_place, std::forward<A>(awaitable)) {}
  AwaitableFuture(AwaitableFuture&& other) noexcept(std::is_nothrow_move_constructible_v<A>)
      : awaitable_(std::move(other.awaitable_)), state_(std::exchange(other.state_, nullptr)) {}
  AwaitableFuture& operator=(AwaitableFuture&&) = delete;
  ~AwaitableFuture() { Reset(); }

  home::Poll<Output> Poll(Context& cx) {
    if (state_ == nullptr) {
      if (!awaitable_.has_value()) Fatal("poll of an AwaitableFuture that was ready");
      state_ = new State(awaitable_->Get());
      awaitable_.reset();
      State::Run(*state_);
    }
    if (!state_->Poll(cx.waker())) return cx.PendingFor("a foreign awaitable");
    const ResetAtEnd reset(*this);
    if constexpr (std::is_void_v<Output>) {
      state_->Take();
      return kReady;
    } else {
      return state_->Take();
    }
  }

 private:
  // Holds an A that may be a reference.
  class Holder {
   public:
    explicit Holder(A&& awaitable) : awaitable_(std::forward<A>(awaitable)) {}
    A&& Get() { return std::forward<A>(awaitable_); }

   private:
    A awaitable_;
  };
  struct ResetAtEnd {
    explicit ResetAtEnd(AwaitableFuture& self) : future(self) {}
    ResetAtEnd(const ResetAtEnd&) = delete;
    ResetAtEnd& operator=(const ResetAtEnd&) = delete;
    ~ResetAtEnd() { future.Reset(); }
    AwaitableFuture& future;
  };

  void Reset() {
    if (state_ != nullptr) std::exchange(state_, nullptr)->Detach();
  }

  std::optional<Holder> awaitable_;  // until the first poll
  State* state_ = nullptr;           // after it, until ready
};

// A future of what `co_await awaitable` gives in a plain coroutine. An rvalue is
// moved in, an lvalue is referred to.
template <ForeignAwaitable A>
AwaitableFuture<A> FromAwaitable(A&& awaitable) {
  return AwaitableFuture<A>(std::forward<A>(awaitable));
}

}  // namespace home

#endif  // HOME_FUTURE_AWAITABLE_H_
