// What co_await does inside our coroutines: the awaiters, and which of them an
// operand gets.
//
//   a Future, named               LeafAwaiter: polled in place
//   an Async, as an rvalue        ChildAwaiter: becomes a part of the chain
//   a ChildSource                 ChildSourceAwaiter: its child, or polled in place
//   Try(either)                   TryLeafAwaiter, TryChildAwaiter
//   a tuple of futures, rvalue    OwnedLeafAwaiter of their Join
//   a range of futures, rvalue    OwnedLeafAwaiter of their JoinAll
//   a foreign awaitable           OwnedLeafAwaiter of an AwaitableFuture
//
// Every await that is no child's is a leaf of the chain (chain.h).

#ifndef HOME_FUTURE_AWAITERS_H_
#define HOME_FUTURE_AWAITERS_H_

#include <concepts>
#include <coroutine>
#include <exception>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/awaitable.h"
#include "home/future/chain.h"
#include "home/future/fatal.h"
#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/join_all.h"
#include "home/future/result_slot.h"
#include "home/future/type_name.h"

namespace home::inline HOME_ASYNC_ABI {

template <typename T>
class Async;

template <typename F>
class TryFuture;

namespace async_internal {

template <typename T>
class Promise;

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

template <typename F>
concept HasPollAlone = requires(F& future, Context& cx) { future.PollAlone(cx); };

// The end of a wait that gives no value and cannot fail.
struct NoResult {
  void Emplace() const noexcept {}
  void SetException(const std::exception_ptr&) const noexcept { std::terminate(); }
  void Take() const noexcept {}
};

// Whether all that a poll of F can say is whether it is ready.
template <typename F>
concept JustEnds =
    std::is_void_v<FutureOutput<F>> && !HasPollAlone<F> && requires(F& future, Context& cx) {
      { future.Poll(cx) } noexcept;
    };

// Where a leaf's result is until its coroutine, which runs next, takes it.
template <typename F>
using LeafResult = std::conditional_t<JustEnds<F>, NoResult, internal::ResultSlot<FutureOutput<F>>>;

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

  Transfer await_suspend(std::coroutine_handle<>) noexcept {
    poll = [](LeafBase* leaf, Context& cx) {
      return static_cast<LeafAwaiter*>(leaf)->PollInto(cx) ? leaf->promise->handle() : nullptr;
    };
    promise->SuspendAt(this);
    return promise->Suspend();
  }

  Output await_resume() { return result_.Take(); }

 protected:
  bool PollInto(Context& cx) {
    HOME_FUTURE_TRY {
      home::Poll<Output> polled = Polled(cx);
      if (polled.pending()) {
        cx.NoteWait(internal::kTypeName<F>);
        return false;
      }
      if constexpr (std::is_void_v<Output>) {
        result_.Emplace();
      } else {
        result_.Emplace(std::move(polled).value());
      }
    }
    HOME_FUTURE_CATCH_ALL { result_.SetException(std::current_exception()); }
    return true;
  }

  [[no_unique_address]] LeafResult<F> result_;

 private:
  ABSL_ATTRIBUTE_ALWAYS_INLINE home::Poll<Output> Polled(Context& cx) {
    if constexpr (HasPollAlone<F>) {
      if (promise->alone(cx)) return future_.PollAlone(cx);
    }
    return future_.Poll(cx);
  }

  F& future_;
};

// Awaits a child coroutine: makes it part of this chain.
template <typename T>
class ChildAwaiter : protected ChildLink {
 public:
  // Without a child as yet.
  explicit ChildAwaiter(PromiseBase& promise) noexcept {
    on_finished = nullptr;
    parent_promise = &promise;
    child = nullptr;
  }
  ChildAwaiter(Async<T>&& async, PromiseBase& promise) noexcept : ChildAwaiter(promise) {
    Adopt(std::move(async));
  }
  ChildAwaiter(const ChildAwaiter&) = delete;
  ChildAwaiter& operator=(const ChildAwaiter&) = delete;
  ~ChildAwaiter() {
    if (child != nullptr) child_promise().Destroy();
  }

  void Adopt(Async<T>&& async) noexcept {
    const std::coroutine_handle<Promise<T>> handle = async.Release();
    if (handle == nullptr) Fatal("co_await of an empty Async (moved from, or awaited before)");
    if (handle.promise().started()) {
      Fatal("co_await of an Async that was polled before: await the variable, not a temporary");
    }
    child = handle;
  }
  [[nodiscard]] bool has_child() const noexcept { return child != nullptr; }

  bool await_ready() const noexcept { return false; }

  Transfer await_suspend(std::coroutine_handle<>) noexcept {
    return child_promise().StartChild(this, child);
  }

  T await_resume() { return child_promise().result().Take(); }

