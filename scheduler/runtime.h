// Runtime: runs futures.
//
//   absl::StatusOr<Runtime> runtime = RuntimeBuilder().WorkerThreads(4).Build();
//   if (!runtime.ok()) return runtime.status();
//   int answer = runtime->BlockOn([]() -> Async<int> {
//     JoinHandle<int> other = Spawn(Compute());
//     int mine = co_await Compute();
//     absl::StatusOr<int> theirs = co_await other;
//     co_return mine + theirs.value_or(0);
//   });
//
// Three flavours: multi-thread (the default), whose workers run tasks at all times;
// current-thread, whose tasks run inside BlockOn, on the thread that calls it; and
// simulated, which is current-thread with a virtual time and an order of steps that
// a seed decides, for tests. scheduler.h tells how tasks are scheduled, simulation.h
// how they are simulated.
//
// Inside a runtime (in its tasks, its blocking closures and its BlockOn) the free
// functions Spawn, SpawnBlocking and RuntimeMetrics::Snapshot mean that runtime;
// elsewhere they end the process with a message.
//
// Thread-safety: BlockOn, Run, Spawn, SpawnBlocking, handle and Metrics from any
// thread. The destructor and ShutdownTimeout from one, outside of the runtime, when no
// BlockOn runs any more; ShutdownBackground also inside, but in no BlockOn.
//
// Forks: a child made by fork() has the runtime's memory but not its threads. There
// every use dies with a message; to destroy the runtime, or to shut it down, forgets it,
// and the child may make one of its own.

#ifndef HOME_SCHEDULER_RUNTIME_H_
#define HOME_SCHEDULER_RUNTIME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "home/future/future.h"
#include "home/scheduler/block_in_place.h"
#include "home/scheduler/block_on.h"
#include "home/scheduler/blocking_class.h"
#include "home/scheduler/context.h"
#include "home/scheduler/hooks.h"
#include "home/scheduler/metrics.h"
#include "home/scheduler/scheduler.h"
#include "home/scheduler/simulation_options.h"
#include "home/scheduler/spawn_local.h"
#include "home/scheduler/watchdog.h"
#include "home/scheduler/yield.h"
#include "home/task/join_handle.h"
#include "home/task/spawn.h"
#include "home/task/spawnable.h"
#include "home/task/task_header.h"
#include "home/task/task_label.h"
#include "home/timer/clock.h"

namespace home {
namespace scheduler_internal {

// A future that calls a function at its one poll.
template <typename Fn>
class Closure {
 public:
  using Output = std::invoke_result_t<Fn&>;

  explicit Closure(Fn fn) : fn_(std::move(fn)) {}

  home::Poll<Output> Poll(Context&) {
    if constexpr (std::is_void_v<Output>) {
      fn_();
      return kReady;
    } else {
      return fn_();
    }
  }

 private:
  Fn fn_;
};

template <typename Fn>
auto SpawnBlockingOn(Scheduler& scheduler, BlockingClass blocking_class, Fn&& fn,
                     const TaskLabel& label) {
  scheduler.fork_check().DieInChild();
  TaskScheduler& closures = scheduler.closures();
  auto [task, handle] = NewTask(Closure<std::decay_t<Fn>>(std::forward<Fn>(fn)), &closures, label);
  scheduler.RunBlocking(task, blocking_class);
  return std::move(handle);
}

}  // namespace scheduler_internal

// A reference to a runtime: cheap to copy, usable on any thread. It keeps the
// scheduler's memory, not its threads: what is spawned after the shutdown is
// cancelled at once.
class Handle {
 public:
  // The runtime that this thread works for; dies with a message outside of one.
  [[nodiscard]] static Handle Current();
  // The same, or nothing.
  [[nodiscard]] static std::optional<Handle> TryCurrent();

