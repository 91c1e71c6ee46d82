// BlockInPlace: calls a function that blocks the thread, without blocking a worker.
//
//   std::string text = BlockInPlace([&] { return ReadWholeFile(path); });
//
// For what can't move to another thread as SpawnBlocking would have it: a function that
// uses locals, locks and thread-locals of its caller, or a library that calls back. It runs at
// once, on this thread, and what it returns or throws comes back as from any call.
//
// Meanwhile another thread, of the blocking pool, takes the worker over: its queue, its LIFO
// slot, its timers and its turn at the reactor. If it has not come yet when the function
// returns, nothing has happened. Else this thread finishes the poll that it is in and becomes
// a thread of the blocking pool itself. The two change places, so the number of
// threads that run tasks stays what it is. The task goes on being polled here to its next
// wait, and from then on wherever its wake brings it.
//
// What happens where
//   - In a task of a multi-thread runtime: the above. A nested call just calls.
//   - In a pinned task (SpawnLocal), or where the thread has pinned tasks: the same. Pinned
//     tasks do not leave the thread, so they wait for the function, as for any long poll;
//     afterwards this thread runs them, without a worker, until the last has ended.
//   - Where no worker would be blocked (in a blocking closure, in the future of a multi-thread
//     BlockOn, outside of a runtime): just calls.
//   - In a task that another thread polls as all workers are stuck (stand_in.h): just calls.
//   - In a current-thread or a simulated runtime: just calls. There is one thread, and all that
//     it runs stands still. No virtual time passes.
//   - Outside of the polls of tasks, but on a worker (in wakers, hooks, destructors of results):
//     just calls, and blocks the worker.
//
// In the function the runtime's free functions work as in a task; what it spawns or wakes
// goes through the global queue. It may also BlockOn(), of its own multi-thread runtime as of
// another, where the rules above have it that no worker is blocked.
//
// Shutdown: waits for the function, and lets timers and sockets go on for its sake, as it may be
// in a BlockOn. Cancellation: the function is not interrupted. Errors: if the system
// refuses a thread, the function runs all the same, and blocks the worker.
//
// Cost: a lock and the wake-up of a thread, some 10 us, or the start of one; for shorter
// functions it is not worth while. As many calls as there are threads to be had may
// block at once: no limit of BlockingClass counts them.
//
// The idea is that of Tokio's block_in_place, and of Go's system calls.

#ifndef HOME_SCHEDULER_BLOCK_IN_PLACE_H_
#define HOME_SCHEDULER_BLOCK_IN_PLACE_H_

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "home/scheduler/context.h"

namespace home {
namespace scheduler_internal {

struct Stint;
class Worker;

// While it lives the thread may block, if the runtime can do without it.
class BlockInPlaceScope {
 public:
  BlockInPlaceScope();
  BlockInPlaceScope(const BlockInPlaceScope&) = delete;
  BlockInPlaceScope& operator=(const BlockInPlaceScope&) = delete;
  ~BlockInPlaceScope();

 private:
  // The worker that was offered to others, or null; and the offer.
  Worker* worker_ = nullptr;
  Stint* stint_ = nullptr;
  std::uint64_t offer_ = 0;
  std::optional<MayBlockScope> may_block_;
};

}  // namespace scheduler_internal

template <std::invocable Fn>
std::invoke_result_t<Fn> BlockInPlace(Fn&& fn) {
  const scheduler_internal::BlockInPlaceScope scope;
  return std::invoke(std::forward<Fn>(fn));
}

}  // namespace home

#endif  // HOME_SCHEDULER_BLOCK_IN_PLACE_H_
