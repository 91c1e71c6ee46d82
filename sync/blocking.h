// BlockingWait: a plain thread waits for a future, of any primitive or channel.
//
//   MutexGuard<Ledger> guard = BlockingWait(ledger.Lock());
//   if (!BlockingWaitFor(stopped.Wait(), absl::Seconds(5))) ...      // not in time
//
// The thread polls and sleeps in a Parker in between; it needs no runtime, and must not
// be a worker of one, whose other tasks would wait too.
//
// A wake may be on its way still when the wait is over, and must find somebody to wake.
// So the parker is counted. A thread keeps one from wait to wait; a wait inside of a
// wait (in a waker's code) brings its own, because a parker holds one token only.

#ifndef HOME_SYNC_BLOCKING_H_
#define HOME_SYNC_BLOCKING_H_

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/future.h"
#include "home/future/poll.h"
#include "home/future/waker.h"

namespace home {
namespace sync_internal {

class ThreadParker;

// The parker of one wait.
class BlockingScope {
 public:
  BlockingScope();
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;
  ~BlockingScope();

  [[nodiscard]] const Waker& waker() const { return waker_.get(); }
  // Sleeps until a wake since the last one. False: the deadline was first.
  [[nodiscard]] bool SleepUntil(std::int64_t deadline);

 private:
  ThreadParker* parker_;
  BorrowedWaker waker_;
};

// The deadline that is `timeout` from now, for BlockUntilReady().
std::int64_t DeadlineAfter(absl::Duration timeout);
inline constexpr std::int64_t kForever = INT64_MAX;

// Polls `future` until it is ready: its output, or for void true. Nothing or false if
// the deadline came first; the future has been polled at least once then, and may be
// polled on.
template <Future F>
auto BlockUntilReady(F& future, std::int64_t deadline) {
  using Output = FutureOutput<F>;
  BlockingScope scope;
  while (true) {
    Context cx(scope.waker());
    home::Poll<Output> polled = future.Poll(cx);
    if constexpr (std::is_void_v<Output>) {
      if (polled.ready()) return true;
      if (!scope.SleepUntil(deadline)) return false;
    } else {
      if (polled.ready()) return std::optional<Output>(std::move(polled).value());
      if (!scope.SleepUntil(deadline)) return std::optional<Output>();
    }
  }
}

}  // namespace sync_internal

// Waits for `future`; its output.
template <typename F>
  requires Future<std::remove_cvref_t<F>>
FutureOutput<std::remove_cvref_t<F>> BlockingWait(F&& future) {
  std::remove_cvref_t<F> here(std::forward<F>(future));
  auto output = sync_internal::BlockUntilReady(here, sync_internal::kForever);
  if constexpr (!std::is_void_v<FutureOutput<std::remove_cvref_t<F>>>) return *std::move(output);
}

// The same up to `timeout`, then the future is dropped: its output if there is one, for void
// whether it was ready.
template <typename F>
  requires Future<std::remove_cvref_t<F>>
auto BlockingWaitFor(F&& future, absl::Duration timeout) {
  std::remove_cvref_t<F> here(std::forward<F>(future));
  return sync_internal::BlockUntilReady(here, sync_internal::DeadlineAfter(timeout));
}

}  // namespace home

#endif  // HOME_SYNC_BLOCKING_H_
