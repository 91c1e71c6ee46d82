// Take, TakeWhile, Skip and SkipWhile: the first items of a stream, or all but
// the first.
//
//   Take(lines, 10)              Skip(lines, 1)
//   TakeWhile(lines, NotEmpty)   SkipWhile(lines, IsComment)
//
// As a pipe: lines | Skip(1) | Take(10). Movable before the first poll.
// Thread-safety: one thread at a time. Cost: nothing is allocated. Cancellation:
// the stream is dropped; nothing else is lost.

#ifndef HOME_FUTURE_STREAM_TAKE_H_
#define HOME_FUTURE_STREAM_TAKE_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/stream_check.h"

namespace home {

template <Stream S>
class [[nodiscard]] TakeStream {
 public:
  using Item = StreamItem<S>;
  static constexpr const char* kName = "Take";

  TakeStream(S stream, std::size_t count) : stream_(std::move(stream)), left_(count) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    if (left_ == 0) return check_.End();
    auto polled = stream_.PollNext(cx);
    check_.Note(polled);
    if (polled.ready()) left_ = polled.value() ? left_ - 1 : 0;
    return polled;
  }

 private:
  [[no_unique_address]] internal::StreamCheck<TakeStream, internal::AfterEnd::kPoll> check_;
  S stream_;
  std::size_t left_;
};

// At most `count` items. After them the stream is not asked for more: its next
// item is not waited for. May be polled after its end.
template <Stream S>
TakeStream<S> Take(S stream, std::size_t count) {
  return TakeStream<S>(std::move(stream), count);
}
inline auto Take(std::size_t count) {
  return Pipe([count](auto stream) { return Take(std::move(stream), count); });
}

template <Stream S, typename Fn>
class [[nodiscard]] TakeWhileStream {
 public:
  using Item = StreamItem<S>;
  static constexpr const char* kName = "TakeWhile";

  TakeWhileStream(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    if (done_) return check_.End();
    auto polled = stream_.PollNext(cx);
    if (polled.pending()) return kPending;
    done_ = !polled.value() || !std::invoke(fn_, std::as_const(*polled.value()));
    if (done_) return check_.End();
    return polled;
  }

 private:
  [[no_unique_address]] internal::StreamCheck<TakeWhileStream, internal::AfterEnd::kPoll> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
  bool done_ = false;
};

// The items before the first for which fn(const item&) is false; that one is
// lost. May be polled after its end.
template <Stream S, typename Fn>
TakeWhileStream<S, std::decay_t<Fn>> TakeWhile(S stream, Fn&& fn) {
  return TakeWhileStream<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}
template <typename Fn>
auto TakeWhile(Fn&& fn) {
  return Pipe([kept = std::decay_t<Fn>(std::forward<Fn>(fn))](auto stream) mutable {
    return TakeWhile(std::move(stream), std::move(kept));
  });
}

namespace internal {

// True for the first `left` items.
class FirstItems {
 public:
  explicit FirstItems(std::size_t count) : left_(count) {}
  template <typename Item>
  bool operator()(const Item&) {
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  std::size_t left_;
};

}  // namespace internal

template <Stream S, typename Fn>
class [[nodiscard]] SkipWhileStream {
 public:
  using Item = StreamItem<S>;
  static constexpr const char* kName =
      std::is_same_v<Fn, internal::FirstItems> ? "Skip" : "SkipWhile";

  SkipWhileStream(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    while (true) {
      auto polled = stream_.PollNext(cx);
      check_.Note(polled);
      if (polled.pending() || !polled.value() || !skipping_) return polled;
      skipping_ = std::invoke(fn_, std::as_const(*polled.value()));
      if (!skipping_) return polled;
    }
  }

 private:
  [[no_unique_address]] internal::StreamCheck<SkipWhileStream> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
  bool skipping_ = true;
};

// The items from the first on for which fn(const item&) is false.
template <Stream S, typename Fn>
SkipWhileStream<S, std::decay_t<Fn>> SkipWhile(S stream, Fn&& fn) {
  return SkipWhileStream<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}
template <typename Fn>
auto SkipWhile(Fn&& fn) {
  return Pipe([kept = std::decay_t<Fn>(std::forward<Fn>(fn))](auto stream) mutable {
    return SkipWhile(std::move(stream), std::move(kept));
  });
}

// All items but the first `count`.
template <Stream S>
auto Skip(S stream, std::size_t count) {
  return SkipWhile(std::move(stream), internal::FirstItems(count));
}
inline auto Skip(std::size_t count) { return SkipWhile(internal::FirstItems(count)); }

}  // namespace home

#endif  // HOME_FUTURE_STREAM_TAKE_H_