  // As the free functions.
  template <Spawnable F>
  JoinHandle<SpawnOutput<F>> Spawn(F&& spawnable,
                                   TaskLabel label = std::source_location::current()) const {
    return SpawnOn(*scheduler_, std::forward<F>(spawnable), label);
  }
  template <std::invocable Fn>
  auto SpawnBlocking(Fn&& fn, TaskLabel label = std::source_location::current()) const {
    return SpawnBlocking(BlockingClass::kGeneral, std::forward<Fn>(fn), label);
  }
  template <std::invocable Fn>
  auto SpawnBlocking(BlockingClass blocking_class, Fn&& fn,
                     TaskLabel label = std::source_location::current()) const {
    return scheduler_internal::SpawnBlockingOn(*scheduler_, blocking_class, std::forward<Fn>(fn),
                                               label);
  }
  [[nodiscard]] RuntimeMetrics Metrics() const { return scheduler_->Metrics(); }

 private:
  friend class Runtime;
  explicit Handle(std::shared_ptr<scheduler_internal::Scheduler> scheduler)
      : scheduler_(std::move(scheduler)) {}

  std::shared_ptr<scheduler_internal::Scheduler> scheduler_;
};

class Runtime {
 public:
  // A simulated runtime: the same seed replays the same schedule. It has no real I/O
  // and no threads. For tests: see simulation.h, and simulation_testing.h, which tries
  // many seeds.
  [[nodiscard]] static Runtime Simulated(std::uint64_t seed);

  // An empty runtime, to be assigned to.
  Runtime() = default;
  Runtime(Runtime&&) noexcept = default;
  Runtime& operator=(Runtime&& other) noexcept;
  // ShutdownTimeout(absl::InfiniteDuration()).
  ~Runtime();

  // Polls `spawnable`'s future on this thread until it is ready. Tasks run
  // meanwhile: on the workers, or, current-thread, on this thread. A second
  // BlockOn of a current-thread runtime waits until the first has ended. Dies
  // with a message inside a runtime, whose thread it would block; in BlockInPlace
  // it may.
  template <Spawnable F>
  SpawnOutput<F> BlockOn(F&& spawnable) {
    // First in, last out: the future's destructor may use the runtime, too.
    scheduler_internal::BlockOnScope scope(*Checked());
    auto future = ToFuture(std::forward<F>(spawnable));
    return scope.Run(future);
  }

  // Runs tasks until none is alive: all have ended, those that were spawned meanwhile
  // included (what Asio calls run()). On this thread, or, multi-thread, on the workers,
  // while this thread waits. Blocking closures count if a task waits for them. Like
  // BlockOn in all else.
  void Run();

  // A new task. See home/task/spawn.h.
  template <Spawnable F>
  JoinHandle<SpawnOutput<F>> Spawn(F&& spawnable,
                                   TaskLabel label = std::source_location::current()) {
    return SpawnOn(*Checked(), std::forward<F>(spawnable), label);
  }
  template <std::invocable Fn>
  auto SpawnBlocking(Fn&& fn, TaskLabel label = std::source_location::current()) {
    return SpawnBlocking(BlockingClass::kGeneral, std::forward<Fn>(fn), label);
  }
  template <std::invocable Fn>
  auto SpawnBlocking(BlockingClass blocking_class, Fn&& fn,
                     TaskLabel label = std::source_location::current()) {
    return scheduler_internal::SpawnBlockingOn(*Checked(), blocking_class, std::forward<Fn>(fn),
                                               label);
  }

  [[nodiscard]] Handle handle() { return Handle(Checked()->shared_from_this()); }
  [[nodiscard]] RuntimeMetrics Metrics() const { return Checked()->Metrics(); }

  // Ends the runtime: every worker stops after the poll it is in, every task is
  // cancelled and its future destroyed, blocking closures that were not started
  // are cancelled and the others waited for. Waits for all that up to `timeout`.
  // False: the time was over first; what still runs goes on by itself and cleans
  // up after itself, and must not use what the caller destroys next. The runtime
  // is empty afterwards.
  bool ShutdownTimeout(absl::Duration timeout);
  // The same without waiting. May be called by the runtime's own tasks (multi-thread) and
  // closures, too.
  void ShutdownBackground();

