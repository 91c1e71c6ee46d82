// Async<T>: a coroutine that is a future.
//
//   Async<int> Add(Async<int> left, Async<int> right) {
//     int x = co_await std::move(left);
//     int y = co_await std::move(right);
//     co_return x + y;
//   }
//
// Lazy: the body starts at the first poll. co_await takes any Future: a
// temporary is consumed, a variable is polled in place and stays its owner's.
// Awaiting another Async as a temporary (or by std::move) makes it a child of
// this chain: started, resumed and finished by transfers whose cost does not
// depend on the depth (chain.h). It also takes a tuple or a range of futures by
// rvalue, as their Join or JoinAll, and what other libraries made to be awaited
// (awaitable.h).
//
// T may be void, of a type that only moves, or an lvalue reference, whose
// co_return takes an lvalue.
//
// co_await Try(f), where f yields absl::Status or absl::StatusOr, gives the
// value or ends this coroutine with the error, which its own result type must
// be able to hold:
//
//   Async<absl::StatusOr<int>> Twice(Async<absl::StatusOr<int>> f) {
//     int x = co_await Try(std::move(f));
//     co_return 2 * x;
//   }
//
// Exceptions that leave the body are rethrown where the result is awaited.
// Cancellation: dropping an Async destroys its frame and those of the children
// it awaits, innermost first; what it had not yet done is not done.
// Parameters are kept in the frame; a lambda's captures are not: they die with
// the lambda. Hand the lambda itself to Spawn or Lazy, which keep it alive.
//
// Cost: one frame from the recycling cache (frame_allocator.h), or from an
// allocator that the coroutine brings (frame_storage.h). Thread-safety:
// one thread at a time. g++ 12 miscompiles some uses of co_await: keep to
// `auto x = co_await f;`, `co_await f;` and `co_return co_await f;`
// (docs/compilers.md).

#ifndef HOME_FUTURE_ASYNC_H_
#define HOME_FUTURE_ASYNC_H_

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "home/future/awaiters.h"
#include "home/future/chain.h"
#include "home/future/fatal.h"
#include "home/future/frame_storage.h"
#include "home/future/future.h"
#include "home/future/result_slot.h"

namespace home::inline HOME_ASYNC_ABI {

template <typename T = void>
class Async;

namespace async_internal {

// What of a T lies in the frame.
template <typename T>
using Stored = std::conditional_t<std::is_object_v<T>, T, void*>;

template <typename T>
class PromiseResult : public AwaitingPromise {
 public:
  template <typename U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    result_.Emplace(std::forward<U>(value));
  }
  internal::ResultSlot<T>& result() noexcept { return result_; }

 private:
  internal::ResultSlot<T> result_;
};

// Takes lvalues as they are: a reference to a temporary, or to what a conversion
// made, would dangle.
template <typename T>
class PromiseResult<T&> : public AwaitingPromise {
 public:
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  void return_value(U& value) {
    result_.Emplace(value);
  }
  internal::ResultSlot<T&>& result() noexcept { return result_; }

 private:
  internal::ResultSlot<T&> result_;
};

// Of a coroutine that gives nothing: how it failed, if it did.
class VoidResult {
 public:
  void SetException(std::exception_ptr exception) noexcept { exception_ = std::move(exception); }
  [[nodiscard]] bool has_exception() const noexcept { return exception_ != nullptr; }
  [[nodiscard]] std::exception_ptr TakeException() noexcept { return std::move(exception_); }
  void Take() {
    if (ABSL_PREDICT_FALSE(has_exception())) internal::Rethrow(TakeException());
  }

 private:
  std::exception_ptr exception_;
};

template <>
class PromiseResult<void> : public AwaitingPromise {
 public:
  void return_void() noexcept {}
  VoidResult& result() noexcept { return result_; }

