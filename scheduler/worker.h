// Worker: one thread's part of the scheduler. scheduler.h says what it does when.
//
// Thread-safety: all but the functions marked "any thread" belong to the
// worker's own thread, and to the drain once all workers have left.

#ifndef HOME_SCHEDULER_WORKER_H_
#define HOME_SCHEDULER_WORKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/optimization.h"
#include "absl/time/time.h"
#include "home/deque/deque_policy.h"
#include "home/deque/work_stealing_deque.h"
#include "home/future/context.h"
#include "home/future/wake_list.h"
#include "home/queue/lock_free_mpsc_queue.h"
#include "home/scheduler/busy_time.h"
#include "home/scheduler/counter.h"
#include "home/scheduler/histogram.h"
#include "home/scheduler/lifo_slot.h"
#include "home/scheduler/metrics.h"
#include "home/scheduler/poll_mark.h"
#include "home/scheduler/worker_sleep.h"
#include "home/task/chaos.h"
#include "home/task/run_task.h"
#include "home/task/task_header.h"
#include "home/timer/instant.h"

namespace home::scheduler_internal {

class LocalTasks;
class Scheduler;

// What a worker measures if it was asked to.
struct WorkerTimes {
  HistogramCounter poll;
  HistogramCounter latency;
  Counter longest_poll;  // ns
};

// A poll of a task on a worker, on the stack.
struct Stint {
  Turn turn;
  // That of a task that has handed over to this one, or null. Not next to the flags: they are
  // cleared by a store that reaches into what is before them, and a poll begins by a read of this,
  // which then waits for both stores (6 ns on an Intel Xeon).
  Stint* outer = nullptr;
  TaskHeader* task = nullptr;
  // Of an outer one: its task has been put into a queue, and is nobody's of this stack.
  bool let_go = false;
  // Its list is not the worker's.
  bool pinned = false;
  // The worker was given away meanwhile.
  bool lost = false;
};

// What the thread of a worker keeps that offers it to others.
struct WorkerOffer {
  Stint* stint = nullptr;
  std::uint64_t number = 0;
};

class Worker {
 public:
  Worker(Scheduler* scheduler, std::size_t index);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The worker that runs on this thread, or null.
  [[nodiscard]] static Worker* Current() noexcept;
  [[nodiscard]] Scheduler* scheduler() const { return scheduler_; }
  [[nodiscard]] std::size_t index() const { return index_; }
  // Whether tasks may take short cuts: no hook is to see them, and no clock to measure them.
  [[nodiscard]] bool plain() const { return plain_; }

  // Runs tasks until the scheduler stops. False: this thread has given the worker away,
  // and may not touch it any more.
  [[nodiscard]] bool RunUntilStopped();
  // Runs tasks until `leave` returns true. It is asked before each task and
  // after each sleep.
  void RunUntil(const std::function<bool()>& leave);

  // Polls a task that was taken from a queue, with so many steps to spend, and counts it.
  // What is kRescheduled is the caller's to queue.
  RunResult PollTask(TaskHeader* task, std::uint32_t budget);
  // The same for one that is pinned to this thread.
  RunResult PollLocal(TaskHeader* task, std::uint32_t budget, LocalTasks& local);

  // Tasks that are in no queue of this worker's, see local_tasks.h.
  void CountSpawn() { spawned_.Add(); }
  void CountEnd() { completed_.Publish(); }

  void PushSpawned(TaskHeader* task);
  // See TaskScheduler.
  void PushForked(TaskHeader* task);
  [[nodiscard]] bool TakeBack(TaskHeader* task);
  void PushWoken(TaskHeader* task);

  // -- Giving the worker to another thread ---------------------------------------------
  //
  // The offers of a worker have numbers. Who accepts one, or withdraws it, by the one CAS that
  // its number allows, has the worker.

