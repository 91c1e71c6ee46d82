// Select and Race: several futures at once, until the first is ready.
//
//   auto winner = co_await Select(stream.Read(buffer), shutdown.WaitBeside());
//   if (winner.index() == 1) ...
//   std::string page = co_await Race(Fetch(mirror1), Fetch(mirror2));
//
// Select yields a std::variant whose index says which future won
// (std::monostate for void). Race is for futures of one type and yields the
// winner's value alone. The losers are cancelled before the result is returned.
//
// Every poll polls every child, starting at one that is chosen at random
// (random.h), so that no child starves the others; SelectBiased and RaceBiased
// poll in the order given. For many futures of one type see SelectAll
// (join_all.h), which polls only those that were woken.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: all children are cancelled.

#ifndef HOME_FUTURE_SELECT_H_
#define HOME_FUTURE_SELECT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "home/future/future.h"
#include "home/future/join.h"
#include "home/future/poll_check.h"
#include "home/future/random.h"

namespace home {

template <bool kBiased, Future... Fs>
class [[nodiscard]] SelectFuture {
 public:
  using Output = std::variant<internal::NonVoid<FutureOutput<Fs>>...>;
  static constexpr const char* kName = "Select";

  explicit SelectFuture(Fs... futures) : children_(std::in_place, std::move(futures)...) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    constexpr std::size_t kCount = sizeof...(Fs);
    const std::size_t first = kBiased || kCount == 1 ? 0 : RandomBelow(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      std::optional<Output> output;
      PollChild((first + i) % kCount, cx, output, std::index_sequence_for<Fs...>());
      if (output) {
        children_.reset();
        return *std::move(output);
      }
    }
    return check_.Pending();
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

  [[no_unique_address]] internal::PollCheck<SelectFuture> check_;
  std::optional<std::tuple<Fs...>> children_;
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

template <bool kBiased, Future F, Future... Fs>
  requires(std::is_same_v<FutureOutput<F>, FutureOutput<Fs>> && ...)
class [[nodiscard]] RaceFuture {
 public:
  using Output = FutureOutput<F>;
  static constexpr const char* kName = "Race";

  explicit RaceFuture(F future, Fs... futures)
      : select_(std::move(future), std::move(futures)...) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    auto winner = select_.Poll(cx);
    if (winner.pending()) return check_.Pending();
    if constexpr (std::is_void_v<Output>) {
      return kReady;
    } else {
      return std::visit([](auto&& value) -> Output { return std::forward<decltype(value)>(value); },
                        std::move(winner).value());
    }
  }

 private:
  [[no_unique_address]] internal::PollCheck<RaceFuture> check_;
  SelectFuture<kBiased, F, Fs...> select_;
};

// A future of the value of the first that is ready, whether it is an error or
// not; fair among those that are ready together.
template <Future F, Future... Fs>
RaceFuture<false, F, Fs...> Race(F future, Fs... futures) {
  return RaceFuture<false, F, Fs...>(std::move(future), std::move(futures)...);
}

// The same, but the first in the list that is ready wins.
template <Future F, Future... Fs>
RaceFuture<true, F, Fs...> RaceBiased(F future, Fs... futures) {
  return RaceFuture<true, F, Fs...>(std::move(future), std::move(futures)...);
}

}  // namespace home

#endif  // HOME_FUTURE_SELECT_H_
