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
// depend on the depth (chain.h).
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
// Cost: one frame from the recycling cache (frame_allocator.h). Thread-safety:
// one thread at a time. g++ 12 miscompiles some uses of co_await: keep to
// `auto x = co_await f;`, `co_await f;` and `co_return co_await f;`
// (docs/compilers.md).

#ifndef HOME_FUTURE_ASYNC_H_
#define HOME_FUTURE_ASYNC_H_

#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/chain.h"
#include "home/future/fatal.h"
#include "home/future/frame_allocator.h"
#include "home/future/future.h"
#include "home/future/result_slot.h"

namespace home::inline HOME_ASYNC_ABI {

template <typename T = void>
class Async;

template <typename F>
class TryFuture;

namespace async_internal {

template <typename T>
class Promise;

// T, also where T is void.
template <typename T>
using Aligned = std::conditional_t<std::is_void_v<T>, char, T>;

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// What co_await Try(f) gives: nothing for a Status, T for a StatusOr<T>.
inline void Unwrap(absl::Status&&) {}
template <typename T>
T Unwrap(absl::StatusOr<T>&& result) {
  return *std::move(result);
}
template <typename R>
using Unwrapped = decltype(Unwrap(std::declval<R>()));

// Awaits a future that is no child coroutine: polls it in place. The future
// outlives the await expression, so a reference is enough.
template <Future F>
class LeafAwaiter : protected LeafBase {
 public:
  using Output = FutureOutput<F>;

  LeafAwaiter(F& future, PromiseBase& awaiting) noexcept : future_(future) { promise = &awaiting; }
  LeafAwaiter(const LeafAwaiter&) = delete;
  LeafAwaiter& operator=(const LeafAwaiter&) = delete;

  bool await_ready() { return PollInto(promise->context()); }

  Transfer await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle = awaiting;
    poll = [](LeafBase* leaf, Context& cx) {
      return static_cast<LeafAwaiter*>(leaf)->PollInto(cx);
    };
    promise->SuspendAt(this);
    return promise->Suspend();
  }

  Output await_resume() { return result_.Take(); }

 protected:
  bool PollInto(Context& cx) {
    HOME_FUTURE_TRY {
      home::Poll<Output> polled = future_.Poll(cx);
      if (polled.pending()) return false;
      if constexpr (std::is_void_v<Output>) {
        result_.Emplace();
      } else {
        result_.Emplace(std::move(polled).value());
      }
    }
    HOME_FUTURE_CATCH_ALL { result_.SetException(std::current_exception()); }
    return true;
  }

  internal::ResultSlot<Output> result_;

 private:
  F& future_;
};

// Awaits a child coroutine: makes it part of this chain.
template <typename T>
class ChildAwaiter : protected ChildLink {
 public:
  ChildAwaiter(Async<T>&& async, PromiseBase& promise) noexcept {
    const std::coroutine_handle<Promise<T>> handle = async.Release();
    if (handle == nullptr) Fatal("co_await of an empty Async (moved from, or awaited before)");
    if (handle.promise().started()) {
      Fatal("co_await of an Async that was polled before: await the variable, not a temporary");
    }
    on_finished = nullptr;
    parent_promise = &promise;
    child = handle;
  }
  ChildAwaiter(const ChildAwaiter&) = delete;
  ChildAwaiter& operator=(const ChildAwaiter&) = delete;
  ~ChildAwaiter() {
    if (child != nullptr) child_promise().Destroy(child);
  }

  bool await_ready() const noexcept { return false; }

  Transfer await_suspend(std::coroutine_handle<> awaiting) noexcept {
    parent = awaiting;
    return child_promise().StartChild(this, child);
  }

  T await_resume() { return child_promise().result().Take(); }

 protected:
  Promise<T>& child_promise() const noexcept {
    return std::coroutine_handle<Promise<T>>::from_address(child.address()).promise();
  }
};

// Awaits Try(f) for a future that is no child coroutine. On an error it gives
// the awaiting coroutine its result and goes straight on to whoever awaits
// that; the frame stays suspended here until its owner destroys it.
template <Future F, typename P>
class TryLeafAwaiter : private LeafAwaiter<F> {
  using Base = LeafAwaiter<F>;

 public:
  using Base::Base;

  bool await_ready() { return Base::await_ready() && !failed(); }