  // By the worker's thread. Until Withdraw() it works for no worker, and may not touch this one.
  // Nothing: only a task's own code, while it is polled, can offer its worker.
  [[nodiscard]] std::optional<WorkerOffer> MakeOffer();
  // By the thread that made it: takes the worker back, if it is still there.
  [[nodiscard]] bool Withdraw(const WorkerOffer& offer);
  // Any thread. True: this worker belongs to it now.
  [[nodiscard]] bool Accept(std::uint64_t number);

  // Before the next task, timers and reactor are looked at, and what else is due then.
  void MaintainNext();

  // Any thread: ends the worker's sleep, or its next one.
  void Unpark();
  // Any thread: takes the older half of this worker's deque into `thief`'s.
  // With `and_lifo` also the task in the LIFO slot, if there is nothing else.
  [[nodiscard]] TaskHeader* StealFor(Worker& thief, bool and_lifo);
  // Any thread: whether a queue of this worker's seems to have a task.
  [[nodiscard]] bool WorkVisible() const;
  // Any thread.
  [[nodiscard]] WorkerMetrics Metrics() const;
  // Any thread: what is polled now, and how often anything was.
  [[nodiscard]] const PollMark& mark() const { return mark_; }
  [[nodiscard]] std::uint64_t polls() const { return polls_.value(); }
  // Any thread. Null if nothing is measured.
  [[nodiscard]] const WorkerTimes* times() const { return times_.get(); }
  // Any thread: how many tasks were spawned here, and how many have ended. Who reads
  // the second first does not see a task's end without its spawn.
  [[nodiscard]] std::uint64_t spawned() const { return spawned_.value(); }
  [[nodiscard]] std::uint64_t completed() const { return completed_.Acquire(); }

  // -- As the owner of run_task.h ---------------------------------------------------

  void Bind(TaskHeader* task);
  bool Unbind(TaskHeader* task);
  void ReleaseLater(TaskHeader* task);

  // -- For the drain ------------------------------------------------------------------

  // The next task of this worker's queues, or null.
  [[nodiscard]] TaskHeader* TakeQueued();
  [[nodiscard]] TaskHeader* bound() const { return bound_; }
  void Unlink(TaskHeader* task);
  // Gives up the references of tasks that completed elsewhere.
  void DrainReleases();

 private:
  template <typename Owner>
  class Lent;

  template <typename Leave>
  bool Run(const Leave& leave);
  void RunOne(TaskHeader* task);
  // Runs a task that is pinned to this thread. False: none is ready.
  [[nodiscard]] bool RunLocal();
  template <typename Owner>
  RunResult PollTimed(TaskHeader* task, std::uint32_t budget, Lent<Owner>& lent);
  template <typename Owner>
  RunResult PollCounted(TaskHeader* task, std::uint32_t budget, Lent<Owner>& lent);
  template <typename Owner>
  RunResult PollOne(TaskHeader* task, std::uint32_t budget, Lent<Owner>& lent);
  // Polls a task that awaited the next one (run_task.h) again.
  RunResult PollAgain(TaskHeader* task, Lent<Worker>& lent);
  // What follows a poll.
  template <typename Owner>
  RunResult CountPoll(TaskHeader* task, RunResult result, Lent<Owner>& lent);
  template <typename Owner>
  RunResult EndLostPoll(TaskHeader* task, RunResult result, Lent<Owner>& lent);
  [[nodiscard]] bool TakeOffer(std::uint64_t number);
  [[nodiscard]] TaskHeader* NextTask();
  // Whether others steal from this worker's queues.
  [[nodiscard]] bool HasThieves() const;
  [[nodiscard]] TaskHeader* TakeLifo();
  // The front of the deque, or of the events: by turns.
  [[nodiscard]] TaskHeader* TakeOldest();
  // Whether both are empty.
  [[nodiscard]] bool QueuesEmpty() const { return deque_.EmptyHint() && events_.EmptyHint(); }
  [[nodiscard]] TaskHeader* TakeInjected();
  [[nodiscard]] TaskHeader* Search();
  // Before the first task after a search or a sleep.
  void FoundWork();
  // Timers, reactor and releases, without blocking.
  void Maintain();
  void Park();
  // Calls the hook of freed memory if it is time: true. Then work may have come.
  [[nodiscard]] bool TellOfFreedMemory();
  // Blocks in the reactor until an event, a timer or an Unpark().
  void BlockAsDriver();
  // Wakes all of wakes_, for whom it was a timer or an event.
  void WakeEvents();
  void Push(TaskHeader* task);
  void PushEvent(TaskHeader* task);
  [[nodiscard]] std::uint32_t NextRandom();

