// Simulation: the loop of the simulated flavour. One thread, virtual time, and
// every choice drawn from a seed, so that a failure can be had again.
//
//   Runtime runtime = Runtime::Simulated(42);
//   runtime.BlockOn(Main());   // the same, step by step, whenever it is run
//
// simulation_testing.h runs a test under many seeds.
//
// -- What is chosen -----------------------------------------------------------------
//
// A *step* is a poll of a task, a poll of BlockOn's future, a timer's waking of
// whoever waits for it, or a whole blocking closure. The loop takes one of those
// that are possible, runs it, and looks again. So the seed decides
//
//   - which of the tasks that are ready runs next, whatever woke it when: an order
//     that several workers could have brought about by themselves;
//   - in which order timers that are due at the same moment fire, and whether what
//     they wake comes before or after what was ready;
//   - how long a blocking closure takes, in virtual time, up to a limit. It runs as
//     one step at the end of that time;
//   - how large a task's budget is: now and then a few steps only, so that it yields
//     where it seldom would;
//   - when a future is polled though nobody woke it, as the contract allows;
//   - what is drawn from home/future/random.h: by a Select where it begins, by a
//     Retry how long it waits.
//
// Time stands still as long as a step is possible and then leaps to where the next
// timer or closure is due: a poll takes no time at all. So a timeout never comes
// early because a test machine is slow, and an hour of retries takes no time. Only
// when a thousand steps were taken at one moment each further one takes a microsecond:
// a task that yields until a timer fires would see no end otherwise.
//
// Strategies. Random: each possible step with the same probability. Priorities:
// that of PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler
// with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010): every task has a
// random priority, the highest one runs, and at random moments the one that would
// run falls below all others. It finds what needs one task to lag behind for
// long, which random steps hardly ever do. PCT places its few moments by the
// length of the run; here that is not known, so they come with a probability of
// which the seed draws the order of magnitude. And a task that yields falls as well,
// lest one that waits in a loop keeps out whom it waits for.
//
// The seed also draws the strategy and the rate of spurious polls, so that half of
// the runs have none (a lost wake shows only if nothing makes up for it). That
// each run leaves out something makes the whole find more: Groce et al., Swarm
// Testing, ISSTA 2012.
//
// -- What ends badly -----------------------------------------------------------------
//
// If BlockOn's future is not ready, no step is possible and none ever will be, the
// program has a deadlock: the process ends with a message that lists all tasks,
// with names and places of their spawns, and in a debug build who holds and awaits what of
// home/sync (home/future/lock_watch.h). So does one that takes more than max_steps.
//
// -- What must not be used -------------------------------------------------------------
//
// Real descriptors: to register one is an error, kFailedPrecondition. Other threads: a
// wake or spawn from one is heeded, but not waited for, and makes the schedule depend
// on the machine. The same goes for the real time, random numbers from elsewhere,
// and orders that depend on addresses. A blocking closure must not wait for a task:
// it runs on the same thread.
//
// -- The trace ---------------------------------------------------------------------------
//
// One line an event, the same bytes whenever the schedule is the same:
//
//   seed 42, priorities, 1 fall in 32, 1 spurious poll in 64      the run's traits
//   3 0.000 main poll                   step 3 at 0 ms: BlockOn's future
//   3 0.000 t0 spawn server.cc:17 name  spawned in this step
//   4 0.000 t0 poll                     tasks are numbered as they are spawned
//   5 7.000 timer of t0                 the time is up: it wakes task 0
//   5 7.000 t0 wake
//   6 7.000 t0 poll
//   6 7.000 t0 yield                    it woke itself during its poll
//   7 7.000 t0 poll
//   7 7.000 t0 end
//   8 9.300 c0 run                      a closure; "spawn" and "end" as for tasks
//   8 9.300 t1 spurious                 it will be polled, though nobody woke it
//
// Ideas: FoundationDB (deterministic simulation; tests as a search over seeds), Tokio's
// paused clock (time leaps when all is idle), Shuttle and Loom (schedulers as a strategy;
// PCT), madsim and Turmoil (a seeded executor, the seed in the failure's message).
//
// How it fits in: the scheduler takes it for a current-thread runtime without a worker.
// What is woken or spawned goes to the injector, on whatever thread, and from there into
// the list of possible steps; so no other flavour pays for it.
//
// Thread-safety: Run() by one thread at a time; closures() from any thread.

#ifndef HOME_SCHEDULER_SIMULATION_H_
#define HOME_SCHEDULER_SIMULATION_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "home/future/random.h"
#include "home/future/wake_list.h"
#include "home/future/waker.h"
#include "home/reactor/reactor.h"
#include "home/scheduler/simulation_options.h"
#include "home/task/task_header.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"

