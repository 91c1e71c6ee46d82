// BlockOn: polls a future on a thread until it is ready.

#ifndef HOME_SCHEDULER_BLOCK_ON_H_
#define HOME_SCHEDULER_BLOCK_ON_H_

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/waker.h"

namespace home::scheduler_internal {

class Scheduler;

// Calls `poll` with a context, again after every wake, until it returns true.
// Dies with a message if this thread works for a runtime.
void BlockOnPoll(Scheduler& scheduler, const std::function<bool(Context& cx)>& poll);

template <Future F>
FutureOutput<F> BlockOn(Scheduler& scheduler, F& future) {
  using T = FutureOutput<F>;
  if constexpr (std::is_void_v<T>) {
    BlockOnPoll(scheduler, [&future](Context& cx) { return future.Poll(cx).ready(); });
  } else {
    std::optional<T> output;
    BlockOnPoll(scheduler, [&future, &output](Context& cx) {
      home::Poll<T> polled = future.Poll(cx);
      if (polled.ready()) output.emplace(std::move(polled).value());
      return output.has_value();
    });
    return *std::move(output);
  }
}

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_BLOCK_ON_H_
