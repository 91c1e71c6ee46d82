// Map, Then and Inspect: what to do with a future's value.
//
//   Map(Fetch(url), Parse)         yields Parse(value)
//   Then(Fetch(url), Store)        awaits the future that Store(value) returns
//   Inspect(Fetch(url), Log)       calls Log(value) and yields the value
//
// A future of void calls the function with nothing. As a pipe: Fetch(url) |
// Map(Parse). An exception that the function throws is the future's own.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: the future that is being awaited is
// cancelled; the function, if it was not called yet, never is.

#ifndef HOME_FUTURE_MAP_H_
#define HOME_FUTURE_MAP_H_

#include <functional>
#include <type_traits>
#include <utility>

#include "home/future/continuation.h"
#include "home/future/future.h"
#include "home/future/pipe.h"
#include "home/future/poll_check.h"
#include "home/future/stream.h"

namespace home {

template <Stream S, typename Fn>
class MapStream;
template <Stream S, typename Fn>
class ThenStream;
template <Stream S, typename Fn>
class InspectStream;

template <Future F, typename Fn>
class [[nodiscard]] MapFuture {
 public:
  using Output = std::invoke_result_t<internal::CallWithValue, Fn, home::Poll<FutureOutput<F>>>;
  static constexpr const char* kName = "Map";

  MapFuture(F future, Fn fn) : future_(std::move(future)), fn_(std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    auto value = future_.Poll(cx);
    if (value.pending()) return check_.Pending();
    if constexpr (std::is_void_v<Output>) {
      internal::CallWithValue()(std::move(fn_), std::move(value));
      return kReady;
    } else {
      return internal::CallWithValue()(std::move(fn_), std::move(value));
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<MapFuture> check_;
  F future_;
  [[no_unique_address]] Fn fn_;
};

// A future of fn(value of `future`).
template <Future F, typename Fn>
MapFuture<F, std::decay_t<Fn>> Map(F future, Fn&& fn) {
  return MapFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

template <Future F, typename Fn>
class [[nodiscard]] ThenFuture {
  using Steps = internal::Continuation<F, Fn, internal::CallWithValue>;

 public:
  using Output = FutureOutput<typename Steps::Next>;
  static constexpr const char* kName = "Then";

  ThenFuture(F future, Fn fn) : steps_(std::move(future), std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (F* first = steps_.first()) {
      auto value = first->Poll(cx);
      if (value.pending()) return check_.Pending();
      steps_.Continue(std::move(value));
    }
    auto value = steps_.next().Poll(cx);
    if (value.pending()) return check_.Pending();
    return value;
  }

 private:
  [[no_unique_address]] internal::PollCheck<ThenFuture> check_;
  Steps steps_;
};

// A future of the value of the future that fn(value of `future`) returns. The
// function lives as long as that future: it may be a lambda coroutine.
template <Future F, typename Fn>
ThenFuture<F, std::decay_t<Fn>> Then(F future, Fn&& fn) {
  return ThenFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

template <Future F, typename Fn>
class [[nodiscard]] InspectFuture {
 public:
  using Output = FutureOutput<F>;
  static constexpr const char* kName = "Inspect";

  InspectFuture(F future, Fn fn) : future_(std::move(future)), fn_(std::move(fn)) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    auto value = future_.Poll(cx);
    if (value.pending()) return check_.Pending();
    if constexpr (std::is_void_v<Output>) {
      std::invoke(std::move(fn_));
    } else {
      std::invoke(std::move(fn_), std::as_const(value.value()));
    }
    return value;
  }

 private:
  [[no_unique_address]] internal::PollCheck<InspectFuture> check_;
  F future_;
  [[no_unique_address]] Fn fn_;
};

// A future of what `future` yields, once fn(const value&) has seen it.
template <Future F, typename Fn>
InspectFuture<F, std::decay_t<Fn>> Inspect(F future, Fn&& fn) {
  return InspectFuture<F, std::decay_t<Fn>>(std::move(future), std::forward<Fn>(fn));
}

namespace internal {

// The stages as types of their own: each serves a stream too (stream_map.h).
template <typename Fn>
class MapStage {
 public:
  explicit MapStage(Fn fn) : fn_(std::move(fn)) {}
  template <Future F>
  auto operator()(F&& future) && {
    return Map(std::forward<F>(future), std::move(fn_));
  }
  template <Stream S>
  auto operator()(S&& stream) && {
    return MapStream<std::remove_cvref_t<S>, Fn>(std::forward<S>(stream), std::move(fn_));
  }

 private:
  Fn fn_;
};

template <typename Fn>
class ThenStage {
 public:
  explicit ThenStage(Fn fn) : fn_(std::move(fn)) {}
  template <Future F>
  auto operator()(F&& future) && {
    return Then(std::forward<F>(future), std::move(fn_));
  }
  template <Stream S>
  auto operator()(S&& stream) && {
    return ThenStream<std::remove_cvref_t<S>, Fn>(std::forward<S>(stream), std::move(fn_));
  }

 private:
  Fn fn_;
};

template <typename Fn>
class InspectStage {
 public:
  explicit InspectStage(Fn fn) : fn_(std::move(fn)) {}
  template <Future F>
  auto operator()(F&& future) && {
    return Inspect(std::forward<F>(future), std::move(fn_));
  }
  template <Stream S>
  auto operator()(S&& stream) && {
    return InspectStream<std::remove_cvref_t<S>, Fn>(std::forward<S>(stream), std::move(fn_));
  }

 private:
  Fn fn_;
};

}  // namespace internal

// As stages of a pipe.
template <typename Fn>
auto Map(Fn&& fn) {
  return Pipe(internal::MapStage<std::decay_t<Fn>>(std::forward<Fn>(fn)));
}
template <typename Fn>
auto Then(Fn&& fn) {
  return Pipe(internal::ThenStage<std::decay_t<Fn>>(std::forward<Fn>(fn)));
}
template <typename Fn>
auto Inspect(Fn&& fn) {
  return Pipe(internal::InspectStage<std::decay_t<Fn>>(std::forward<Fn>(fn)));
}

}  // namespace home

#endif  // HOME_FUTURE_MAP_H_
