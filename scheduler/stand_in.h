// StandIn: runs tasks while every worker is in a long poll.
//
// What one such poll holds up, other workers take over (watchdog.h). If none is left, nobody
// looks at the global queue, at timers and at the reactor any more, and what is in the queues
// of the workers stays there: a program whose polls wait for another task stands still for
// good. Then a thread of the blocking pool stands in. It takes tasks from the global queue and
// steals from the workers, polls them one after another, and drives timers and reactor, until
// the watchdog has found a worker that is in no long poll.
//
// It is no worker: no notifier counts on it (idle.h), no thief looks there. So it keeps
// nothing that it does not run at once. What it steals more than one task, what is woken or
// spawned on its thread, and who yields, all goes to the global queue; and it never sleeps for
// longer than a nap, as nobody would wake it. Tasks that are pinned (spawn_local.h) by a task
// that it polls belong to its thread, which goes on with them when it stands in no longer, as
// one does that has given its worker away (block_in_place.h).
//
// But it has a Worker, for what a poll needs: the list of those tasks that it polled first, a
// mark for the watchdog, figures.
//
//  T1  That worker belongs to the thread that stands in, from Start() to the end of its
//      turn, and else to the watchdog, who gives up its tasks that have ended elsewhere. After
//      that it is the drain's: whoever has it counts among those for whom the drain waits.
//
// There is one: if it gets into a long poll itself, that is named as a worker's is, and
// nobody stands in for it. And there is none for a runtime of one worker, whose tasks never
// run two at a time, and whose queues know no thieves.
//
// Go starts threads in such cases, as many as it takes, but only for system calls, which do
// not touch the processor's queue; a poll may do that at any time, so a stuck worker itself
// can't be given to another thread.
//
// Thread-safety: AfterLook by the watchdog, turns by any thread.

#ifndef HOME_SCHEDULER_STAND_IN_H_
#define HOME_SCHEDULER_STAND_IN_H_

#include <cstddef>
#include <cstdint>

#include "home/parker/parker.h"
#include "home/parker/parker_policy.h"
#include "home/scheduler/counter.h"
#include "home/task/chaos.h"
#include "home/task/task_header.h"

namespace home::scheduler_internal {

class LocalTasks;
class Scheduler;
class Worker;
using SchedulerParker = BasicParker<internal::WithChaos<ParkerPolicy>>;

class StandIn {
 public:
  // `worker`: its own, beyond those of the scheduler.
  StandIn(Scheduler& scheduler, Worker& worker) : scheduler_(scheduler), worker_(worker) {}
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  // Whether every worker is in a long poll, at the watchdog's last look.
  void AfterLook(bool all_stuck);
  // How often a thread has stood in.
  [[nodiscard]] std::uint64_t turns() const { return turns_.value(); }

 private:
  class Duty;

  void Start();
  // On a thread of the pool.
  void Run();
  void RunTasks(LocalTasks& local, SchedulerParker& parker);
  [[nodiscard]] TaskHeader* TakeInjected();
  [[nodiscard]] TaskHeader* Steal();
  // Timers and the reactor, for which it waits so long. False: somebody else drives.
  [[nodiscard]] bool Drive(std::int64_t nap_nanoseconds);

  Scheduler& scheduler_;
  Worker& worker_;
  // T1: whose the worker is. Set by the watchdog.
  internal::Atomic<bool> standing_{false};
  internal::Atomic<bool> relieved_{false};
  Counter turns_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_STAND_IN_H_
