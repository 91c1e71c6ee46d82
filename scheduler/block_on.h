// BlockOnScope: polls a future on a thread until it is ready.

#ifndef HOME_SCHEDULER_BLOCK_ON_H_
#define HOME_SCHEDULER_BLOCK_ON_H_

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/waker.h"
#include "home/scheduler/context.h"
#include "home/scheduler/local_tasks.h"

namespace home::scheduler_internal {

class MainWaker;
class Scheduler;

// One BlockOn. While it lives the thread works for the runtime; what is made and
// destroyed within may use the runtime's free functions.
class BlockOnScope {
 public:
  // Dies with a message if this thread works for a runtime already, unless it blocks in place.
  explicit BlockOnScope(Scheduler& scheduler);
  BlockOnScope(const BlockOnScope&) = delete;
  BlockOnScope& operator=(const BlockOnScope&) = delete;
  ~BlockOnScope();

  template <Future F>
  FutureOutput<F> Run(F& future) {
    using T = FutureOutput<F>;
    if constexpr (std::is_void_v<T>) {
      RunPoll([&future](Context& cx) { return future.Poll(cx).ready(); });
    } else {
      std::optional<T> output;
      RunPoll([&future, &output](Context& cx) {
        home::Poll<T> polled = future.Poll(cx);
        if (polled.ready()) output.emplace(std::move(polled).value());
        return output.has_value();
      });
      return *std::move(output);
    }
  }

 private:
  // Calls `poll` with a context, again after every wake, until it returns true.
  // Throws the exception of a task that ended the runtime meanwhile, or before.
  void RunPoll(const std::function<bool(Context& cx)>& poll);
  void RethrowPanic() const;
  // The loop of the multi-thread flavour.
  void RunOnThisThread(const Waker& waker, const std::function<bool(Context& cx)>& poll);

  Scheduler& scheduler_;
  // The runtime's end may come under it: its thread blocks in place, and is waited for.
  const bool in_place_;
  // Counted: wakers may outlive the BlockOn.
  const std::unique_ptr<MainWaker, void (*)(MainWaker*)> main_;
  std::optional<EnterScope> scope_;
  // What is pinned to this thread meanwhile.
  std::optional<LocalTasks> local_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_BLOCK_ON_H_
