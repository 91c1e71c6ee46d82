#include "home/scheduler/simulation.h"

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "home/future/fatal.h"
#include "home/future/lock_watch.h"
#include "home/future/random.h"
#include "home/reactor/poller.h"
#include "home/scheduler/injector.h"
#include "home/scheduler/local_tasks.h"
#include "home/scheduler/scheduler.h"
#include "home/scheduler/worker.h"
#include "home/task/run_task.h"
#include "home/timer/timer_service.h"

namespace home::scheduler_internal {
namespace {

// Random priorities are at least this; those that fell are below it.
constexpr std::uint64_t kFirstPriority = std::uint64_t{1} << 32;

// Blocking times are multiples of this.
constexpr absl::Duration kBlockingTimeUnit = absl::Microseconds(100);

// How many steps take no time at one moment, and what each further one takes.
constexpr std::uint64_t kFreeSteps = 1000;
constexpr absl::Duration kStepTime = absl::Microseconds(1);

class RefusingPoller final : public reactor_internal::Poller {
 public:
  absl::Status Add(int /*fd*/, Interest /*interest*/, std::uint64_t /*key*/) override {
    return absl::FailedPreconditionError(
        "register a descriptor: a simulated runtime has no real I/O, which no seed could replay");
  }
  void Remove(int /*fd*/) override {}
  std::size_t Wait(std::int64_t /*timeout_ns*/, absl::Span<Event> /*events*/) override { return 0; }
  bool Notify() override { return true; }
};

// A closure is ready at its first poll, so its task is never in a list.
struct NoList {
  void Bind(TaskHeader*) { Fatal("a blocking closure was pending"); }
  bool Unbind(TaskHeader*) { return true; }
  void ReleaseLater(TaskHeader*) {}
};

void RunClosure(TaskHeader* task) {
  NoList owner;
  static_cast<void>(RunTask(task, nullptr, owner));
}

void CancelClosure(TaskHeader* task) {
  AbortTask(task);
  RunClosure(task);
}

// FILE:LINE NAME of where a task was spawned, without the folders.
std::string SpawnOf(const TaskHeader& task) {
  std::string_view file = task.location.file_name();
  file.remove_prefix(file.rfind('/') + 1);
  return absl::StrCat(file, ":", task.location.line(), task.name() != nullptr ? " " : "",
                      task.name() != nullptr ? task.name() : "");
}

std::string Milliseconds(absl::Duration time) {
  const std::int64_t micros = absl::ToInt64Microseconds(time);
  char text[32];
  std::snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, micros / 1000, micros % 1000);
  return text;
}

}  // namespace

// -- Closures -------------------------------------------------------------------------

void Simulation::Closures::Schedule(TaskHeader* task) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) return arrived_.push_back(task);
  }
  CancelClosure(task);
}

void Simulation::Closures::OnUnjoinedException(const TaskHeader& task,
                                               std::exception_ptr exception) noexcept {
  scheduler_->OnUnjoinedException(task, std::move(exception));
}

std::vector<TaskHeader*> Simulation::Closures::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(arrived_, {});
}

void Simulation::Closures::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

// -- The loop -------------------------------------------------------------------------

Simulation::Simulation(SimulationOptions options, Scheduler* scheduler)
    : options_(std::move(options)),
      scheduler_(scheduler),
      start_(clock_.Now()),
      random_(options_.seed),
      lowest_priority_(kFirstPriority),
      closures_(scheduler) {
  // Each is drawn in any case, so that to fix one leaves the others.
  const bool drawn_priorities = random_.Below(2) == 1;
  const std::uint32_t drawn_fall_interval = 8u << (2 * random_.Below(3));
  const std::uint32_t drawn_spurious_interval = random_.Below(2) == 0 ? 0 : 16u << random_.Below(4);
  priorities_ = options_.strategy == SimulationStrategy::kBySeed
                    ? drawn_priorities
                    : options_.strategy == SimulationStrategy::kPriorities;
  fall_interval_ = drawn_fall_interval;
  spurious_interval_ = options_.spurious_interval.value_or(drawn_spurious_interval);
  main_priority_ = RandomPriority();
  if (options_.trace == nullptr) return;
  options_.trace(absl::StrCat(
      "seed ", options_.seed, ", ",
      priorities_ ? absl::StrCat("priorities, 1 fall in ", fall_interval_) : "random steps", ", ",
      spurious_interval_ == 0 ? "no spurious polls"
                              : absl::StrCat("1 spurious poll in ", spurious_interval_)));
}

