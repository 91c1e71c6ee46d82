// Fold, Collect and ForEach: a future of a whole stream.
//
//   Fold(numbers, 0, std::plus<>())      yields the last fn(so far, item)
//   Collect(lines)                       yields a vector of the items
//   Collect<std::set<int>>(numbers)      or what has insert(end, item)
//   ForEach(lines, Print)                yields nothing once all are printed
//
// As a pipe: numbers | Fold(0, std::plus<>()). One poll consumes all items that
// are ready: it stops where the stream waits or the task's budget ends. For a
// function that is a coroutine, see ForEachConcurrent in stream_buffered.h.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated, but for the container of a Collect. Cancellation: the
// stream is dropped, with what was folded or collected.

#ifndef HOME_FUTURE_STREAM_CONSUME_H_
#define HOME_FUTURE_STREAM_CONSUME_H_

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "home/future/future.h"
#include "home/future/pipe.h"
#include "home/future/poll_check.h"
#include "home/future/stream.h"

namespace home {

template <Stream S, typename T, typename Fn>
class [[nodiscard]] FoldFuture {
 public:
  using Output = T;
  static constexpr const char* kName = "Fold";

  FoldFuture(S stream, T initial, Fn fn)
      : stream_(std::move(stream)), so_far_(std::move(initial)), fn_(std::move(fn)) {}

  home::Poll<T> Poll(Context& cx) {
    check_.Begin();
    while (true) {
      auto polled = stream_.PollNext(cx);
      if (polled.pending()) return check_.Pending();
      if (!polled.value()) return std::move(so_far_);
      so_far_ = std::invoke(fn_, std::move(so_far_), *std::move(polled.value()));
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<FoldFuture> check_;
  S stream_;
  T so_far_;
  [[no_unique_address]] Fn fn_;
};

// A future of fn(...fn(fn(initial, first), second)..., last).
template <Stream S, typename T, typename Fn>
FoldFuture<S, T, std::decay_t<Fn>> Fold(S stream, T initial, Fn&& fn) {
  return FoldFuture<S, T, std::decay_t<Fn>>(std::move(stream), std::move(initial),
                                            std::forward<Fn>(fn));
}
template <typename T, typename Fn>
auto Fold(T initial, Fn&& fn) {
  return Pipe([first = std::move(initial),
               kept = std::decay_t<Fn>(std::forward<Fn>(fn))](auto stream) mutable {
    return Fold(std::move(stream), std::move(first), std::move(kept));
  });
}

template <Stream S, typename Fn>
class [[nodiscard]] ForEachFuture {
 public:
  using Output = void;
  static constexpr const char* kName = "ForEach";

  ForEachFuture(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  home::Poll<void> Poll(Context& cx) {
    check_.Begin();
    while (true) {
      auto polled = stream_.PollNext(cx);
      if (polled.pending()) return check_.Pending();
      if (!polled.value()) return kReady;
      std::invoke(fn_, *std::move(polled.value()));
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<ForEachFuture> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
};

// A future that has called fn(item) for every item.
template <Stream S, typename Fn>
ForEachFuture<S, std::decay_t<Fn>> ForEach(S stream, Fn&& fn) {
  return ForEachFuture<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}
template <typename Fn>
auto ForEach(Fn&& fn) {
  return Pipe([kept = std::decay_t<Fn>(std::forward<Fn>(fn))](auto stream) mutable {
    return ForEach(std::move(stream), std::move(kept));
  });
}

template <Stream S, typename Container>
class [[nodiscard]] CollectFuture {
 public:
  using Output = Container;
  static constexpr const char* kName = "Collect";

  explicit CollectFuture(S stream) : stream_(std::move(stream)) {}

  home::Poll<Container> Poll(Context& cx) {
    check_.Begin();
    while (true) {
      auto polled = stream_.PollNext(cx);
      if (polled.pending()) return check_.Pending();
      if (!polled.value()) return std::move(collected_);
      collected_.insert(collected_.end(), *std::move(polled.value()));
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<CollectFuture> check_;
  S stream_;
  Container collected_;
};

// A future of a container of all items, by default a vector.
template <Stream S>
CollectFuture<S, std::vector<StreamItem<S>>> Collect(S stream) {
  return CollectFuture<S, std::vector<StreamItem<S>>>(std::move(stream));
}
template <typename Container, Stream S>
CollectFuture<S, Container> Collect(S stream) {
  return CollectFuture<S, Container>(std::move(stream));
}
inline auto Collect() {
  return Pipe([](auto stream) { return Collect(std::move(stream)); });
}
template <typename Container>
auto Collect() {
  return Pipe(
      [](auto stream) { return CollectFuture<decltype(stream), Container>(std::move(stream)); });
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_CONSUME_H_