  Transfer await_suspend(std::coroutine_handle<> awaiting) noexcept {
    if (!this->result_.empty()) {
      FailParent();
      return this->promise->Finish();
    }
    this->handle = awaiting;
    this->poll = [](LeafBase* leaf, Context& cx) {
      auto* self = static_cast<TryLeafAwaiter*>(leaf);
      if (!self->PollInto(cx)) return false;
      if (self->failed()) {
        self->FailParent();
        self->handle = self->promise->NextAfterFinish();
      }
      return true;
    };
    this->promise->SuspendAt(this);
    return this->promise->Suspend();
  }

  Unwrapped<FutureOutput<F>> await_resume() { return Unwrap(Base::await_resume()); }

 private:
  bool failed() { return this->result_.has_value() && !StatusOf(this->result_.value()).ok(); }
  void FailParent() {
    static_cast<P*>(this->promise)->result().Emplace(StatusOf(this->result_.value()));
  }
};

// Awaits Try(child).
template <typename T, typename P>
class TryChildAwaiter : private ChildAwaiter<T> {
  using Base = ChildAwaiter<T>;

 public:
  TryChildAwaiter(Async<T>&& async, PromiseBase& promise) noexcept
      : Base(std::move(async), promise) {
    this->on_finished = [](ChildLink* link) {
      auto* self = static_cast<TryChildAwaiter*>(link);
      internal::ResultSlot<T>& result = self->child_promise().result();
      if (!result.has_value() || StatusOf(result.value()).ok()) return false;
      static_cast<P*>(self->parent_promise)->result().Emplace(StatusOf(result.value()));
      return true;
    };
  }

  using Base::await_ready;
  using Base::await_suspend;
  Unwrapped<T> await_resume() { return Unwrap(Base::await_resume()); }
};

template <typename T>
inline constexpr bool kIsAsync = false;
template <typename T>
inline constexpr bool kIsAsync<Async<T>> = true;

template <typename T>
class PromiseResult : public PromiseBase {
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

template <>
class PromiseResult<void> : public PromiseBase {
 public:
  void return_void() noexcept { result_.Emplace(); }
  internal::ResultSlot<void>& result() noexcept { return result_; }

 private:
  internal::ResultSlot<void> result_;
};

template <typename T>
class Promise : public PromiseResult<T> {
 public:
  static void* operator new(std::size_t bytes) { return AllocateFrame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { FreeFrame(frame, bytes); }

  Async<T> get_return_object() noexcept {
    return Async<T>(std::coroutine_handle<Promise>::from_promise(*this));
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    Transfer await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().Finish();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }

  void unhandled_exception() noexcept { this->result().SetException(std::current_exception()); }

  template <typename U>
  ChildAwaiter<U> await_transform(Async<U>&& child) noexcept {
    return ChildAwaiter<U>(std::move(child), *this);
  }
  template <typename F>
    requires Future<std::remove_reference_t<F>>
  LeafAwaiter<std::remove_reference_t<F>> await_transform(F&& future) noexcept {
    return LeafAwaiter<std::remove_reference_t<F>>(future, *this);
  }
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
  static_assert(!std::is_reference_v<T>);
  static_assert(alignof(async_internal::Aligned<T>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "a coroutine's frame is aligned as operator new aligns, and no more");

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

  // Runs the body until it waits or ends. The frame is freed before Ready is
  // returned. An exception of the body is rethrown.
  home::Poll<T> Poll(Context& cx) {
    if (ABSL_PREDICT_FALSE(handle_ == nullptr)) Fatal("poll of an Async that is empty or finished");
    promise_type& promise = handle_.promise();
    promise.Drive(handle_, cx);
    if (promise.result().empty()) return kPending;
    if (ABSL_PREDICT_FALSE(promise.result().has_exception())) {
      std::exception_ptr exception = promise.result().TakeException();
      Reset();
      internal::Rethrow(std::move(exception));
    }
    if constexpr (std::is_void_v<T>) {
      Reset();
      return kReady;
    } else {
      home::Poll<T> ready(promise.result().Take());
      Reset();
      return ready;
    }
  }

 private:
  friend promise_type;
  template <typename U>
  friend class async_internal::ChildAwaiter;

  explicit Async(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  std::coroutine_handle<promise_type> Release() noexcept { return std::exchange(handle_, nullptr); }

  void Reset() noexcept {
    if (handle_ == nullptr) return;
    const std::coroutine_handle<promise_type> handle = Release();
    handle.promise().Destroy(handle);
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

#endif  // HOME_FUTURE_ASYNC_H_
