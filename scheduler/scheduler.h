// Scheduler: what the workers of one runtime share, and what a task goes to
// when it is woken.
//
// -- Concepts -------------------------------------------------------------------
//
// A *worker* (worker.h) is a thread that runs tasks. It has a *LIFO slot* for the
// task that was woken last, a *deque* of other tasks that are ready, which it
// empties oldest first and others steal from, a shard of the timers, and a list
// of the tasks that wait and that it polled first. Tasks from outside go to the
// *injector*. An idle worker is either *searching* or asleep (idle.h), and one of
// those that sleep, the *driver*, sleeps in the reactor, with the earliest timer
// as its timeout; the others sleep in their parkers.
//
// -- Where a task goes ------------------------------------------------------------
//
//   spawned on a worker    the back of its deque: it runs after what was ready
//                          before; or, if nothing was, the LIFO slot
//   woken on a worker      the LIFO slot; what was there moves to the deque. The
//                          woken task often continues what the waker did, with the
//                          data still in the cache. But one that was the last to
//                          come out of the slot goes to the back of the deque, if
//                          there is anything: one task after another wakes it, as
//                          when it joins many or receives from many, so it runs
//                          once for all that are ready, and not once for each.
//   woken by a timer or    the back of the worker's *events*, a second deque. They take
//   the reactor            turns with the first one, so that a million tasks that were
//                          spawned in one go hold up no timeout; or, if nothing else is
//                          ready, the LIFO slot
//   woken during its poll  the back of the deque: it yielded, others go first
//   from another thread    the injector
//   pinned to a thread     that thread's own queue (local_tasks.h), which takes turns
//                          with all of these
//
// The LIFO slot is used at most kMaxLifoStreak times in a row, so that two tasks
// that wake each other do not starve the deque; thieves may take from it, but
// only when they found nothing else. The injector is looked at every
// kInjectorInterval tasks and whenever the deque is empty; the timers every
// event_interval tasks and the reactor then too, unless that was a few
// microseconds ago; and both whenever a worker goes to sleep as the driver.
//
// -- When somebody is woken ------------------------------------------------------
//
// Waking a thread costs what some hundred small tasks do, so a task alone in its
// worker's queues wakes nobody: it is run as soon as the current poll returns,
// and often that poll is about to wait for it. If it does, and the task waits for
// nothing else, the worker hands over (run_task.h): it runs the task in the slot while
// the one that waits counts as running, and then goes on with that one. Neither a waker
// nor a queue has to be touched. An abort of the waiting task is seen a poll later for
// it, and after kMaxHandOvers in one turn others have theirs. From the second task on, a
// submission follows idle.h. A searcher that found work and was the last one
// wakes the next if it sees more.
//
// -- Threads and workers ------------------------------------------------------------
//
// A worker usually stays with the thread that was started for it. But one that blocks in
// the middle of a poll (block_in_place.h) offers its worker to a thread of the blocking pool
// and, if that has come, goes on without: what it spawns and wakes goes to the injector, and
// at the end of its poll it takes the other one's place in the pool. Three things of the
// poll belong to the worker, and so are settled before the offer or elsewhere: the list that
// the task is to join (at the offer), its place in the list if it completes (as for any
// task that ends on another worker), and the counts (those of outside). Tasks that are
// pinned belong to the thread, which runs them on without a worker.
//
// -- The watch --------------------------------------------------------------------
//
// A driver that leaves the reactor with events runs what they woke, and that may
// take long. So that somebody drives meanwhile, one of those that sleep is the
// *standby*, who naps and looks for a reactor without a driver. watch.h has the two
// roles, worker_sleep.h how a worker sleeps in either, or without one.
//
// -- The watchdog ------------------------------------------------------------------
//
// A poll that takes long holds up what only its worker would run. A thread of its own looks
// for such polls, has others take over what they hold up, and names them: watchdog.h. If all
// workers are in such polls another thread stands in for them: stand_in.h.
//
// -- Shutdown ---------------------------------------------------------------------
//
//   1. Workers are told to stop; each leaves after the poll it is in.
//   2. The last one to leave cancels every task: those in queues, then those
//      that wait in lists. Their destructors run here; what these wake comes
//      back through the injector and is cancelled too. A task that is marked
//      notified but is in no queue is on its way there, on a thread that is in
//      the middle of a wake: the drain waits for it.
//   3. Only when no task is left the injector is closed. A spawn that comes
//      later is cancelled where it is made.
//   4. Threads that are inside Schedule() are waited for, so that the scheduler
//      may be freed. A waker that is kept for longer finds its task complete and
//      touches nothing else.
//
// A poll that blocks in place (block_in_place.h) has given its worker away, and is no
// worker's when they leave. Its task is in the worker's list all the same, so the drain waits
// for its end; meanwhile it moves timers and reactor, for which the blocked function may
// wait.
//
// Designs rejected: one lock over all queues (Go before 1.1) does not scale; a
// wake-up for every spawn (Java's ForkJoinPool with async tasks) costs more than
// the tasks; a reference count of the scheduler in every task (Tokio) is a
// contended RMW at every spawn, which the drain's accounting makes needless.

