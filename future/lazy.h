// Lazy: a future made by a function at the first poll, with the function kept
// alive beside it.
//
//   auto greeting = Lazy([name]() -> Async<std::string> {
//     co_return "hello " + name;
//   });
//
// This is what makes a lambda coroutine with captures safe: the captures live
// in the lambda, and the lambda here outlives the coroutine's frame.
//
// Movable before the first poll. Thread-safety: one thread at a time.
// Cancellation: the future goes first, then the function.

#ifndef HOME_FUTURE_LAZY_H_
#define HOME_FUTURE_LAZY_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/future.h"
#include "home/future/poll_check.h"

namespace home {

template <typename Fn>
class [[nodiscard]] LazyFuture {
 public:
  using Inner = std::invoke_result_t<Fn&>;
  using Output = FutureOutput<Inner>;
  static constexpr const char* kName = "Lazy";

  explicit LazyFuture(Fn fn) : fn_(std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    return PollWith([&cx](Inner& inner) { return inner.Poll(cx); });
  }
  home::Poll<Output> PollAlone(Context& cx) {
    return PollWith([&cx](Inner& inner) { return home::PollAlone(inner, cx); });
  }

 private:
  template <typename PollInner>
  home::Poll<Output> PollWith(PollInner poll_inner) {
    check_.Begin();
    if (!inner_) inner_.emplace(Make{fn_});
    home::Poll<Output> polled = poll_inner(*inner_);
    if (polled.pending()) return check_.Pending();
    return polled;
  }

  // Converts to what fn() returns, so that it is built in place, unmoved.
  struct Make {
    Fn& fn;
    operator Inner() const { return fn(); }  // NOLINT: the conversion is the point
  };

  [[no_unique_address]] internal::PollCheck<LazyFuture> check_;
  Fn fn_;
  std::optional<Inner> inner_;
};

// A future that calls `fn` at its first poll and then polls what it returned.
template <typename Fn>
  requires Future<std::invoke_result_t<std::decay_t<Fn>&>>
LazyFuture<std::decay_t<Fn>> Lazy(Fn&& fn) {
  return LazyFuture<std::decay_t<Fn>>(std::forward<Fn>(fn));
}

}  // namespace home

#endif  // HOME_FUTURE_LAZY_H_