std::unique_ptr<Reactor> Simulation::MakeReactor() {
  return Reactor::CreateOn(std::make_unique<RefusingPoller>());
}

Simulation::LocalScope::LocalScope(Simulation& simulation) : simulation_(simulation) {
  simulation_.local_ = LocalTasks::Current();
}

Simulation::LocalScope::~LocalScope() {
  LocalTasks* const local = std::exchange(simulation_.local_, nullptr);
  std::erase_if(simulation_.ready_, [local](const Step& step) {
    if (step.kind != Kind::kTask || step.task->scheduler != local) return false;
    local->Schedule(step.task);
    return true;
  });
  const std::vector<Live> live = simulation_.live_;
  for (const Live& one : live) {
    if (one.task->scheduler == local) simulation_.Forget(one.task);
  }
}

void Simulation::Run(const std::function<bool()>& done) {
  const LocalScope local(*this);
  const RandomScope random(random_.Bits());
  const std::uint64_t first = step_;
  while (true) {
    Collect();
    if (ready_.empty()) {
      scheduler_->ReportQuiet();
      Collect();
    }
    if (ready_.empty()) {
      if (!LeapToNext()) {
        Die("deadlock: BlockOn's future is not ready, no task is, no timer is armed and no "
            "blocking closure is under way (a wake from another thread is not waited for)");
      }
      continue;
    }
    if (step_ - first == options_.max_steps) Die("it takes more steps than max_steps allows");
    ++step_;
    Step step = TakeStep();
    switch (step.kind) {
      case Kind::kMain:
        main_ready_ = false;
        Trace("main", "poll");
        if (done()) {
          Trace("main", "end");
          Collect();
          return;
        }
        break;
      case Kind::kTask:
        RunTaskStep(step.task);
        break;
      case Kind::kTimer:
        std::move(step.waker).Wake();
        break;
      case Kind::kClosure:
        Trace(absl::StrCat("c", step.number), "run");
        RunClosure(step.task);
        Trace(absl::StrCat("c", step.number), "end");
        break;
    }
    if (spurious_interval_ != 0 && OneIn(spurious_interval_)) PollSpuriously();
    PassTime();
  }
}

void Simulation::RunTaskStep(TaskHeader* task) {
  // Of this number for good: the entry may move while the task spawns.
  const std::uint64_t number = LiveOf(task).number;
  TraceTask(number, "poll");
  const std::uint32_t full = scheduler_->options().budget;
  const std::uint32_t budget = OneIn(4) ? std::min(full, 1 + random_.Below(4)) : full;
  switch (task->scheduler == local_ ? scheduler_->worker(0).PollLocal(task, budget, *local_)
                                    : scheduler_->worker(0).PollTask(task, budget)) {
    case RunResult::kIdle:
      break;
    case RunResult::kRescheduled: {
      TraceTask(number, "yield");
      Live& live = LiveOf(task);
      live.priority = LowestPriority();
      AddStep(Kind::kTask, live.priority, task, number);
      break;
    }
    case RunResult::kComplete:
      Forget(task);
      TraceTask(number, "end");
      break;
  }
}