#ifndef HOME_SCHEDULER_SCHEDULER_H_
#define HOME_SCHEDULER_SCHEDULER_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/future/context.h"
#include "home/future/poll.h"
#include "home/future/waker.h"
#include "home/reactor/reactor.h"
#include "home/scheduler/blocking_class.h"
#include "home/scheduler/blocking_pool.h"
#include "home/scheduler/fork_check.h"
#include "home/scheduler/hooks.h"
#include "home/scheduler/idle.h"
#include "home/scheduler/injector.h"
#include "home/scheduler/memory_release.h"
#include "home/scheduler/metrics.h"
#include "home/scheduler/platform.h"
#include "home/scheduler/simulation.h"
#include "home/scheduler/simulation_options.h"
#include "home/scheduler/stand_in.h"
#include "home/scheduler/thread.h"
#include "home/scheduler/watch.h"
#include "home/scheduler/watchdog.h"
#include "home/task/chaos.h"
#include "home/task/task_header.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"
#include "home/timer/timer_service.h"

namespace home {

// An exception that ended a task which nobody joins.
using PanicHandler = std::function<void(const TaskHeader& task, std::exception_ptr exception)>;

// What such an exception does beside being logged.
enum class PanicPolicy {
  kGoOn,      // nothing
  kAbort,     // ends the process
  kShutDown,  // ends the runtime, see RuntimeBuilder::OnPanic
};

namespace scheduler_internal {

class LocalTasks;
class Worker;

// A moment in the 32 bits that a task's header has for it: in units of 64 ns, so that
// it wraps after 274 s.
[[nodiscard]] inline std::uint32_t QueueStamp(Instant now) {
  return static_cast<std::uint32_t>(now.nanoseconds() >> 6);
}
// How long `task` was in a queue, in nanoseconds.
[[nodiscard]] inline std::int64_t QueueingTime(const TaskHeader& task, Instant now) {
  return std::int64_t{QueueStamp(now) - task.queued_at} << 6;
}

struct SchedulerOptions {
  // No threads of its own: tasks run inside BlockOn.
  bool current_thread = false;
  // With current_thread: the simulated flavour, see simulation.h.
  std::optional<SimulationOptions> simulation;
  std::size_t workers = 1;
  std::string thread_name = "home-worker";
  std::size_t thread_stack_bytes = 0;  // 0: what the system gives
  bool pin_workers = false;
  std::uint32_t event_interval = 61;
  std::uint32_t global_queue_interval = 31;
  std::uint32_t budget = 128;
  const Clock* clock = nullptr;  // the machine's
  IoOptions io;                  // but its pool and number of threads, which are ours
  bool time_histograms = false;
  std::optional<std::uint64_t> seed;
  RuntimeHooks hooks;
  BlockingPoolOptions blocking;
  absl::Duration long_poll_threshold = absl::Milliseconds(100);
  LongPollHandler long_poll_handler;
  PanicHandler panic_handler;
  bool shut_down_on_panic = false;
};

class Scheduler final : public TaskScheduler, public std::enable_shared_from_this<Scheduler> {
 public:
  static absl::StatusOr<std::shared_ptr<Scheduler>> Create(SchedulerOptions options);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler();

  // A worker's or, from any other thread, the injector's.
  void Schedule(TaskHeader* task) noexcept override;
  void Submit(TaskHeader* task) noexcept override;
  void SubmitForked(TaskHeader* task) noexcept override;
  bool TakeBack(TaskHeader* task) noexcept override;
  void OnUnjoinedException(const TaskHeader& task, std::exception_ptr exception) noexcept override;

  // Runs the current-thread flavour's tasks until `done` returns true; it is
  // asked after every wake of worker 0 by WakeMain(), and at the start.
  void RunHere(const std::function<bool()>& done);
  void WakeMain();
  // The same without asking `done`: the loop looks for pinned tasks.
  void EndSleepHere();
  // Whether there was a WakeMain() since the last call.
  [[nodiscard]] bool TakeMainWoken();

