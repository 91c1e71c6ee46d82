// Continuation: a future, then the one that a function makes of its result. What
// Then, AndThen and OrElse have in common.
//
// Thread-safety: one thread at a time. Cost: nothing is allocated: the second
// future takes the place of the first.

#ifndef HOME_FUTURE_CONTINUATION_H_
#define HOME_FUTURE_CONTINUATION_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "home/future/future.h"

namespace home::internal {

// fn(value), or fn() if the future yields void.
struct CallWithValue {
  template <typename Fn, typename T>
  decltype(auto) operator()(Fn&& fn, Poll<T>&& value) const {
    if constexpr (std::is_void_v<T>) {
      return std::invoke(std::forward<Fn>(fn));
    } else {
      return std::invoke(std::forward<Fn>(fn), std::move(value).value());
    }
  }
};

// `Call` is how to call a Fn with the result of an F.
template <Future F, typename Fn, typename Call>
class Continuation {
 public:
  using Result = home::Poll<FutureOutput<F>>;
  using Next = std::invoke_result_t<Call, Fn&, Result&&>;

  Continuation(F future, Fn fn)
      : state_(std::in_place_index<0>, std::move(future), std::move(fn)) {}

  // The first future, or null once there is the second.
  [[nodiscard]] F* first() {
    First* first = std::get_if<0>(&state_);
    return first == nullptr ? nullptr : &first->future;
  }
  // The second. Only after Continue().
  [[nodiscard]] Next& next() { return *std::get_if<1>(&state_)->next; }

  // Puts the future that the function makes of `result` in the place of the
  // first.
  void Continue(Result&& result) {
    // The function may refer to what it captured while `next` runs, so it moves
    // along with it.
    Fn fn = std::move(std::get_if<0>(&state_)->fn);
    state_.template emplace<1>(std::move(fn), std::move(result));
  }

 private:
  struct First {
    First(F f, Fn g) : future(std::move(f)), fn(std::move(g)) {}
    F future;
    Fn fn;
  };
  struct Second {
    Second(Fn g, Result&& result) : fn(std::move(g)) { next.emplace(Make{fn, result}); }
    struct Make {
      Fn& fn;
      Result& result;
      operator Next() const {  // NOLINT: built in place, unmoved
        return Call()(fn, std::move(result));
      }
    };
    Fn fn;
    std::optional<Next> next;
  };

  std::variant<First, Second> state_;
};

}  // namespace home::internal

#endif  // HOME_FUTURE_CONTINUATION_H_
