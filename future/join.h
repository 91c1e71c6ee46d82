// Join: several futures at once, until all are ready.
//
//   auto [a, b] = co_await Join(FetchA(), FetchB());
//
// Yields a std::tuple of the values in order, with std::monostate for void.
// Each poll polls every child that is not ready yet: right for a handful.
// If a child throws, the others are cancelled and the exception goes on.
//
// Movable before the first poll. Thread-safety: one thread at a time. Cost:
// nothing is allocated. Cancellation: the unfinished children are cancelled;
// the values of the finished ones are lost.

#ifndef HOME_FUTURE_JOIN_H_
#define HOME_FUTURE_JOIN_H_

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "home/future/future.h"

namespace home {
namespace internal {

template <typename T>
using NonVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// A child of a Join: the future, then its value, then nothing.
template <Future F>
class JoinChild {
 public:
  using Value = NonVoid<FutureOutput<F>>;

  explicit JoinChild(F future) : state_(std::in_place_index<0>, std::move(future)) {}

  // True once the value is there.
  bool Poll(Context& cx) {
    F* future = std::get_if<0>(&state_);
    if (future == nullptr) return true;
    auto polled = future->Poll(cx);
    if (polled.pending()) return false;
    if constexpr (std::is_void_v<FutureOutput<F>>) {
      state_.template emplace<1>();
    } else {
      state_.template emplace<1>(std::move(polled).value());
    }
    return true;
  }
  Value Take() { return std::move(*std::get_if<1>(&state_)); }
  void Cancel() { state_.template emplace<2>(); }

 private:
  std::variant<F, Value, std::nullptr_t> state_;
};

}  // namespace internal

template <Future... Fs>
class [[nodiscard]] JoinFuture {
 public:
  using Output = std::tuple<internal::NonVoid<FutureOutput<Fs>>...>;

  explicit JoinFuture(Fs... futures) : children_(std::move(futures)...) {}

  home::Poll<Output> Poll(Context& cx) {
    // Should a child throw, its siblings are cancelled before anyone sees the
    // exception.
    CancelOnUnwind guard(*this);
    const bool ready = std::apply(
        [&cx](auto&... child) { return (static_cast<int>(child.Poll(cx)) & ... & 1) != 0; },
        children_);
    guard.Release();
    if (!ready) return kPending;
    return std::apply([](auto&... child) { return Output(child.Take()...); }, children_);
  }

 private:
  class CancelOnUnwind {
   public:
    explicit CancelOnUnwind(JoinFuture& join) : join_(&join) {}
    CancelOnUnwind(const CancelOnUnwind&) = delete;
    CancelOnUnwind& operator=(const CancelOnUnwind&) = delete;
    ~CancelOnUnwind() {
      if (join_ == nullptr) return;
      std::apply([](auto&... child) { (child.Cancel(), ...); }, join_->children_);
    }
    void Release() { join_ = nullptr; }

   private:
    JoinFuture* join_;
  };

  std::tuple<internal::JoinChild<Fs>...> children_;
};

// A future of all the values.
template <Future... Fs>
JoinFuture<Fs...> Join(Fs... futures) {
  return JoinFuture<Fs...>(std::move(futures)...);
}

}  // namespace home

#endif  // HOME_FUTURE_JOIN_H_