  // Counts a task that is in no queue of ours, and its end; the former tells the hooks.
  void CountSpawn(const TaskHeader& task);
  void CountEnd();

  // The exception that ended the runtime, or null.
  [[nodiscard]] std::exception_ptr Panic() const;
  // `waker` is woken when there is a Panic(). Removed by the iterator.
  using PanicWakers = std::list<Waker>;
  [[nodiscard]] PanicWakers::iterator WakeOnPanic(Waker waker);
  void ForgetOnPanic(PanicWakers::iterator waker);

  // Ready when no task is alive. Waits among tasks that end and are spawned meanwhile.
  class QuietFuture;
  [[nodiscard]] QuietFuture Quiet();
  // By a worker that has just gone to sleep: wakes those who wait for Quiet(), if it is.
  void ReportQuiet() {
    // relaxed: a worker that counted itself out before this look is ordered with the
    // waiter by Idle::Meet(): either the waiter sees what ended here, or this sees it.
    if (ABSL_PREDICT_FALSE(quiet_waiters_.load(std::memory_order_relaxed) != 0)) WakeIfQuiet();
  }

  // Around each BlockOn, so that a shutdown under one is noticed.
  void EnterBlockOn();
  void LeaveBlockOn();

  // Steps 1 to 4 above, and the same for the blocking pool. False: some thread
  // was still busy at the deadline; it ends the shutdown when it comes back.
  [[nodiscard]] bool Shutdown(Deadline deadline);
  // In a child of fork(): forgets `scheduler`, whose threads are not there.
  static void Abandon(std::shared_ptr<Scheduler> scheduler);

  [[nodiscard]] RuntimeMetrics Metrics() const;
  [[nodiscard]] const SchedulerOptions& options() const { return options_; }
  // Where blocking closures go.
  [[nodiscard]] TaskScheduler& closures();
  [[nodiscard]] const ForkCheck& fork_check() const { return fork_check_; }
  // Offers `worker` to a thread of the blocking pool, on behalf of the worker's thread, which
  // blocks in place and counts as such from here to EndInPlace().
  void OfferWorker(Worker& worker, std::uint64_t offer);
  void EndInPlace();
  // Puts a closure that was just made for closures() there.
  void RunBlocking(TaskHeader* task, BlockingClass blocking_class) noexcept;
  [[nodiscard]] TimerService& timers() { return timers_; }
  [[nodiscard]] Reactor& reactor() { return *reactor_; }
  // By the clock of timers and metrics.
  [[nodiscard]] Instant Now() const { return clock_->Now(); }
  // The timer shard of threads that are no workers.
  [[nodiscard]] std::size_t outside_shard() const { return options_.workers; }

  // -- For workers -----------------------------------------------------------------

  // Of index workers(): the stand-in's, if there is one.
  [[nodiscard]] Worker& worker(std::size_t index) { return *workers_[index]; }
  [[nodiscard]] std::size_t workers() const { return options_.workers; }
  [[nodiscard]] Idle& idle() { return idle_; }
  [[nodiscard]] Injector& injector() { return injector_; }
  [[nodiscard]] bool stopping() const {
    // acquire: for nothing but tidiness; the drain is ordered by running_.
    return stopping_.load(std::memory_order_acquire);
  }
  [[nodiscard]] Watch& watch() { return watch_; }
  [[nodiscard]] Watchdog& watchdog() { return watchdog_; }
  [[nodiscard]] MemoryRelease& memory_release() { return memory_release_; }
  // Gives up the right to poll the reactor.
  void ReleaseDriver();
  // See watch.h.
  void KeepWatch();
  // The driver `index` blocks in the reactor, or (Idle::kNobody) no longer.
  void SetBlockedDriver(std::size_t index);

  // Wakes a sleeping worker if the protocol of idle.h asks for it.
  void NotifyOne();
  // The same by a worker that has published the task in a queue of its own.
  void NotifyOneFromWorker() {
    if (idle_.MayNotify()) NotifyOne();
  }
  // Whether any queue seems to have a task.
  [[nodiscard]] bool WorkVisible() const;
  // Puts a task into the global queue.
  void Inject(TaskHeader* task) noexcept;
  // Before `task` is put into a queue: the beginning of its QueueingTime().
  void StampQueued(TaskHeader* task) const {
    if (ABSL_PREDICT_FALSE(options_.time_histograms)) task->queued_at = QueueStamp(Now());
  }

