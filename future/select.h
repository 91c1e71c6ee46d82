// Select: several futures at once, until the first is ready.
//
//   auto winner = co_await Select(stream.Read(buffer), shutdown.Wait());
//   if (winner.index() == 1) ...
//
// Yields a std::variant whose index says which future won (std::monostate for
// void). The losers are cancelled before the result is returned. Every poll
// starts at a child chosen by a cheap generator of random numbers, so that no
// child starves the others; SelectBiased polls in the order given.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: all children are cancelled.

#ifndef HOME_FUTURE_SELECT_H_
#define HOME_FUTURE_SELECT_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "home/future/future.h"
#include "home/future/join.h"

namespace home {

template <bool kBiased, Future... Fs>
class [[nodiscard]] SelectFuture {
 public:
  using Output = std::variant<internal::NonVoid<FutureOutput<Fs>>...>;

  explicit SelectFuture(Fs... futures) : children_(std::in_place, std::move(futures)...) {}

  home::Poll<Output> Poll(Context& cx) {
    assert(children_.has_value() && "a Select was polled after it was ready");
    constexpr std::size_t kCount = sizeof...(Fs);
    const std::size_t first = kBiased ? 0 : NextRandom() % kCount;
    for (std::size_t i = 0; i < kCount; ++i) {
      std::optional<Output> output;
      PollChild((first + i) % kCount, cx, output, std::index_sequence_for<Fs...>());
      if (output) {
        children_.reset();
        return *std::move(output);
      }
    }
    return kPending;
  }

 private:
  template <std::size_t... kIndices>
  void PollChild(std::size_t index, Context& cx, std::optional<Output>& output,
                 std::index_sequence<kIndices...>) {
    ((index == kIndices ? PollOne<kIndices>(cx, output) : void()), ...);
  }

  template <std::size_t kIndex>
  void PollOne(Context& cx, std::optional<Output>& output) {
    auto polled = std::get<kIndex>(*children_).Poll(cx);
    if (polled.pending()) return;
    if constexpr (std::is_void_v<typename decltype(polled)::value_type>) {
      output.emplace(std::in_place_index<kIndex>);
    } else {
      output.emplace(std::in_place_index<kIndex>, std::move(polled).value());
    }
  }

  // xorshift (Marsaglia 2003), seeded by this future's address.
  std::uint32_t NextRandom() {
    if (random_ == 0) {
      const auto address = reinterpret_cast<std::uintptr_t>(this);
      random_ = static_cast<std::uint32_t>(address >> 4) | 1;
    }
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
  }

  std::optional<std::tuple<Fs...>> children_;
  std::uint32_t random_ = 0;
};

// A future of the first value; fair among children that are ready together.
template <Future... Fs>
  requires(sizeof...(Fs) > 0)
SelectFuture<false, Fs...> Select(Fs... futures) {
  return SelectFuture<false, Fs...>(std::move(futures)...);
}

// The same, but the first in the list that is ready wins.
template <Future... Fs>
  requires(sizeof...(Fs) > 0)
SelectFuture<true, Fs...> SelectBiased(Fs... futures) {
  return SelectFuture<true, Fs...>(std::move(futures)...);
}

}  // namespace home

#endif  // HOME_FUTURE_SELECT_H_
