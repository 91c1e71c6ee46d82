// FromRange and PollNextFn: the simplest streams.
//
//   FromRange(std::vector{1, 2, 3})      gives the elements of a range.
//   PollNextFn([](Context& cx) -> Poll<std::optional<int>> {...})
//
// Both are movable before the first poll. Thread-safety: one thread at a time.
// Cost: nothing is allocated. Cancellation: the elements not yet given are
// dropped with the range.

#ifndef HOME_FUTURE_STREAM_SOURCE_H_
#define HOME_FUTURE_STREAM_SOURCE_H_

#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include "home/future/stream.h"
#include "home/future/stream_check.h"

namespace home {

template <typename R>
class [[nodiscard]] RangeStream {
 public:
  using Item = std::ranges::range_value_t<R>;
  static constexpr const char* kName = "FromRange";

  explicit RangeStream(R range) : range_(std::move(range)) {}

  Poll<std::optional<Item>> PollNext(Context&) {
    check_.Begin();
    if (!at_) at_.emplace(std::ranges::begin(range_));
    if (*at_ == std::ranges::end(range_)) return check_.End();
    std::optional<Item> item;
    if constexpr (std::ranges::view<R>) {
      // A view refers to elements that belong to somebody else.
      item.emplace(**at_);
    } else {
      item.emplace(std::ranges::iter_move(*at_));
    }
    ++*at_;
    return item;
  }

 private:
  [[no_unique_address]] internal::StreamCheck<RangeStream, internal::AfterEnd::kPoll> check_;
  R range_;
  std::optional<std::ranges::iterator_t<R>> at_;  // from the first poll on
};

// The elements of `range`, which is moved in; a view's elements are copied. May
// be polled after its end.
template <std::ranges::input_range R>
  requires(!std::is_lvalue_reference_v<R> || std::ranges::view<std::remove_cvref_t<R>>)
RangeStream<std::remove_cvref_t<R>> FromRange(R&& range) {
  return RangeStream<std::remove_cvref_t<R>>(std::forward<R>(range));
}

template <typename Fn>
class [[nodiscard]] PollNextFnStream {
 public:
  using Item = typename std::invoke_result_t<Fn&, Context&>::value_type::value_type;

  explicit PollNextFnStream(Fn fn) : fn_(std::move(fn)) {}
  Poll<std::optional<Item>> PollNext(Context& cx) { return fn_(cx); }

 private:
  Fn fn_;
};

// A stream whose every poll calls `fn`, which returns a Poll<std::optional<T>>
// and obeys the contract of stream.h.
template <typename Fn>
PollNextFnStream<std::decay_t<Fn>> PollNextFn(Fn&& fn) {
  return PollNextFnStream<std::decay_t<Fn>>(std::forward<Fn>(fn));
}

}  // namespace home

#endif  // HOME_FUTURE_STREAM_SOURCE_H_
