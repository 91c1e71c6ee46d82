// Join and TryJoin: several futures at once, until all are ready.
//
//   auto [a, b] = co_await Join(FetchA(), FetchB());
//   absl::StatusOr<std::tuple<A, B>> both = co_await TryJoin(FetchA(), FetchB());
//
// Join yields a std::tuple of the values in order, with std::monostate for void.
// TryJoin takes futures of absl::Status or absl::StatusOr, and yields the tuple
// of their successes (std::monostate for a Status) or the first error, as soon
// as there is one: the others are cancelled before it is returned.
//
// Each poll polls every child that is not ready yet: right for a handful. For
// many futures of one type see JoinAll (join_all.h), which polls only those that
// were woken. If a child throws, the others are cancelled and the exception goes
// on.
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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "home/future/fallible.h"
#include "home/future/future.h"
#include "home/future/poll_check.h"

namespace home {
namespace internal {

// A T where a value is needed.
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
  // The value, once it is there.
  Value& value() { return *std::get_if<1>(&state_); }
  void Cancel() { state_.template emplace<2>(); }

 private:
  std::variant<F, Value, std::nullptr_t> state_;
};

template <Future... Fs>
class JoinChildren {
 public:
  explicit JoinChildren(Fs... futures) : children_(std::move(futures)...) {}

  // Polls the children that are not ready, in order, as long as `go_on`, which
  // is given each child that is ready, says so. True if all are.
  template <typename GoOn>
  bool Poll(Context& cx, GoOn go_on) {
    // Should a child throw, its siblings are cancelled before anyone sees the
    // exception.
    CancelOnUnwind guard(*this);
    bool ready = true;
    std::apply(
        [&](auto&... child) {
          static_cast<void>(((child.Poll(cx) ? go_on(child) : (ready = false, true)) && ...));
        },
        children_);
    guard.Release();
    return ready;
  }
  void Cancel() {
    std::apply([](auto&... child) { (child.Cancel(), ...); }, children_);
  }
  // What `make` makes of all the children.
  template <typename Make>
  auto Apply(Make make) {
    return std::apply(make, children_);
  }

 private:
  class CancelOnUnwind {
   public:
    explicit CancelOnUnwind(JoinChildren& children) : children_(&children) {}
    CancelOnUnwind(const CancelOnUnwind&) = delete;
    CancelOnUnwind& operator=(const CancelOnUnwind&) = delete;
    ~CancelOnUnwind() {
      if (children_ != nullptr) children_->Cancel();
    }
    void Release() { children_ = nullptr; }

   private:
    JoinChildren* children_;
  };

  std::tuple<JoinChild<Fs>...> children_;
};

// What is left of a Status or StatusOr that is known to be a success.
inline std::monostate TakeSuccess(const absl::Status&) { return {}; }
template <typename T>
T&& TakeSuccess(absl::StatusOr<T>& result) {
  return *std::move(result);
}

}  // namespace internal

template <Future... Fs>
class [[nodiscard]] JoinFuture {
 public:
  using Output = std::tuple<internal::NonVoid<FutureOutput<Fs>>...>;
  static constexpr const char* kName = "Join";

  explicit JoinFuture(Fs... futures) : children_(std::move(futures)...) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    if (!children_.Poll(cx, [](const auto&) { return true; })) return check_.Pending();
    return children_.Apply([](auto&... child) { return Output(std::move(child.value())...); });
  }

 private:
  [[no_unique_address]] internal::PollCheck<JoinFuture> check_;
  internal::JoinChildren<Fs...> children_;
};

// A future of all the values.
template <Future... Fs>
JoinFuture<Fs...> Join(Fs... futures) {
  return JoinFuture<Fs...>(std::move(futures)...);
}

template <Future... Fs>
  requires(FallibleType<FutureOutput<Fs>> && ...)
class [[nodiscard]] TryJoinFuture {
 public:
  using Values = std::tuple<internal::NonVoid<internal::Success<FutureOutput<Fs>>>...>;
  using Output = absl::StatusOr<Values>;
  static constexpr const char* kName = "TryJoin";

  explicit TryJoinFuture(Fs... futures) : children_(std::move(futures)...) {}

  home::Poll<Output> Poll(Context& cx) {
    check_.Begin();
    absl::Status error;
    const bool ready = children_.Poll(cx, [&error](auto& child) {
      if (child.value().ok()) return true;
      error = internal::GetStatus(std::move(child.value()));
      return false;
    });
    if (!error.ok()) {
      children_.Cancel();
      return Output(std::move(error));
    }
    if (!ready) return check_.Pending();
    return children_.Apply(
        [](auto&... child) { return Output(Values(internal::TakeSuccess(child.value())...)); });
  }

 private:
  [[no_unique_address]] internal::PollCheck<TryJoinFuture> check_;
  internal::JoinChildren<Fs...> children_;
};

// A future of all the successes, or of the first error.
template <Future... Fs>
TryJoinFuture<Fs...> TryJoin(Fs... futures) {
  return TryJoinFuture<Fs...>(std::move(futures)...);
}

}  // namespace home

#endif  // HOME_FUTURE_JOIN_H_