  // -- For who stands in for them (stand_in.h) ---------------------------------------

  // Null if there is none.
  [[nodiscard]] StandIn* stand_in() { return stand_in_.get(); }
  [[nodiscard]] BlockingPool& blocking() { return blocking_; }
  // Counts the caller among those for whom the drain waits. False: nobody is left.
  [[nodiscard]] bool JoinWorkers();
  // By each worker's thread as it leaves, for those that could not be started, and by who
  // has joined; the last one drains.
  void LeaveWorkers(std::size_t count);
  // Runs what is pinned to this thread, which is no worker any more, until nothing is left or
  // the runtime stops.
  void RunPinned(LocalTasks& local, SchedulerParker& parker);
  // Fires timers and polls the reactor, where it waits so long if no timer is due. By whoever
  // drives (watch.h), if anybody else might.
  void Drive(std::int64_t nap_nanoseconds);

 private:
  Scheduler(SchedulerOptions options, std::unique_ptr<Reactor> reactor);

  [[nodiscard]] absl::Status StartThreads();
  void RunWorkerThread(std::size_t index);
  // Makes the calling thread the worker until the runtime stops: true; or until it has given
  // the worker away: false.
  [[nodiscard]] bool WorkAs(std::size_t index);
  // Tells all who run tasks to stop.
  void Stop();
  void Drain();
  void ShutDownBecauseOf(std::exception_ptr exception);
  [[nodiscard]] bool TasksAlive() const;
  void WakeIfQuiet();

  const SchedulerOptions options_;
  const ForkCheck fork_check_;
  // Of the thread that made this. Only if workers are pinned.
  const std::unique_ptr<const Processors> processors_;
  const std::unique_ptr<Reactor> reactor_;
  // Null but in the simulated flavour.
  const std::unique_ptr<Simulation> simulation_;
  const Clock* const clock_;
  TimerService timers_;
  BlockingPool blocking_;
  Idle idle_;
  Watch watch_;
  Watchdog watchdog_;
  MemoryRelease memory_release_;
  Injector injector_;
  // Behind them the stand-in's, if there is one.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<StandIn> stand_in_;
  // The workers' and the watchdog's.
  std::vector<Thread> threads_;

  internal::Atomic<bool> stopping_{false};
  // Who is better not chosen to be woken for a task.
  internal::Atomic<std::size_t> blocked_driver_{Idle::kNobody};

  // Spawns and cancellations outside of the workers.
  internal::Atomic<std::uint64_t> outside_spawned_{0};
  internal::Atomic<std::uint64_t> outside_completed_{0};

  // The exception that ended the runtime. The flag is set after it.
  internal::Atomic<bool> panicked_{false};
  mutable std::mutex panic_mutex_;
  std::exception_ptr panic_;
  PanicWakers panic_wakers_;

  // Who waits for Quiet(). The count is that of the wakers.
  internal::Atomic<int> quiet_waiters_{0};
  std::mutex quiet_mutex_;
  std::list<Waker> quiet_wakers_;

  // Threads that have given their worker away and are not done with its task, and what is
  // pinned to them.
  internal::Atomic<std::size_t> in_place_{0};
  internal::Atomic<int> block_ons_{0};
  // One BlockOn of the current-thread flavour at a time.
  std::mutex run_here_mutex_;
  internal::Atomic<bool> main_woken_{false};

  std::mutex mutex_;
  // All under the mutex.
  std::size_t running_ = 0;
  bool drained_ = false;
  std::condition_variable drained_changed_;
  // Those of the threads in RunPinned().
  std::vector<SchedulerParker*> pinned_parkers_;
};

// See Scheduler::Quiet(). Movable before the first poll.
class [[nodiscard]] Scheduler::QuietFuture {
 public:
  using Output = void;

  explicit QuietFuture(Scheduler& scheduler) : scheduler_(&scheduler) {}
  QuietFuture(QuietFuture&& other) noexcept : scheduler_(other.scheduler_) {}
  QuietFuture& operator=(QuietFuture&&) = delete;
  ~QuietFuture() { Forget(); }

  home::Poll<void> Poll(Context& cx);

 private:
  void Forget();

  Scheduler* scheduler_;
  std::optional<std::list<Waker>::iterator> waker_;
};

inline Scheduler::QuietFuture Scheduler::Quiet() { return QuietFuture(*this); }

}  // namespace scheduler_internal
}  // namespace home

#endif  // HOME_SCHEDULER_SCHEDULER_H_