  static constexpr std::uint64_t kOffered = 1;
  static constexpr std::uint32_t kMaxLifoStreak = 3;
  // So often a task hands over to the next one before others have their turn.
  static constexpr int kMaxHandOvers = 16;
  static constexpr std::size_t kMaxInjectedBatch = 64;
  // A worker that is busy with small tasks looks at the reactor no more often
  // than this: a look is a system call, and a sooner one would find little.
  static constexpr absl::Duration kReactorInterval = absl::Microseconds(20);

  Scheduler* const scheduler_;
  const std::size_t index_;
  const bool hooked_;
  const bool plain_;
  // Whether there is a hook of freed memory.
  const bool releases_memory_;
  // Whether the task that is polled may hand over to the next one.
  bool hands_over_ = false;
  std::uint32_t tick_ = 0;
  std::uint32_t lifo_streak_ = 0;
  // The task that came out of the slot last, for comparison only.
  const TaskHeader* last_from_lifo_ = nullptr;
  std::uint32_t random_;
  bool searching_ = false;
  // Has slept, and run nothing since: it has to keep the watch first.
  bool woken_ = false;
  // Within WakeEvents().
  bool waking_events_ = false;
  // False: no task is in events_.
  bool events_queued_ = false;
  // Whose turn it was, see TakeOldest().
  bool event_taken_ = false;
  Instant next_reactor_poll_;
  // The rounds of MemoryRelease that it was told of.
  std::uint64_t memory_rounds_ = 0;
  // While mark_ says that a task's own code runs: that poll.
  Stint* stint_ = nullptr;
  PollMark mark_;
  // That of the thread that runs this worker.
  LocalTasks* local_ = nullptr;
  TaskHeader* bound_ = nullptr;
  WakeList wakes_;

  Counter polls_;
  Counter completed_;
  Counter spawned_;
  Counter steals_;
  Counter stolen_;
  Counter overflows_;
  Counter parks_;
  Counter noop_wakes_;
  Counter reactor_polls_;
  Counter reactor_events_;
  Counter timers_fired_;
  Counter budget_yields_;
  Counter handovers_;
  BusyTime busy_;
  std::uint64_t polls_at_wake_ = UINT64_MAX;
  const std::unique_ptr<WorkerTimes> times_;
  // If the next poll follows at once: its beginning. Only if times are measured.
  std::optional<Instant> poll_end_;

  // What other threads write.
  alignas(ABSL_CACHELINE_SIZE) LifoSlot<TaskHeader> lifo_;
  using Deque = WorkStealingDeque<TaskHeader*, internal::WithChaos<DequePolicy>>;
  Deque deque_;
  // Tasks that a timer or the reactor woke.
  Deque events_;
  LockFreeMpscQueue<TaskHeader> releases_;
  alignas(ABSL_CACHELINE_SIZE) WorkerSleep sleep_;
  internal::Atomic<std::uint64_t> unparks_{0};
  // Odd while an offer stands, of which it is the number.
  internal::Atomic<std::uint64_t> offer_{0};
};

// Makes `worker` the current one of this thread.
class CurrentWorkerScope {
 public:
  explicit CurrentWorkerScope(Worker* worker) noexcept;
  CurrentWorkerScope(const CurrentWorkerScope&) = delete;
  CurrentWorkerScope& operator=(const CurrentWorkerScope&) = delete;
  ~CurrentWorkerScope();

 private:
  Worker* const previous_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_WORKER_H_
