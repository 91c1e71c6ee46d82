#include "home/scheduler/stand_in.h"

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"
#include "home/future/poll.h"
#include "home/future/ready.h"
#include "home/scheduler/local_tasks.h"
#include "home/scheduler/scheduler.h"
#include "home/scheduler/worker.h"
#include "home/task/run_task.h"
#include "home/task/spawnable.h"
#include "home/task/task_label.h"

namespace home::scheduler_internal {
namespace {

// How long a task from outside, or a timer that is armed meanwhile, waits at most for a thread
// that has nothing to run.
constexpr std::int64_t kNapNanoseconds = 1'000'000;

}  // namespace

// One turn. Counts among those for whom the drain waits, and ends also if no thread runs it.
class StandIn::Duty {
 public:
  explicit Duty(StandIn* stand_in) : stand_in_(stand_in) {}
  Duty(Duty&& other) noexcept
      : stand_in_(std::exchange(other.stand_in_, nullptr)), has_run_(other.has_run_) {}
  Duty& operator=(Duty&&) = delete;
  ~Duty() {
    if (stand_in_ == nullptr) return;
    // release: as in Run().
    if (!has_run_) stand_in_->standing_.store(false, std::memory_order_release);
    stand_in_->scheduler_.LeaveWorkers(1);
  }

  void Run() {
    has_run_ = true;
    stand_in_->Run();
  }

 private:
  StandIn* stand_in_;
  bool has_run_ = false;
};

void StandIn::AfterLook(bool all_stuck) {
  // acquire: T1. pairs with: Run(), ~Duty().
  if (standing_.load(std::memory_order_acquire)) {
    // relaxed: nothing is published.
    if (!all_stuck) relieved_.store(true, std::memory_order_relaxed);
    return;
  }
  if (all_stuck) return Start();
  if (turns() == 0 || !scheduler_.JoinWorkers()) return;
  worker_.DrainReleases();
  scheduler_.LeaveWorkers(1);
}

void StandIn::Start() {
  if (scheduler_.stopping() || !scheduler_.JoinWorkers()) return;
  Duty duty(this);
  turns_.Add();
  // relaxed: the pool's lock orders both before the thread.
  relieved_.store(false, std::memory_order_relaxed);
  standing_.store(true, std::memory_order_relaxed);
  auto [task, handle] =
      NewTask(PollFn([duty = std::move(duty)](Context&) mutable -> home::Poll<void> {
                duty.Run();
                return kReady;
              }),
              &scheduler_.blocking(), TaskLabel("a stand-in"));
  scheduler_.blocking().RunAtOnce(task);
}

void StandIn::Run() {
  SchedulerParker parker;
  LocalTasks local(scheduler_, [&parker] { parker.Unpark(); });
  RunTasks(local, parker);
  worker_.DrainReleases();
  // release: T1. pairs with: AfterLook().
  standing_.store(false, std::memory_order_release);
  scheduler_.RunPinned(local, parker);
}

void StandIn::RunTasks(LocalTasks& local, SchedulerParker& parker) {
  const SchedulerOptions& options = scheduler_.options();
  // relaxed: nothing is read behind it.
  for (std::uint32_t tick = 0; !scheduler_.stopping() && !relieved_.load(std::memory_order_relaxed);
       ++tick) {
    scheduler_.fork_check().DieInChild();
    if (tick % options.event_interval == 0) static_cast<void>(Drive(0));
    // Pinned tasks and the others take turns, and so do the queues.
    if (tick % 2 == 0 && local.RunOne()) continue;
    const bool steal_first = tick % 3 == 0;
    TaskHeader* task = steal_first ? Steal() : TakeInjected();
    if (task == nullptr) task = steal_first ? TakeInjected() : Steal();
    if (task != nullptr) {
      if (worker_.PollTask(task, options.budget) == RunResult::kRescheduled) {
        scheduler_.Inject(task);
      }
    } else if (!local.RunOne() && !Drive(kNapNanoseconds)) {
      static_cast<void>(parker.ParkFor(absl::Nanoseconds(kNapNanoseconds)));
    }
    // No worker that goes to sleep after this may do so, and so report what has ended here.
    scheduler_.idle().Meet();
    scheduler_.ReportQuiet();
  }
}

TaskHeader* StandIn::TakeInjected() {
  TaskHeader* taken = nullptr;
  scheduler_.injector().PopBatch(/*limit=*/1, /*sharers=*/1,
                                 [&taken](TaskHeader* task) { taken = task; });
  return taken;
}

TaskHeader* StandIn::Steal() {
  for (std::size_t i = 0; i < scheduler_.workers(); ++i) {
    TaskHeader* const task = scheduler_.worker(i).StealFor(worker_, /*and_lifo=*/true);
    if (task == nullptr) continue;
    while (TaskHeader* more = worker_.TakeQueued()) scheduler_.Inject(more);
    return task;
  }
  return nullptr;
}

bool StandIn::Drive(std::int64_t nap_nanoseconds) {
  worker_.DrainReleases();
  if (!scheduler_.watch().TryTakeDriver()) return false;
  scheduler_.Drive(nap_nanoseconds);
  scheduler_.ReleaseDriver();
  return true;
}

}  // namespace home::scheduler_internal
