// AndThen and OrElse: what to do after a success, and after a failure.
//
//   AndThen(Connect(host), SendHello)     awaits SendHello(connection) if there is one
//   OrElse(ReadCache(key), [key](const absl::Status&) { return Fetch(key); })
//
// They take futures of absl::Status or absl::StatusOr<T>.
//   AndThen   on an error is ready with it, and the function is not called. Else
//             it awaits the future that fn(value) returns (fn() for a Status) and
//             yields what that does, as a Status or StatusOr (fallible.h).
//   OrElse    on a success is ready with it, and the function is not called. Else
//             it awaits the future that fn(status) returns and yields what that
//             does, which is of the type of the first future's result.
//
// As a pipe: Connect(host) | AndThen(SendHello). An exception that the function
// throws is the future's own.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: the future that is being awaited is
// cancelled; the function, if it was not called yet, never is.

#ifndef HOME_FUTURE_AND_THEN_H_
#define HOME_FUTURE_AND_THEN_H_

#include <functional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/continuation.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/pipe.h"
#include "home/future/poll_check.h"

namespace home {
namespace internal {

struct CallWithSuccess {
  template <typename Fn, typename T>
  decltype(auto) operator()(Fn&& fn, Poll<T>&& result) const {
    if constexpr (std::is_same_v<T, absl::Status>) {
      return std::invoke(std::forward<Fn>(fn));
    } else {
      return std::invoke(std::forward<Fn>(fn), *std::move(result).value());
    }
  }
};

struct CallWithStatus {
  template <typename Fn, typename T>
  decltype(auto) operator()(Fn&& fn, Poll<T>&& result) const {
    return std::invoke(std::forward<Fn>(fn), GetStatus(std::move(result).value()));
  }
};

}  // namespace internal

template <Future F, typename Fn>
  requires FallibleType<FutureOutput<F>>
class [[nodiscard]] AndThenFuture {
  using Steps = internal::Continuation<F, Fn, internal::CallWithSuccess>;
  using Last = FutureOutput<typename Steps::Next>;

 public:
  using Output = Fallible<Last>;
  static constexpr const char* kName = "AndThen";

  AndThenFuture(F future, Fn fn) : steps_(std::move(future), std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (F* first = steps_.first()) {
      auto result = first->Poll(cx);
      if (result.pending()) return check_.Pending();
      if (!result.value().ok()) return Output(internal::GetStatus(std::move(result).value()));
      steps_.Continue(std::move(result));
    }
    auto last = steps_.next().Poll(cx);
    if (last.pending()) return check_.Pending();
    if constexpr (std::is_same_v<Last, Output>) {
      return last;
    } else if constexpr (std::is_void_v<Last>) {
      return absl::OkStatus();
    } else {
      return Output(std::move(last).value());
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<AndThenFuture> check_;
  Steps steps_;
};

// A future of what the future that `fn` makes of the success of `future` yields.
template <Future F, typename Fn>
AndThenFuture<F, std::decay_t<Fn>> AndThen(F future, Fn&& fn) {
  return AndThenFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

template <Future F, typename Fn>
  requires FallibleType<FutureOutput<F>>
class [[nodiscard]] OrElseFuture {
  using Steps = internal::Continuation<F, Fn, internal::CallWithStatus>;

 public:
  using Output = FutureOutput<F>;
  static_assert(std::is_same_v<Output, FutureOutput<typename Steps::Next>>,
                "OrElse: both futures yield the same type");
  static constexpr const char* kName = "OrElse";

  OrElseFuture(F future, Fn fn) : steps_(std::move(future), std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (F* first = steps_.first()) {
      auto result = first->Poll(cx);
      if (result.pending()) return check_.Pending();
      if (result.value().ok()) return result;
      steps_.Continue(std::move(result));
    }
    auto last = steps_.next().Poll(cx);
    if (last.pending()) return check_.Pending();
    return last;
  }

 private:
  [[no_unique_address]] internal::PollCheck<OrElseFuture> check_;
  Steps steps_;
};

// A future of the success of `future`, or else of what the future that `fn` makes
// of its status yields.
template <Future F, typename Fn>
OrElseFuture<F, std::decay_t<Fn>> OrElse(F future, Fn&& fn) {
  return OrElseFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

// As stages of a pipe.
template <typename Fn>
auto AndThen(Fn&& fn) {
  return Pipe([fn = std::decay_t<Fn>(std::forward<Fn>(fn))](auto&& future) mutable {
    return AndThen(std::forward<decltype(future)>(future), std::move(fn));
  });
}
template <typename Fn>
auto OrElse(Fn&& fn) {
  return Pipe([fn = std::decay_t<Fn>(std::forward<Fn>(fn))](auto&& future) mutable {
    return OrElse(std::forward<decltype(future)>(future), std::move(fn));
  });
}

}  // namespace home

#endif  // HOME_FUTURE_AND_THEN_H_