 protected:
  Promise<T>& child_promise() const noexcept {
    return std::coroutine_handle<Promise<T>>::from_address(child.address()).promise();
  }
};

// A future that may hold a coroutine which has not begun, and gives it up to the coroutine
// that awaits it. TakeChild() gives an empty Async if it can't.
template <typename S>
concept ChildSource = Future<S> && requires(S& source) {
  { source.TakeChild() } -> std::same_as<Async<FutureOutput<S>>>;
};

// Awaits what a ChildSource stands for.
template <ChildSource S>
class ChildSourceAwaiter : private LeafAwaiter<S> {
  using Base = LeafAwaiter<S>;
  using T = FutureOutput<S>;

 public:
  ChildSourceAwaiter(S& source, PromiseBase& awaiting) noexcept
      : Base(source, awaiting), source_(source), child_(awaiting) {}

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool await_ready() {
    if (Async<T> child = source_.TakeChild(); ABSL_PREDICT_TRUE(static_cast<bool>(child))) {
      child_.Adopt(std::move(child));
      return false;
    }
    return Base::await_ready();
  }

  Transfer await_suspend(std::coroutine_handle<> awaiting) noexcept {
    return child_.has_child() ? child_.await_suspend(awaiting) : Base::await_suspend(awaiting);
  }

  T await_resume() { return child_.has_child() ? child_.await_resume() : Base::await_resume(); }

 private:
  S& source_;
  ChildAwaiter<T> child_;
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

  Transfer await_suspend(std::coroutine_handle<>) noexcept {
    if (!this->result_.empty()) {
      FailParent();
      return this->promise->Finish();
    }
    this->poll = [](LeafBase* leaf, Context& cx) -> std::coroutine_handle<> {
      auto* self = static_cast<TryLeafAwaiter*>(leaf);
      if (!self->PollInto(cx)) return nullptr;
      if (!self->failed()) return leaf->promise->handle();
      self->FailParent();
      return leaf->promise->NextAfterFinish();
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

// Awaits a future that the await expression itself made.
template <Future F>
class OwnedFuture {
 protected:
  template <typename... Args>
  explicit OwnedFuture(Args&&... args) : owned_(std::forward<Args>(args)...) {}
  F owned_;
};
template <Future F>
class OwnedLeafAwaiter : private OwnedFuture<F>, private LeafAwaiter<F> {
  using Base = LeafAwaiter<F>;

 public:
  template <typename Make>
  OwnedLeafAwaiter(PromiseBase& awaiting, Make make)
      : OwnedFuture<F>(make()), Base(this->owned_, awaiting) {}

  using Base::await_ready;
  using Base::await_resume;
  using Base::await_suspend;
};

template <typename T>
inline constexpr bool kIsAsync = false;
template <typename T>
inline constexpr bool kIsAsync<Async<T>> = true;

// The base of promises whose coroutines may co_await.
class AwaitingPromise : public PromiseBase {
 public:
  template <typename U>
  ChildAwaiter<U> await_transform(Async<U>&& child) noexcept {
    return ChildAwaiter<U>(std::move(child), *this);
  }
  template <typename S>
    requires ChildSource<std::remove_reference_t<S>>
  ChildSourceAwaiter<std::remove_reference_t<S>> await_transform(S&& source) noexcept {
    return ChildSourceAwaiter<std::remove_reference_t<S>>(source, *this);
  }
  template <typename F>
    requires(Future<std::remove_reference_t<F>> && !ChildSource<std::remove_reference_t<F>>)
  LeafAwaiter<std::remove_reference_t<F>> await_transform(F&& future) noexcept {
    return LeafAwaiter<std::remove_reference_t<F>>(future, *this);
  }
  template <Future... Fs>
    requires(sizeof...(Fs) > 0)
  OwnedLeafAwaiter<JoinFuture<Fs...>> await_transform(std::tuple<Fs...>&& futures) {
    return OwnedLeafAwaiter<JoinFuture<Fs...>>(*this, [&futures] {
      return std::apply([](Fs&... each) { return JoinFuture<Fs...>(std::move(each)...); }, futures);
    });
  }
  template <internal::FutureRange R>
    requires(!std::is_lvalue_reference_v<R>)
  OwnedLeafAwaiter<JoinAllFuture<std::ranges::range_value_t<R>>> await_transform(R&& futures) {
    return OwnedLeafAwaiter<JoinAllFuture<std::ranges::range_value_t<R>>>(
        *this, [&futures] { return JoinAll(std::forward<R>(futures)); });
  }
  template <ForeignAwaitable A>
  OwnedLeafAwaiter<AwaitableFuture<A>> await_transform(A&& awaitable) {
    return OwnedLeafAwaiter<AwaitableFuture<A>>(
        *this, [&awaitable] { return AwaitableFuture<A>(std::forward<A>(awaitable)); });
  }
};

}  // namespace async_internal
}  // namespace home::inline HOME_ASYNC_ABI

#endif  // HOME_FUTURE_AWAITERS_H_
