#include "home/scheduler/runtime.h"

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/future/fatal.h"
#include "home/scheduler/worker_count.h"

namespace home {

using scheduler_internal::CurrentScheduler;
using scheduler_internal::CurrentSchedulerOrDie;
using scheduler_internal::Scheduler;

Handle Handle::Current() {
  return Handle(CurrentSchedulerOrDie("Handle::Current").shared_from_this());
}

std::optional<Handle> Handle::TryCurrent() {
  Scheduler* scheduler = CurrentScheduler();
  if (scheduler == nullptr) return std::nullopt;
  return Handle(scheduler->shared_from_this());
}

Runtime& Runtime::operator=(Runtime&& other) noexcept {
  Runtime old(std::move(*this));
  scheduler_ = std::move(other.scheduler_);
  return *this;
}

Runtime::~Runtime() { ShutdownTimeout(absl::InfiniteDuration()); }

void Runtime::Run() {
  scheduler_internal::BlockOnScope scope(*Checked());
  auto quiet = scheduler_->Quiet();
  scope.Run(quiet);
}

void Runtime::ShutdownBackground() {
  if (scheduler_ == nullptr) return;
  std::shared_ptr<Scheduler> scheduler = std::move(scheduler_);
  if (scheduler->fork_check().InChild()) return Scheduler::Abandon(std::move(scheduler));
  static_cast<void>(scheduler->Shutdown(std::chrono::steady_clock::now()));
}

bool Runtime::ShutdownTimeout(absl::Duration timeout) {
  if (scheduler_ == nullptr) return true;
  if (scheduler_->fork_check().InChild()) {
    Scheduler::Abandon(std::move(scheduler_));
    return true;
  }
  if (CurrentScheduler() == scheduler_.get()) {
    Fatal(
        "a Runtime was shut down or destroyed inside itself, by one of its own tasks, closures "
        "or BlockOn calls: it would wait for itself (ShutdownBackground does not)");
  }
  const std::shared_ptr<Scheduler> scheduler = std::move(scheduler_);
  // More than the clock can hold counts as for ever.
  if (timeout > absl::Hours(24 * 365)) return scheduler->Shutdown(std::nullopt);
  return scheduler->Shutdown(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout));
}

Scheduler* Runtime::Checked() const {
  if (scheduler_ == nullptr) Fatal("use of a Runtime that is empty or was shut down");
  return scheduler_.get();
}

Runtime Runtime::Simulated(std::uint64_t seed) {
  // What a Build() may find wrong or not get, this one does not need.
  return *RuntimeBuilder().Simulated({.seed = seed}).Build();
}