namespace home::scheduler_internal {

class LocalTasks;
class Scheduler;

class Simulation {
 public:
  Simulation(SimulationOptions options, Scheduler* scheduler);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // A reactor that refuses every descriptor.
  [[nodiscard]] static std::unique_ptr<Reactor> MakeReactor();
  // The virtual time.
  [[nodiscard]] const Clock& clock() const { return clock_; }
  // Where blocking closures go.
  [[nodiscard]] TaskScheduler& closures() { return closures_; }

  // Takes steps until `done` returns true; it is asked at each poll of BlockOn's
  // future. What is ready then stays so for the next Run(), or the drain.
  void Run(const std::function<bool()>& done);

  // By the drain: gives the tasks that are ready back to the injector, and cancels the
  // closures that have not run and those to come.
  void Close();

 private:
  enum class Kind : std::uint8_t { kMain, kTask, kTimer, kClosure };

  struct Step {
    Kind kind;
    // The task's or the closure's.
    TaskHeader* task = nullptr;
    std::uint64_t number = 0;
    std::uint64_t priority = 0;
    // A timer's.
    Waker waker;
  };
  // A task that is not complete.
  struct Live {
    TaskHeader* task = nullptr;
    std::uint64_t number = 0;
    std::uint64_t priority = 0;
  };
  struct WaitingClosure {
    Instant due;
    TaskHeader* task = nullptr;
    std::uint64_t number = 0;
  };

  // Takes closures in from any thread.
  class Closures final : public TaskScheduler {
   public:
    explicit Closures(Scheduler* scheduler) : scheduler_(scheduler) {}
    void Schedule(TaskHeader* task) noexcept override;
    void OnUnjoinedException(const TaskHeader& task,
                             std::exception_ptr exception) noexcept override;
    // Those that have come since the last call.
    [[nodiscard]] std::vector<TaskHeader*> Take();
    void Close();

   private:
    Scheduler* const scheduler_;
    std::mutex mutex_;
    std::vector<TaskHeader*> arrived_;  // under the mutex
    bool closed_ = false;               // under the mutex
  };

  // Gives back what is pinned to this thread, at the end of a Run(), to be cancelled.
  class LocalScope {
   public:
    explicit LocalScope(Simulation& simulation);
    LocalScope(const LocalScope&) = delete;
    LocalScope& operator=(const LocalScope&) = delete;
    ~LocalScope();

   private:
    Simulation& simulation_;
  };

  // What has become possible since the last step.
  void Collect();
  void CollectTask(TaskHeader* task);
  // Leaps to where something is due. False: nothing ever will be.
  [[nodiscard]] bool LeapToNext();
  // After a step: time passes if there were too many at this moment.
  void PassTime();
  void FireTimers();
  void CollectDueClosures();
  // Chooses one of ready_ and takes it out.
  [[nodiscard]] Step TakeStep();
  [[nodiscard]] std::size_t Highest() const;
  void RunTaskStep(TaskHeader* task);
  void PollSpuriously();
  // The entry of a task that is new is made.
  Live& LiveOf(TaskHeader* task);
  void Forget(TaskHeader* task);
  void AddStep(Kind kind, std::uint64_t priority, TaskHeader* task = nullptr,
               std::uint64_t number = 0, Waker waker = Waker());
  [[nodiscard]] std::uint64_t RandomPriority();
  // Below all that there are.
  [[nodiscard]] std::uint64_t LowestPriority() { return --lowest_priority_; }
  [[nodiscard]] bool OneIn(std::uint32_t n) { return random_.Below(n) == 0; }

  void Trace(std::string_view who, std::string_view what);
  void TraceTask(std::uint64_t number, std::string_view what);
  void TraceSpawn(char kind, std::uint64_t number, const TaskHeader& task);
  // Ends the process; lists the tasks.
  [[noreturn]] void Die(std::string_view why) const;

  const SimulationOptions options_;
  Scheduler* const scheduler_;
  PausedClock clock_;
  const Instant start_;
  RandomGenerator random_;
  // Drawn from the seed: false is random; one fall in so many steps.
  bool priorities_ = false;
  std::uint32_t fall_interval_ = 0;
  std::uint32_t spurious_interval_ = 0;

  // That of the thread in Run().
  LocalTasks* local_ = nullptr;
  std::uint64_t step_ = 0;
  std::uint64_t steps_at_moment_ = 0;
  std::vector<Step> ready_;
  bool main_ready_ = false;
  std::uint64_t main_priority_ = 0;
  std::uint64_t lowest_priority_;
  // All tasks that have been seen and are not complete, and where they are in it.
  std::vector<Live> live_;
  absl::flat_hash_map<const WakerTarget*, std::size_t> live_index_;
  std::uint64_t tasks_seen_ = 0;
  Closures closures_;
  std::vector<WaitingClosure> waiting_closures_;
  std::uint64_t closures_seen_ = 0;
  WakeList due_;
};

}  // namespace home::scheduler_internal

#endif  // HOME_SCHEDULER_SIMULATION_H_
