// Map and Then: what to do with a future's value.
//
//   Map(Fetch(url), Parse)         yields Parse(value)
//   Then(Fetch(url), Store)        awaits the future that Store(value) returns
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: the future that is being awaited is
// cancelled; the function, if it was not called yet, never is.

#ifndef HOME_FUTURE_MAP_H_
#define HOME_FUTURE_MAP_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "home/future/future.h"

namespace home {
namespace internal {

// fn(value), or fn() if the future yields void.
template <typename Fn, typename T>
struct ContinuationResult {
  using type = std::invoke_result_t<Fn, T>;
};
template <typename Fn>
struct ContinuationResult<Fn, void> {
  using type = std::invoke_result_t<Fn>;
};

template <typename Fn, typename T>
decltype(auto) CallContinuation(Fn&& fn, Poll<T>&& value) {
  if constexpr (std::is_void_v<T>) {
    return std::invoke(std::forward<Fn>(fn));
  } else {
    return std::invoke(std::forward<Fn>(fn), std::move(value).value());
  }
}

}  // namespace internal

template <Future F, typename Fn>
class [[nodiscard]] MapFuture {
 public:
  using Output = typename internal::ContinuationResult<Fn, FutureOutput<F>>::type;

  MapFuture(F future, Fn fn) : future_(std::move(future)), fn_(std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    auto value = future_.Poll(cx);
    if (value.pending()) return kPending;
    if constexpr (std::is_void_v<Output>) {
      internal::CallContinuation(std::move(fn_), std::move(value));
      return kReady;
    } else {
      return internal::CallContinuation(std::move(fn_), std::move(value));
    }
  }

 private:
  F future_;
  Fn fn_;
};

// A future of fn(value of `future`).
template <Future F, typename Fn>
MapFuture<F, std::decay_t<Fn>> Map(F future, Fn&& fn) {
  return MapFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

template <Future F, typename Fn>
class [[nodiscard]] ThenFuture {
 public:
  using Next = typename internal::ContinuationResult<Fn, FutureOutput<F>>::type;
  using Output = FutureOutput<Next>;

  ThenFuture(F future, Fn fn) : state_(std::in_place_index<0>, std::move(future), std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    if (First* first = std::get_if<0>(&state_)) {
      auto value = first->future.Poll(cx);
      if (value.pending()) return kPending;
      // The function may refer to what it captured while `next` runs, so it
      // moves along with it.
      Fn fn = std::move(first->fn);
      state_.template emplace<1>(std::move(fn), std::move(value));
    }
    return std::get_if<1>(&state_)->next->Poll(cx);
  }

 private:
  struct First {
    First(F f, Fn g) : future(std::move(f)), fn(std::move(g)) {}
    F future;
    Fn fn;
  };
  struct Second {
    Second(Fn g, home::Poll<FutureOutput<F>>&& value) : fn(std::move(g)) {
      next.emplace(Make{fn, value});
    }
    struct Make {
      Fn& fn;
      home::Poll<FutureOutput<F>>& value;
      operator Next() const {  // NOLINT: built in place, unmoved
        return internal::CallContinuation(fn, std::move(value));
      }
    };
    Fn fn;
    std::optional<Next> next;
  };

  std::variant<First, Second> state_;
};

// A future of the value of the future that fn(value of `future`) returns.
template <Future F, typename Fn>
ThenFuture<F, std::decay_t<Fn>> Then(F future, Fn&& fn) {
  return ThenFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

}  // namespace home

#endif  // HOME_FUTURE_MAP_H_