void Simulation::Collect() {
  scheduler_->injector().PopBatch(SIZE_MAX, /*sharers=*/1,
                                  [this](TaskHeader* task) { CollectTask(task); });
  while (TaskHeader* task = local_->Take()) CollectTask(task);
  for (TaskHeader* closure : closures_.Take()) {
    const std::uint64_t number = closures_seen_++;
    TraceSpawn('c', number, *closure);
    const std::int64_t units = options_.max_blocking_time / kBlockingTimeUnit;
    // Often none at all: then it competes with what is ready.
    const std::uint32_t limit =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(units, 0, UINT32_MAX - 1)) + 1;
    const std::uint32_t time = OneIn(2) ? 0 : random_.Below(limit);
    waiting_closures_.push_back({clock_.Now() + time * kBlockingTimeUnit, closure, number});
  }
  CollectDueClosures();
  if (scheduler_->TakeMainWoken() && !std::exchange(main_ready_, true)) {
    Trace("main", "wake");
    AddStep(Kind::kMain, main_priority_);
  }
}

void Simulation::CollectTask(TaskHeader* task) {
  const bool known = live_index_.contains(task);
  const Live& live = LiveOf(task);
  if (known) {
    TraceTask(live.number, "wake");
  } else {
    TraceSpawn('t', live.number, *task);
  }
  AddStep(Kind::kTask, live.priority, task, live.number);
}

void Simulation::CollectDueClosures() {
  const Instant now = clock_.Now();
  std::erase_if(waiting_closures_, [this, now](const WaitingClosure& closure) {
    if (closure.due > now) return false;
    AddStep(Kind::kClosure, RandomPriority(), closure.task, closure.number);
    return true;
  });
}

bool Simulation::LeapToNext() {
  // No timer is due before it; nothing need be due then.
  Instant next = scheduler_->timers().NextDeadline();
  for (const WaitingClosure& closure : waiting_closures_) next = std::min(next, closure.due);
  if (next.is_infinite()) return false;
  clock_.AdvanceTo(next);
  steps_at_moment_ = 0;
  FireTimers();
  CollectDueClosures();
  return true;
}

void Simulation::PassTime() {
  if (++steps_at_moment_ <= kFreeSteps) return;
  clock_.Advance(kStepTime);
  FireTimers();
}

void Simulation::FireTimers() {
  scheduler_->timers().FireAllExpired(clock_.Now(), due_);
  due_.TakeAll([this](Waker waker) {
    AddStep(Kind::kTimer, RandomPriority(), nullptr, 0, std::move(waker));
  });
}

Simulation::Step Simulation::TakeStep() {
  std::size_t index = 0;
  if (priorities_) {
    index = Highest();
    if (OneIn(fall_interval_)) {
      Step& falls = ready_[index];
      falls.priority = LowestPriority();
      if (falls.kind == Kind::kTask) LiveOf(falls.task).priority = falls.priority;
      if (falls.kind == Kind::kMain) main_priority_ = falls.priority;
      index = Highest();
    }
  } else {
    index = random_.Below(static_cast<std::uint32_t>(ready_.size()));
  }
  std::swap(ready_[index], ready_.back());
  Step step = std::move(ready_.back());
  ready_.pop_back();
  if (step.kind == Kind::kTimer) {
    const auto task = live_index_.find(step.waker.target());
    Trace("timer", task == live_index_.end() ? std::string("fires")
                                             : absl::StrCat("of t", live_[task->second].number));
  }
  return step;
}

std::size_t Simulation::Highest() const {
  const auto highest =
      std::max_element(ready_.begin(), ready_.end(),
                       [](const Step& a, const Step& b) { return a.priority < b.priority; });
  return static_cast<std::size_t>(highest - ready_.begin());
}

void Simulation::PollSpuriously() {
  const std::size_t index = random_.Below(static_cast<std::uint32_t>(live_.size()) + 1);
  if (index == live_.size()) {
    if (std::exchange(main_ready_, true)) return;
    Trace("main", "spurious");
    return AddStep(Kind::kMain, main_priority_);
  }
  const Live& live = live_[index];
  // Nothing if it is ready anyway.
  if (live.task->state.NotifyByRef() != NotifyResult::kSubmit) return;
  TraceTask(live.number, "spurious");
  AddStep(Kind::kTask, live.priority, live.task, live.number);
}

