// Map, Then, Inspect and Filter, of a stream: what to do with each item.
//
//   Map(lines, Parse)            gives Parse(item)
//   Then(urls, Fetch)            gives what the future Fetch(item) yields, one
//                                after the other (Buffered, for several at once)
//   Inspect(lines, Log)          calls Log(item) and gives the item
//   Filter(numbers, IsOdd)       gives the items for which IsOdd(item) is true
//
// As a pipe: lines | Map(Parse) | Filter(IsOdd). The first three are the names
// of map.h, and the same stages serve futures and streams. An exception that a
// function throws comes out of the poll; the item is lost.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: the stream is dropped, and with Then the
// future under way.

#ifndef HOME_FUTURE_STREAM_MAP_H_
#define HOME_FUTURE_STREAM_MAP_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/future.h"
#include "home/future/map.h"
#include "home/future/pipe.h"
#include "home/future/stream.h"
#include "home/future/stream_check.h"

namespace home {

template <Stream S, typename Fn>
class [[nodiscard]] MapStream {
 public:
  using Item = std::remove_cvref_t<std::invoke_result_t<Fn&, StreamItem<S>>>;
  static constexpr const char* kName = "Map";

  MapStream(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    auto polled = stream_.PollNext(cx);
    if (polled.pending()) return kPending;
    std::optional<StreamItem<S>>& item = polled.value();
    if (!item) return check_.End();
    return std::optional<Item>(std::invoke(fn_, *std::move(item)));
  }

 private:
  [[no_unique_address]] internal::StreamCheck<MapStream> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
};

// A stream of fn(item).
template <Stream S, typename Fn>
MapStream<S, std::decay_t<Fn>> Map(S stream, Fn&& fn) {
  return MapStream<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}

template <Stream S, typename Fn>
class [[nodiscard]] ThenStream {
 public:
  using Step = std::invoke_result_t<Fn&, StreamItem<S>>;
  using Item = FutureOutput<Step>;
  static constexpr const char* kName = "Then";

  ThenStream(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    if (!step_) {
      auto polled = stream_.PollNext(cx);
      if (polled.pending()) return kPending;
      std::optional<StreamItem<S>>& item = polled.value();
      if (!item) return check_.End();
      step_.emplace(Make{fn_, *item});
    }
    const ResetIfDone guard(step_);
    auto result = step_->Poll(cx);
    if (result.pending()) return guard.Keep();
    return std::optional<Item>(std::move(result).value());
  }

 private:
  // Converts to the future, so that it is built in place, unmoved.
  struct Make {
    Fn& fn;
    StreamItem<S>& item;
    operator Step() const { return std::invoke(fn, std::move(item)); }  // NOLINT: the point
  };
  // Ends the step, also if its poll throws.
  class ResetIfDone {
   public:
    explicit ResetIfDone(std::optional<Step>& step) : step_(step) {}
    ResetIfDone(const ResetIfDone&) = delete;
    ResetIfDone& operator=(const ResetIfDone&) = delete;
    ~ResetIfDone() {
      if (!keep_) step_.reset();
    }
    PendingTag Keep() const {
      keep_ = true;
      return kPending;
    }

   private:
    std::optional<Step>& step_;
    mutable bool keep_ = false;
  };

  [[no_unique_address]] internal::StreamCheck<ThenStream> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
  std::optional<Step> step_;
};

// A stream of what the futures fn(item) yield. The next item is asked for when
// the future before it is ready.
template <Stream S, typename Fn>
ThenStream<S, std::decay_t<Fn>> Then(S stream, Fn&& fn) {
  return ThenStream<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}

template <Stream S, typename Fn>
class [[nodiscard]] InspectStream {
 public:
  using Item = StreamItem<S>;
  static constexpr const char* kName = "Inspect";

  InspectStream(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    auto polled = stream_.PollNext(cx);
    check_.Note(polled);
    if (polled.ready() && polled.value()) std::invoke(fn_, std::as_const(*polled.value()));
    return polled;
  }

 private:
  [[no_unique_address]] internal::StreamCheck<InspectStream> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
};

// The items of `stream`, once fn(const item&) has seen each.
template <Stream S, typename Fn>
InspectStream<S, std::decay_t<Fn>> Inspect(S stream, Fn&& fn) {
  return InspectStream<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}

template <Stream S, typename Fn>
class [[nodiscard]] FilterStream {
 public:
  using Item = StreamItem<S>;
  static constexpr const char* kName = "Filter";

  FilterStream(S stream, Fn fn) : stream_(std::move(stream)), fn_(std::move(fn)) {}

  Poll<std::optional<Item>> PollNext(Context& cx) {
    check_.Begin();
    while (true) {
      auto polled = stream_.PollNext(cx);
      check_.Note(polled);
      if (polled.pending() || !polled.value()) return polled;
      if (std::invoke(fn_, std::as_const(*polled.value()))) return polled;
    }
  }

 private:
  [[no_unique_address]] internal::StreamCheck<FilterStream> check_;
  S stream_;
  [[no_unique_address]] Fn fn_;
};

// The items for which fn(const item&) is true. One poll may ask for many items:
// it stops where the stream waits or the task's budget ends.
template <Stream S, typename Fn>
FilterStream<S, std::decay_t<Fn>> Filter(S stream, Fn&& fn) {
  return FilterStream<S, std::decay_t<Fn>>(std::move(stream), std::forward<Fn>(fn));
}
template <typename Fn>
auto Filter(Fn&& fn) {
  return Pipe([kept = std::decay_t<Fn>(std::forward<Fn>(fn))](auto stream) mutable {
    return Filter(std::move(stream), std::move(kept));
  });
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_MAP_H_