 private:
  VoidResult result_;
};

template <typename T>
class Promise : public PromiseResult<T>, public frame_internal::RecycledFrame {
 public:
  Async<T> get_return_object() noexcept {
    return Async<T>(std::coroutine_handle<Promise>::from_promise(*this));
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { this->result().SetException(std::current_exception()); }

  using AwaitingPromise::await_transform;
  template <typename F>
  auto await_transform(TryFuture<F>&& attempt) noexcept {
    static_assert(std::is_constructible_v<T, absl::Status>,
                  "co_await Try() needs a coroutine that returns Status or StatusOr");
    if constexpr (kIsAsync<F>) {
      using Output = FutureOutput<F>;
      return TryChildAwaiter<Output, PromiseResult<T>>(std::move(attempt).future(), *this);
    } else {
      return TryLeafAwaiter<std::remove_reference_t<F>, PromiseResult<T>>(attempt.future(), *this);
    }
  }
};

}  // namespace async_internal

template <typename T>
class [[nodiscard]] Async {
  static_assert(!std::is_rvalue_reference_v<T>, "return the object itself, or an lvalue reference");
  static_assert(alignof(async_internal::Stored<T>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "a result lies in the frame, which operator new aligns: return a pointer to it");

 public:
  using Output = T;
  using promise_type = async_internal::Promise<T>;

  // An empty Async: polling or awaiting it is a fatal mistake.
  constexpr Async() noexcept = default;
  Async(Async&& other) noexcept : handle_(other.Release()) {}
  Async& operator=(Async&& other) noexcept {
    Async old(std::move(*this));
    handle_ = other.Release();
    return *this;
  }
  ~Async() { Reset(); }

  // True if there is a coroutine that has not yet been awaited or finished.
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  // True once it was polled. Only if there is a coroutine.
  [[nodiscard]] bool started() const noexcept { return handle_.promise().started(); }

  // Runs the body until it waits or ends. The frame is freed before Ready is
  // returned. An exception of the body is rethrown.
  home::Poll<T> Poll(Context& cx) {
    if (ABSL_PREDICT_FALSE(handle_ == nullptr)) Fatal("poll of an Async that is empty or finished");
    promise_type& promise = handle_.promise();
    promise.Drive(cx);
    if (!promise.finished()) return kPending;
    if (ABSL_PREDICT_FALSE(promise.result().has_exception())) {
      std::exception_ptr exception = promise.result().TakeException();
      Reset();
      internal::Rethrow(std::move(exception));
    }
    if constexpr (std::is_void_v<T>) {
      Reset();
      return kReady;
    } else if constexpr (std::is_reference_v<T>) {
      T value = promise.result().Take();
      Reset();
      return value;
    } else {
      home::Poll<T> ready(promise.result().Take());
      Reset();
      return ready;
    }
  }
  // The same for a task that waits for nothing else (context.h).
  home::Poll<T> PollAlone(Context& cx) {
    if (ABSL_PREDICT_TRUE(handle_ != nullptr)) {
      const async_internal::PromiseBase& chain = handle_.promise();
      cx.set_alone(&chain);
    }
    return Poll(cx);
  }

 private:
  friend promise_type;
  template <typename U>
  friend class async_internal::ChildAwaiter;

  explicit Async(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {
    assert(handle.promise().handle() == handle);
  }

  std::coroutine_handle<promise_type> Release() noexcept { return std::exchange(handle_, nullptr); }

  void Reset() noexcept {
    if (handle_ == nullptr) return;
    const std::coroutine_handle<promise_type> handle = Release();
    handle.promise().Destroy();
  }

  std::coroutine_handle<promise_type> handle_;
};

// See Try.
template <typename F>
class [[nodiscard]] TryFuture {
 public:
  explicit TryFuture(F&& future) : future_(std::forward<F>(future)) {}

  std::remove_reference_t<F>& future() & noexcept { return future_; }
  std::remove_reference_t<F>&& future() && noexcept { return std::move(future_); }

 private:
  F future_;
};

// For use as `co_await Try(future)` inside an Async: see the top of this file.
template <typename F>
  requires Future<std::remove_reference_t<F>>
TryFuture<F> Try(F&& future) {
  return TryFuture<F>(std::forward<F>(future));
}

}  // namespace home::inline HOME_ASYNC_ABI

// Coroutines that bring an allocator: frame_storage.h.
namespace std {
template <typename T, typename Allocator, typename... Args>
struct coroutine_traits<home::Async<T>, allocator_arg_t, Allocator, Args...>
    : home::frame_internal::AllocatorTraits<home::async_internal::Promise<T>, Allocator> {};
template <typename T, typename Object, typename Allocator, typename... Args>
struct coroutine_traits<home::Async<T>, Object, allocator_arg_t, Allocator, Args...>
    : home::frame_internal::AllocatorTraits<home::async_internal::Promise<T>, Allocator> {};
}  // namespace std

#endif  // HOME_FUTURE_ASYNC_H_
