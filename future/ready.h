// The simplest futures: Ready, PendingForever and PollFn.
//
//   Ready(3)                 is ready at its first poll.
//   PendingForever<int>()    never is, and keeps no waker.
//   PollFn([](Context& cx) -> Poll<int> {...})   polls a function.
//
// Thread-safety: one thread at a time. Cost: nothing is allocated.
// Cancellation: nothing is lost but what the function itself holds.

#ifndef HOME_FUTURE_READY_H_
#define HOME_FUTURE_READY_H_

#include <type_traits>
#include <utility>

#include "home/future/future.h"
#include "home/future/poll_check.h"

namespace home {

template <typename T>
class [[nodiscard]] ReadyFuture {
 public:
  using Output = T;
  static constexpr const char* kName = "Ready";

  explicit ReadyFuture(T value) : value_(std::move(value)) {}
  home::Poll<T> Poll(Context&) {
    check_.Begin();
    return std::move(value_);
  }

 private:
  [[no_unique_address]] internal::PollCheck<ReadyFuture> check_;
  T value_;
};

template <>
class [[nodiscard]] ReadyFuture<void> {
 public:
  using Output = void;
  static constexpr const char* kName = "Ready";

  ReadyFuture() = default;
  home::Poll<void> Poll(Context&) {
    check_.Begin();
    return kReady;
  }

 private:
  [[no_unique_address]] internal::PollCheck<ReadyFuture> check_;
};

// A future that yields `value` at its first poll.
template <typename T>
ReadyFuture<std::decay_t<T>> Ready(T&& value) {
  return ReadyFuture<std::decay_t<T>>(std::forward<T>(value));
}
inline ReadyFuture<void> Ready() { return ReadyFuture<void>(); }

// A future that is never ready: for tests, and for branches of a Select that
// are switched off.
template <typename T = void>
class [[nodiscard]] PendingForever {
 public:
  using Output = T;

  PendingForever() = default;
  home::Poll<T> Poll(Context&) { return kPending; }
};

template <typename Fn>
class [[nodiscard]] PollFnFuture {
 public:
  using Output = typename std::invoke_result_t<Fn&, Context&>::value_type;
  static constexpr const char* kName = "PollFn";

  explicit PollFnFuture(Fn fn) : fn_(std::move(fn)) {}
  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    home::Poll<Output> polled = fn_(cx);
    if (polled.pending()) return check_.Pending();
    return polled;
  }

 private:
  [[no_unique_address]] internal::PollCheck<PollFnFuture> check_;
  [[no_unique_address]] Fn fn_;
};

// A future whose every poll calls `fn`, which returns a Poll<T> and obeys the
// contract of future.h.
template <typename Fn>
PollFnFuture<std::decay_t<Fn>> PollFn(Fn&& fn) {
  return PollFnFuture<std::decay_t<Fn>>(std::forward<Fn>(fn));
}

}  // namespace home

#endif  // HOME_FUTURE_READY_H_
