// The runtime that the calling thread works for.

#ifndef HOME_SCHEDULER_CONTEXT_H_
#define HOME_SCHEDULER_CONTEXT_H_

#include <cstddef>

#include "home/reactor/reactor.h"
#include "home/task/spawn.h"
#include "home/timer/timer_service.h"

namespace home::scheduler_internal {

class Scheduler;

// The scheduler of the innermost EnterScope on this thread, or null.
[[nodiscard]] Scheduler* CurrentScheduler() noexcept;
// The same; dies with a message that names `user` if there is none.
[[nodiscard]] Scheduler& CurrentSchedulerOrDie(const char* user) noexcept;

// Whether this thread may block although it works for a runtime.
[[nodiscard]] bool MayBlock() noexcept;
// Lets it, until an inner EnterScope.
class MayBlockScope {
 public:
  MayBlockScope() noexcept;
  MayBlockScope(const MayBlockScope&) = delete;
  MayBlockScope& operator=(const MayBlockScope&) = delete;
  ~MayBlockScope();

 private:
  const bool previous_;
};

// Makes `scheduler`, its timers and its reactor those of this thread. `shard` is
// where timers are armed that are polled first on it.
class EnterScope {
 public:
  EnterScope(Scheduler* scheduler, std::size_t shard) noexcept;
  EnterScope(const EnterScope&) = delete;
  EnterScope& operator=(const EnterScope&) = delete;
  ~EnterScope();

 private:
  Scheduler* const previous_;
  const bool previous_may_block_;
  TaskSchedulerScope tasks_;
  TimerScope timers_;
  ReactorScope reactor_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_CONTEXT_H_
