// Pipe: a combinator that waits for its future, so that a chain of them reads
// from left to right.
//
//   auto page = Fetch(url) | Map(Parse) | Timeout(absl::Seconds(5));
//
// is Timeout(Map(Fetch(url), Parse), absl::Seconds(5)). Every combinator of one
// future or stream has this second form, without it. Stages make a longer stage,
// which may be kept, and used once:
//
//   auto polite = Map(Parse) | Timeout(absl::Seconds(5));
//   auto page = Fetch(url) | std::move(polite);
//
// A combinator elsewhere joins in with one function, which returns a Pipe of
// whatever takes the future and gives the new one:
//
//   inline auto Twice() {
//     return Pipe([](auto future) { return Map(std::move(future), Double()); });
//   }
//
// Thread-safety: one thread at a time. Cost: none at all: it is the call that it
// stands for.

#ifndef HOME_FUTURE_PIPE_H_
#define HOME_FUTURE_PIPE_H_

#include <type_traits>
#include <utility>

#include "home/future/future.h"
#include "home/future/stream.h"

namespace home {

// A stage: `Apply` is called once, with the future that comes from the left.
template <typename Apply>
class [[nodiscard]] Pipe {
 public:
  explicit Pipe(Apply apply) : apply_(std::move(apply)) {}

  template <typename Input>
  auto operator()(Input&& input) && {
    return std::move(apply_)(std::forward<Input>(input));
  }

 private:
  Apply apply_;
};

// What `stage` makes of a future or stream, which is moved in.
template <typename F, typename Apply>
  requires(Future<std::remove_cvref_t<F>> || Stream<std::remove_cvref_t<F>>)
[[nodiscard]] auto operator|(F&& future, Pipe<Apply> stage) {
  static_assert(!std::is_lvalue_reference_v<F>, "a pipe takes the future over: std::move it in");
  return std::move(stage)(std::forward<F>(future));
}

namespace internal {

// Two stages, one after the other.
template <typename First, typename Second>
class PipeChain {
 public:
  PipeChain(Pipe<First> first, Pipe<Second> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  template <typename Input>
  auto operator()(Input&& input) && {
    return std::move(second_)(std::move(first_)(std::forward<Input>(input)));
  }

 private:
  Pipe<First> first_;
  Pipe<Second> second_;
};

}  // namespace internal

// Both stages as one.
template <typename First, typename Second>
auto operator|(Pipe<First> first, Pipe<Second> second) {
  return Pipe(internal::PipeChain<First, Second>(std::move(first), std::move(second)));
}

}  // namespace home

#endif  // HOME_FUTURE_PIPE_H_