Simulation::Live& Simulation::LiveOf(TaskHeader* task) {
  const auto [place, is_new] = live_index_.try_emplace(task, live_.size());
  if (is_new) live_.push_back({task, tasks_seen_++, RandomPriority()});
  return live_[place->second];
}

void Simulation::Forget(TaskHeader* task) {
  const auto place = live_index_.find(task);
  const std::size_t index = place->second;
  live_index_.erase(place);
  if (index + 1 != live_.size()) {
    live_[index] = live_.back();
    live_index_[live_[index].task] = index;
  }
  live_.pop_back();
}

void Simulation::AddStep(Kind kind, std::uint64_t priority, TaskHeader* task, std::uint64_t number,
                         Waker waker) {
  ready_.push_back({kind, task, number, priority, std::move(waker)});
}

std::uint64_t Simulation::RandomPriority() { return kFirstPriority + (random_.Bits() >> 32); }

void Simulation::Close() {
  closures_.Close();
  std::vector<TaskHeader*> closures = closures_.Take();
  for (const WaitingClosure& closure : std::exchange(waiting_closures_, {})) {
    closures.push_back(closure.task);
  }
  for (const Step& step : std::exchange(ready_, {})) {
    if (step.kind == Kind::kClosure) closures.push_back(step.task);
    if (step.kind == Kind::kTask) scheduler_->Schedule(step.task);
  }
  for (TaskHeader* closure : closures) CancelClosure(closure);
}

// -- What it says ---------------------------------------------------------------------

void Simulation::Trace(std::string_view who, std::string_view what) {
  if (options_.trace == nullptr) return;
  options_.trace(
      absl::StrCat(step_, " ", Milliseconds(clock_.Now() - start_), " ", who, " ", what));
}

void Simulation::TraceTask(std::uint64_t number, std::string_view what) {
  if (options_.trace != nullptr) Trace(absl::StrCat("t", number), what);
}

void Simulation::TraceSpawn(char kind, std::uint64_t number, const TaskHeader& task) {
  if (options_.trace == nullptr) return;
  const char prefix[] = {kind, '\0'};
  Trace(absl::StrCat(prefix, number), absl::StrCat("spawn ", SpawnOf(task)));
}

void Simulation::Die(std::string_view why) const {
  std::string message =
      absl::StrCat("simulation with seed ", options_.seed, ", step ", step_, " at ",
                   Milliseconds(clock_.Now() - start_), " ms: ", why, ". ");
  std::vector<Live> tasks = live_;
  std::sort(tasks.begin(), tasks.end(),
            [](const Live& a, const Live& b) { return a.number < b.number; });
  absl::StrAppend(&message, tasks.empty()
                                ? "There are no tasks."
                                : "Tasks, where they were spawned, and what they wait for:");
  constexpr std::size_t kMost = 100;
  for (std::size_t i = 0; i < std::min(tasks.size(), kMost); ++i) {
    const TaskHeader& task = *tasks[i].task;
    absl::StrAppend(&message, "\n  t", tasks[i].number, " ", SpawnOf(task));
    // relaxed: this thread's own.
    if (const char* reason = task.wait_reason.load(std::memory_order_relaxed)) {
      absl::StrAppend(&message, ", waits for ", reason);
    }
  }
  if (tasks.size() > kMost) absl::StrAppend(&message, "\n  and ", tasks.size() - kMost, " more");
  if (const std::string locks = LockReport(); !locks.empty()) {
    absl::StrAppend(&message, "\nLocks, of a debug build:\n", locks);
  }
  Fatal(message.c_str());
}

}  // namespace home::scheduler_internal
