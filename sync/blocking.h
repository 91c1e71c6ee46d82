// BlockingWait: a plain thread waits for a future, of any primitive or channel.
//
//   MutexGuard<Ledger> guard = BlockingWait(ledger.Lock());
//   BlockingWait(started.Wait());
//   const bool in_time = BlockingWaitFor(stopped.Wait(), absl::Seconds(5));
//
// The thread polls and sleeps in a Parker in between; it needs no runtime, and must not
// be a worker of one, whose other tasks would wait too.
//
// A wake may be on its way still when the wait is over, and must find somebody to wake.
// So the parker is counted. A thread keeps one from wait to wait; a wait inside of a
// wait (in a waker's code) brings its own, because a parker holds one token only.
//
// The time of BlockingWaitFor() ends a sleep, and no poll: who was woken polls once more, be it
// late. What the future loses when it is dropped then, its cancellation line says.
//
// Thread-safety: all functions from any thread. The future belongs to the one that waits; any may
// wake it.
// Memory ordering: what precedes a wake happens before the poll that follows it. All else is the
// future's.
// Cost: what is ready at once costs its poll and two looks at a thread_local variable. A sleep is
// two RMWs and a system call, after some looks for a wake (parker.h); a wake is one RMW, and a
// system call if the thread sleeps; a waker that is kept costs two more. The first wait of a
// thread allocates 24 bytes, as does each wait inside of another.

#ifndef HOME_SYNC_BLOCKING_H_
#define HOME_SYNC_BLOCKING_H_

#include <cstdint>
#include <memory>
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
  // Sleeps until a wake since the last one. False: the deadline was first, or at the last call.
  [[nodiscard]] bool SleepUntil(std::int64_t deadline);

 private:
  ThreadParker* parker_;
  BorrowedWaker waker_;
  bool is_late_ = false;
};

// The deadline that is `timeout` from now, for BlockUntilReady().
std::int64_t DeadlineAfter(absl::Duration timeout);
inline constexpr std::int64_t kForever = INT64_MAX;

// What a wait gives that may end without an output: that, if it is there; of a reference, its
// address or null; of void, whether it was ready.
template <typename Output>
struct InTimeOf {
  using type = std::optional<Output>;
};
template <typename T>
struct InTimeOf<T&> {
  using type = T*;
};
template <>
struct InTimeOf<void> {
  using type = bool;
};
template <Future F>
using InTime = typename InTimeOf<FutureOutput<F>>::type;

// Polls `future` until it is ready, or the deadline comes first. Then it has been polled at least
// once, and may be polled on.
template <Future F>
InTime<F> BlockUntilReady(F& future, std::int64_t deadline) {
  using Output = FutureOutput<F>;
  BlockingScope scope;
  while (true) {
    Context cx(scope.waker());
    home::Poll<Output> polled = future.Poll(cx);
    if (polled.ready()) {
      if constexpr (std::is_void_v<Output>) {
        return true;
      } else if constexpr (std::is_reference_v<Output>) {
        return std::addressof(polled.value());
      } else {
        return InTime<F>(std::move(polled).value());
      }
    }
    if (!scope.SleepUntil(deadline)) return InTime<F>();
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

// The same up to `timeout`, then the future is dropped: a std::optional of its output; for a T& a
// T*, null if it was not in time; for void whether it was.
template <typename F>
  requires Future<std::remove_cvref_t<F>>
sync_internal::InTime<std::remove_cvref_t<F>> BlockingWaitFor(F&& future, absl::Duration timeout) {
  std::remove_cvref_t<F> here(std::forward<F>(future));
  return sync_internal::BlockUntilReady(here, sync_internal::DeadlineAfter(timeout));
}

}  // namespace home

#endif  // HOME_SYNC_BLOCKING_H_