RuntimeBuilder& RuntimeBuilder::WorkerThreads(std::size_t n) {
  options_.workers = n;
  options_.current_thread = false;
  options_.simulation.reset();
  default_workers_ = false;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::CurrentThread() {
  WorkerThreads(1);
  options_.current_thread = true;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::Simulated(SimulationOptions options) {
  CurrentThread();
  options_.simulation = std::move(options);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::MaxBlockingThreads(BlockingClass blocking_class, std::size_t n) {
  options_.blocking.limits[static_cast<std::size_t>(blocking_class)] = n;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::MaxBlockingThreads(std::size_t n) {
  return MaxBlockingThreads(BlockingClass::kGeneral, n);
}
RuntimeBuilder& RuntimeBuilder::BlockingKeepAlive(absl::Duration keep_alive) {
  options_.blocking.keep_alive = keep_alive;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::ThreadName(std::string name) {
  options_.thread_name = std::move(name);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::ThreadStackSize(std::size_t bytes) {
  options_.thread_stack_bytes = bytes;
  options_.blocking.thread_stack_bytes = bytes;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::PinWorkers(bool pin) {
  options_.pin_workers = pin;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::Seed(std::uint64_t seed) {
  options_.seed = seed;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::GlobalQueueInterval(std::uint32_t tasks) {
  options_.global_queue_interval = tasks;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnThreadStart(ThreadHook hook) {
  options_.hooks.thread_start = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnThreadStop(ThreadHook hook) {
  options_.hooks.thread_stop = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnMemoryFreed(ThreadHook hook) {
  options_.hooks.memory_freed = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnTaskSpawn(TaskHook hook) {
  options_.hooks.task_spawn = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnPollBegin(TaskHook hook) {
  options_.hooks.poll_begin = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnPollEnd(TaskHook hook) {
  options_.hooks.poll_end = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnTaskFinish(TaskHook hook) {
  options_.hooks.task_finish = std::move(hook);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::EventInterval(std::uint32_t tasks) {
  options_.event_interval = tasks;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::TaskBudget(std::uint32_t steps) {
  options_.budget = steps;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::Io(IoBackend backend) {
  options_.io.backend = backend;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::WithClock(const Clock* clock) {
  options_.clock = clock;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::TimeHistograms(bool on) {
  options_.time_histograms = on;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::LongPollThreshold(absl::Duration threshold) {
  options_.long_poll_threshold = threshold;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnLongPoll(LongPollHandler handler) {
  options_.long_poll_handler = std::move(handler);
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnPanic(PanicHandler handler) {
  options_.panic_handler = std::move(handler);
  options_.shut_down_on_panic = false;
  return *this;
}
RuntimeBuilder& RuntimeBuilder::OnPanic(PanicPolicy policy) {
  options_.panic_handler = nullptr;
  options_.shut_down_on_panic = policy == PanicPolicy::kShutDown;
  if (policy == PanicPolicy::kAbort) {
    options_.panic_handler = [](const TaskHeader& task, std::exception_ptr exception) {
      LogUnjoinedException(task, std::move(exception));
      Fatal("an exception ended a task that nobody joins");
    };
  }
  return *this;
}

absl::StatusOr<Runtime> RuntimeBuilder::Build() const {
  scheduler_internal::SchedulerOptions options = options_;
  if (default_workers_) {
    absl::StatusOr<std::size_t> workers = scheduler_internal::DefaultWorkers();
    if (!workers.ok()) return workers.status();
    options.workers = *workers;
  }
  if (options.workers < 1 || options.workers > scheduler_internal::kMaxWorkers) {
    return absl::InvalidArgumentError(absl::StrCat("RuntimeBuilder: WorkerThreads must be 1 to ",
                                                   scheduler_internal::kMaxWorkers, ", not ",
                                                   options.workers));
  }
  for (std::size_t i = 0; i < kBlockingClasses; ++i) {
    if (options.blocking.limits[i] < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("RuntimeBuilder: MaxBlockingThreads must be at least 1, for class ",
                       BlockingClassName(static_cast<BlockingClass>(i)), ", too"));
    }
  }
  if (options.event_interval < 1) {
    return absl::InvalidArgumentError("RuntimeBuilder: EventInterval must be at least 1");
  }
  if (options.global_queue_interval < 1) {
    return absl::InvalidArgumentError("RuntimeBuilder: GlobalQueueInterval must be at least 1");
  }
  if (options.budget < 1) {
    return absl::InvalidArgumentError("RuntimeBuilder: TaskBudget must be at least 1");
  }
  if (options.long_poll_threshold < absl::Milliseconds(1)) {
    return absl::InvalidArgumentError("RuntimeBuilder: LongPollThreshold must be at least 1 ms");
  }
  if (options.simulation && options.clock != nullptr) {
    return absl::InvalidArgumentError(
        "RuntimeBuilder: a simulated runtime has a clock of its own, not one by WithClock");
  }
  if (options.simulation && options.simulation->max_blocking_time < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        "RuntimeBuilder: SimulationOptions::max_blocking_time is negative");
  }
  absl::StatusOr<std::shared_ptr<Scheduler>> scheduler = Scheduler::Create(std::move(options));
  if (!scheduler.ok()) return scheduler.status();
  return Runtime(*std::move(scheduler));
}

RuntimeMetrics RuntimeMetrics::Snapshot() {
  return CurrentSchedulerOrDie("RuntimeMetrics::Snapshot").Metrics();
}

}  // namespace home
