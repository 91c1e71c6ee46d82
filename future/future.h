// The Future concept: a value that will be there after some polls.
//
// A future is lazy: nothing runs before its first poll. Poll() returns Ready
// once, or Pending after it has arranged that the waker of this very poll will
// be woken when progress is possible. Between its first poll and its end a
// future must not move: combinators hold their children in place and may be
// moved only before it. Polling after Ready is a programming error. Destroying
// an unfinished future cancels it, completely and synchronously: afterwards
// nothing refers to it any more.
//
// The model is that of Rust's std::future; see docs/architecture.md.

#ifndef HOME_FUTURE_FUTURE_H_
#define HOME_FUTURE_FUTURE_H_

#include <concepts>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/poll.h"

namespace home {

template <typename F>
concept Future = requires(F& future, Context& cx) {
  typename F::Output;
  { future.Poll(cx) } -> std::same_as<Poll<typename F::Output>>;
};

// Polls `future` for a task that waits for nothing else (context.h).
template <Future F>
Poll<typename F::Output> PollAlone(F& future, Context& cx) {
  if constexpr (requires { future.PollAlone(cx); }) {
    return future.PollAlone(cx);
  } else {
    return future.Poll(cx);
  }
}

// The type that a future yields.
template <typename F>
using FutureOutput = typename std::remove_cvref_t<F>::Output;

}  // namespace home

#endif  // HOME_FUTURE_FUTURE_H_
