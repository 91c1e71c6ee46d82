// Until: a future that is given up once an event is set.
//
//   auto accepting = Until(listener.Accept(), stop);
//   std::optional<absl::StatusOr<TcpStream>> stream = co_await accepting;
//   if (!stream.has_value()) ...  // stopped
//
// The future comes first: what is ready is not thrown away.
//
// Cancellation: as the future's. Thread-safety: one thread at a time.

#ifndef HOME_HTTP_UNTIL_H_
#define HOME_HTTP_UNTIL_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/sync/event.h"

namespace home::http {

// Movable before the first poll. For futures without a value the output is true
// if the future was ready.
template <Future F>
class [[nodiscard]] Until {
  static constexpr bool kVoid = std::is_void_v<FutureOutput<F>>;

 public:
  using Output =
      typename std::conditional_t<kVoid, std::type_identity<bool>,
                                  std::type_identity<std::optional<FutureOutput<F>>>>::type;

  Until(F future, Event& event) : future_(std::move(future)), wait_(event.WaitBeside()) {}

  home::Poll<Output> Poll(Context& cx) {
    home::Poll<FutureOutput<F>> result = future_.Poll(cx);
    if (result.ready()) {
      if constexpr (kVoid) {
        return true;
      } else {
        return Output(std::move(result).value());
      }
    }
    if (wait_.Poll(cx).pending()) return kPending;
    return Output();
  }

 private:
  F future_;
  Event::WaitFuture wait_;
};

}  // namespace home::http

#endif  // HOME_HTTP_UNTIL_H_