 private:
  friend class RuntimeBuilder;
  explicit Runtime(std::shared_ptr<scheduler_internal::Scheduler> scheduler)
      : scheduler_(std::move(scheduler)) {}

  [[nodiscard]] scheduler_internal::Scheduler* Checked() const;

  std::shared_ptr<scheduler_internal::Scheduler> scheduler_;
};

// Makes a Runtime. Each option says its default.
class RuntimeBuilder {
 public:
  RuntimeBuilder() = default;

  // Multi-thread with `n` workers, 1 to 1024. Default: what the environment variable
  // HOME_WORKER_THREADS says, or one a processor that the process may use: those of the
  // affinity mask, but no more than the quota of its control groups, rounded up.
  RuntimeBuilder& WorkerThreads(std::size_t n);
  // Current-thread: tasks run inside BlockOn.
  RuntimeBuilder& CurrentThread();
  // Simulated: what Runtime::Simulated() makes, with options.
  RuntimeBuilder& Simulated(SimulationOptions options);
  // How many closures of a class SpawnBlocking runs at once, at least 1; those above it
  // wait. There are at most as many blocking threads as the limits of all classes
  // together. Default: kDefaultBlockingLimits (home/scheduler/blocking_class.h).
  RuntimeBuilder& MaxBlockingThreads(BlockingClass blocking_class, std::size_t n);
  // The same of BlockingClass::kGeneral. Default: 512.
  RuntimeBuilder& MaxBlockingThreads(std::size_t n);
  // How long an idle blocking thread stays. Default: 10 s.
  RuntimeBuilder& BlockingKeepAlive(absl::Duration keep_alive);
  // What the workers are called: NAME-0, NAME-1, ... Default: "home-worker".
  RuntimeBuilder& ThreadName(std::string name);
  // The least stack of every thread, workers and blocking ones, in bytes; the system has a least
  // size (16 KiB on Linux). Default: what the system gives (8 MiB of address space, usually).
  RuntimeBuilder& ThreadStackSize(std::size_t bytes);
  // Whether each worker stays on one processor of its own, as far as there are enough.
  // Good for a process that has the machine to itself, and bad for any other. Default: no.
  RuntimeBuilder& PinWorkers(bool pin);
  // Makes what workers draw at random depend on `seed` alone: whom they steal from, and
  // what futures draw on them (home/future/random.h). The system still decides who runs
  // when. Default: steals as if by 0, and futures differently in every process.
  RuntimeBuilder& Seed(std::uint64_t seed);
  // How many tasks a busy worker runs between two looks at the global queue, where tasks
  // from other threads arrive, at least 1. Default: 31.
  RuntimeBuilder& GlobalQueueInterval(std::uint32_t tasks);
  // How many tasks a busy worker runs between two looks at timers and reactor,
  // at least 1. Default: 61.
  RuntimeBuilder& EventInterval(std::uint32_t tasks);
  // How many steps a task may take in one poll before it yields, at least 1; see
  // home/future/context.h. Default: 128.
  RuntimeBuilder& TaskBudget(std::uint32_t steps);
  // Where timers and metrics read the time; must outlive the runtime. Not for the
  // simulated flavour, which has its own. Default: the machine's monotonic clock.
  RuntimeBuilder& WithClock(const Clock* clock);
  // What the operations of home/reactor/io.h are carried out by. Those on files that the
  // readiness engine leaves to threads run as closures of BlockingClass::kFile. The simulated
  // flavour has files only, and its thread waits for them. Default: kBest, where a single worker
  // counts as one thread.
  RuntimeBuilder& Io(IoBackend backend);
  // Whether histograms are kept of how long polls take and how long tasks wait for
  // them (home/scheduler/metrics.h): the clock is read twice or three times a poll,
  // some 25 ns each. Default: no.
  RuntimeBuilder& TimeHistograms(bool on);
  // From which length on a poll of a worker's is counted and reported, and others run its
  // queue (home/scheduler/watchdog.h): at least 1 ms, or infinite for never. While all workers
  // are in such polls, and there is more than one worker, one more thread runs tasks
  // (home/scheduler/stand_in.h). A thread looks four times in this time, while anything runs.
  // Multi-thread only. Default: 100 ms.
  RuntimeBuilder& LongPollThreshold(absl::Duration threshold);
  // Called on that thread for each such poll, and again whenever it has taken twice as long as
  // it had then. Must not throw, and should not block. Default: logs to standard error.
  RuntimeBuilder& OnLongPoll(LongPollHandler handler);
  // Called on the worker with exceptions of tasks that were detached before they
  // failed (join_handle.h tells of the others). Must not throw. Default: logs to standard
  // error.
  RuntimeBuilder& OnPanic(PanicHandler handler);
  // The same by policy; each logs to standard error first. kShutDown: workers stop
  // after the poll that they are in and cancel all tasks (current-thread, the
  // Runtime's end does), spawns are cancelled, and every BlockOn, under way or
  // later, drops its future and throws the task's exception. The Runtime remains to
  // be shut down or destroyed as usual.
  RuntimeBuilder& OnPanic(PanicPolicy policy);

  // Hooks, see hooks.h. Default: none.
  // The first and the last thing that each thread does, workers and blocking ones. The
  // current-thread flavour has no threads but the latter.
  RuntimeBuilder& OnThreadStart(ThreadHook hook);
  RuntimeBuilder& OnThreadStop(ThreadHook hook);
  // For allocators that keep memory until they are asked for it: on each worker, when it has
  // nothing to do, once after tasks that ended have given a MiB of frames and more back to the
  // allocator, and no more than that for half a second (home/scheduler/memory_release.h). What it
  // does is up to the allocator: mi_collect(true) for mimalloc, malloc_trim(0) for glibc's. May
  // block for some time, as the one exception: what is woken on this worker meanwhile waits, or is
  // taken over by others. The current-thread flavour calls it inside BlockOn, the simulated one
  // never.
  RuntimeBuilder& OnMemoryFreed(ThreadHook hook);
  // On the thread that spawns, before the task can run.
  RuntimeBuilder& OnTaskSpawn(TaskHook hook);
  // Around each poll of a task.
  RuntimeBuilder& OnPollBegin(TaskHook hook);
  RuntimeBuilder& OnPollEnd(TaskHook hook);
  // After a task has ended in any way. Who joins it may know before.
  RuntimeBuilder& OnTaskFinish(TaskHook hook);

  // Starts the runtime. kInvalidArgument names an option that is out of range;
  // kResourceExhausted and the like say what the system refused.
  absl::StatusOr<Runtime> Build() const;

 private:
  scheduler_internal::SchedulerOptions options_;
  bool default_workers_ = true;
};

// Runs `fn()` on a thread that may block. The handle yields what it returned; to
// abort it has effect only until a thread has taken it. What waits for files or names
// says so by its class, lest it holds up what waits for something else.
template <std::invocable Fn>
auto SpawnBlocking(BlockingClass blocking_class, Fn&& fn,
                   TaskLabel label = std::source_location::current()) {
  return scheduler_internal::SpawnBlockingOn(
      scheduler_internal::CurrentSchedulerOrDie("SpawnBlocking"), blocking_class,
      std::forward<Fn>(fn), label);
}
template <std::invocable Fn>
auto SpawnBlocking(Fn&& fn, TaskLabel label = std::source_location::current()) {
  return SpawnBlocking(BlockingClass::kGeneral, std::forward<Fn>(fn), label);
}

}  // namespace home

#endif  // HOME_SCHEDULER_RUNTIME_H_
