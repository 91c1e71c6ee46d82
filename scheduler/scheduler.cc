#include "home/scheduler/scheduler.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "home/future/async.h"
#include "home/future/fatal.h"
#include "home/future/frame_allocator.h"
#include "home/future/lock_watch.h"
#include "home/future/random.h"
#include "home/future/ready.h"
#include "home/future/wake_list.h"
#include "home/scheduler/context.h"
#include "home/scheduler/local_tasks.h"
#include "home/scheduler/platform.h"
#include "home/scheduler/runtime.h"
#include "home/scheduler/worker.h"
#include "home/task/run_task.h"
#include "home/task/spawnable.h"
#include "home/task/task_label.h"

namespace home::scheduler_internal {
namespace {

// Runs the cancellation of tasks that are in no list.
struct NoList {
  void Bind(TaskHeader*) { Fatal("a cancelled task was polled"); }
  bool Unbind(TaskHeader*) { return true; }
  void ReleaseLater(TaskHeader*) {}
};

// The drain: all lists are its own.
struct DrainOwner {
  Scheduler& scheduler;
  void Bind(TaskHeader*) { Fatal("a cancelled task was polled"); }
  bool Unbind(TaskHeader* task) {
    scheduler.worker(task->owner).Unlink(task);
    return true;
  }
  void ReleaseLater(TaskHeader*) {}
};

template <typename Owner>
void CancelQueued(TaskHeader* task, Owner& owner) {
  AbortTask(task);
  static_cast<void>(RunTask(task, nullptr, owner));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Scheduler>> Scheduler::Create(SchedulerOptions options) {
  // Set before there is a thread that could start an operation.
  auto self = std::make_shared<std::weak_ptr<Scheduler>>();
  options.io.offload = [self](absl::AnyInvocable<void()&&> closure) {
    const std::shared_ptr<Scheduler> scheduler = self->lock();
    if (scheduler == nullptr) return;
    static_cast<void>(SpawnBlockingOn(
        *scheduler, BlockingClass::kFile,
        [closure = std::move(closure)]() mutable { std::move(closure)(); }, TaskLabel("file I/O")));
  };
  options.io.one_thread = options.workers == 1;
  absl::StatusOr<std::unique_ptr<Reactor>> reactor =
      options.simulation ? Simulation::MakeReactor() : Reactor::Create(options.io);
  if (!reactor.ok()) return reactor.status();
  if (options.panic_handler == nullptr) options.panic_handler = LogUnjoinedException;
  if (options.long_poll_handler == nullptr) options.long_poll_handler = LogLongPoll;
  auto scheduler =
      std::shared_ptr<Scheduler>(new Scheduler(std::move(options), *std::move(reactor)));
  *self = scheduler;
  if (scheduler->options_.current_thread) return scheduler;
  absl::Status status = scheduler->StartThreads();
  if (status.ok()) return scheduler;
  static_cast<void>(scheduler->Shutdown(std::nullopt));
  return status;
}

Scheduler::Scheduler(SchedulerOptions options, std::unique_ptr<Reactor> reactor)
    : options_(std::move(options)),
      processors_(options_.pin_workers ? std::make_unique<const Processors>() : nullptr),
      reactor_(std::move(reactor)),
      simulation_(options_.simulation ? std::make_unique<Simulation>(*options_.simulation, this)
                                      : nullptr),
      clock_([this] {
        if (simulation_ != nullptr) return &simulation_->clock();
        return options_.clock != nullptr ? options_.clock : Clock::Real();
      }()),
      timers_(options_.workers + 1, clock_, [this] { reactor_->Wake(); }),
      blocking_([this] {
        BlockingPoolOptions blocking = options_.blocking;
        blocking.keep_alive_for_thread = [this] { return shared_from_this(); };
        blocking.around_thread = [this](const std::function<void()>& body) {
          // A thread inherits the mask of the worker that starts it.
          if (processors_ != nullptr) processors_->UnpinThread();
          const EnterScope scope(this, outside_shard());
          const ThreadHooksScope hooks(options_.hooks);
          body();
        };
        blocking.on_exception = [this](const TaskHeader& task, std::exception_ptr exception) {
          OnUnjoinedException(task, std::move(exception));
        };
        return blocking;
      }()),
      idle_(options_.workers),
      watch_(idle_, options_.workers),
      watchdog_(options_.long_poll_threshold, options_.long_poll_handler,
                workers() == 1 ? 1 : workers() + 1),
      memory_release_(FrameBytesReturned()) {
  for (std::size_t i = 0; i < workers(); ++i) {
    workers_.push_back(std::make_unique<Worker>(this, i));
  }
  if (workers() == 1) return;
  workers_.push_back(std::make_unique<Worker>(this, workers()));
  stand_in_ = std::make_unique<StandIn>(*this, *workers_.back());
}

Scheduler::~Scheduler() = default;

absl::Status Scheduler::StartThreads() {
  {
    const std::lock_guard lock(mutex_);
    running_ = workers();
  }
  for (std::size_t i = 0; i < workers(); ++i) {
    absl::StatusOr<Thread> thread = Thread::Start(
        options_.thread_stack_bytes, [self = shared_from_this(), i] { self->RunWorkerThread(i); });
    if (!thread.ok()) {
      LeaveWorkers(workers() - i);
      return absl::Status(thread.status().code(),
                          absl::StrCat("runtime: worker ", i + 1, " of ", workers(), ": ",
                                       thread.status().message()));
    }
    threads_.push_back(*thread);
  }
  if (options_.long_poll_threshold == absl::InfiniteDuration()) return absl::OkStatus();
  absl::StatusOr<Thread> watchdog =
      Thread::Start(options_.thread_stack_bytes, [self = shared_from_this()] {
        SetThreadName("home-watchdog");
        self->watchdog_.Run(*self);
      });
  if (!watchdog.ok()) {
    return absl::Status(watchdog.status().code(),
                        absl::StrCat("runtime: watchdog: ", watchdog.status().message()));
  }
  threads_.push_back(*watchdog);
  return absl::OkStatus();
}

void Scheduler::RunWorkerThread(std::size_t index) {
  std::function<void()> last = [this] { LeaveWorkers(1); };
  {
    const EnterScope scope(this, outside_shard());
    const ThreadHooksScope hooks(options_.hooks);
    // It may become one of the pool's threads.
    if (!WorkAs(index)) last = blocking_.Serve();
  }
  if (last) last();
}

bool Scheduler::WorkAs(std::size_t index) {
  SetThreadName(absl::StrCat(options_.thread_name, "-", index));
  if (processors_ != nullptr) processors_->PinThread(index);
  std::optional<RandomScope> random;
  if (options_.seed) random.emplace(*options_.seed + index);
  Worker* const worker = workers_[index].get();
  const EnterScope scope(this, index);
  const CurrentWorkerScope current(worker);
  // For a time when this thread is no worker any more.
  SchedulerParker parker;
  bool kept = false;
  {
    // Ends first: its tasks are cancelled on this thread.
    LocalTasks local(*this, [worker, &parker] {
      worker->Unpark();
      parker.Unpark();
    });
    kept = worker->RunUntilStopped();
    if (!kept) RunPinned(local, parker);
  }
  if (kept) return true;
  // From here on it is the pool's.
  SetThreadName(options_.blocking.thread_name);
  if (processors_ != nullptr) processors_->UnpinThread();
  EndInPlace();
  return false;
}

void Scheduler::RunPinned(LocalTasks& local, SchedulerParker& parker) {
  {
    const std::lock_guard lock(mutex_);
    pinned_parkers_.push_back(&parker);
  }
  // Whoever stops the runtime before this look is seen; whoever does it later finds the parker.
  while (local.any() && !stopping()) {
    fork_check_.DieInChild();
    if (!local.RunOne()) parker.Park();
  }
  const std::lock_guard lock(mutex_);
  std::erase(pinned_parkers_, &parker);
}

void Scheduler::OfferWorker(Worker& worker, std::uint64_t offer) {
  // Whoever takes it runs the worker, as far as need be to its end.
  auto [task, handle] = NewTask(PollFn([this, &worker, offer](Context&) -> home::Poll<void> {
                                  if (!worker.Accept(offer)) return kReady;
                                  if (WorkAs(worker.index())) {
                                    BlockingPool::EndThread([this] { LeaveWorkers(1); });
                                  }
                                  return kReady;
                                }),
                                &blocking_, TaskLabel("a worker"));
  // relaxed: who drains comes after whoever takes the worker. pairs with: Drain().
  in_place_.fetch_add(1, std::memory_order_relaxed);
  blocking_.RunAtOnce(task);
}

void Scheduler::EndInPlace() {
  // release: all that was done in place. pairs with: Drain().
  in_place_.fetch_sub(1, std::memory_order_release);
}

void Scheduler::Stop() {
  stopping_.store(true, std::memory_order_release);  // release: pairs with stopping()
  for (const auto& worker : workers_) worker->Unpark();
  const std::lock_guard lock(mutex_);
  for (SchedulerParker* parker : pinned_parkers_) parker->Unpark();
}

void Scheduler::Schedule(TaskHeader* task) noexcept {
  StampQueued(task);
  Worker* worker = Worker::Current();
  if (worker != nullptr && worker->scheduler() == this) {
    worker->PushWoken(task);
  } else {
    Inject(task);
  }
}

void Scheduler::Submit(TaskHeader* task) noexcept {
  StampQueued(task);
  if (ABSL_PREDICT_FALSE(static_cast<bool>(options_.hooks.task_spawn))) {
    options_.hooks.task_spawn(TaskInfo(*task));
  }
  Worker* worker = Worker::Current();
  if (worker != nullptr && worker->scheduler() == this) return worker->PushSpawned(task);
  // relaxed: a figure.
  outside_spawned_.fetch_add(1, std::memory_order_relaxed);
  Inject(task);
}

void Scheduler::CountSpawn(const TaskHeader& task) {
  CallHook(options_.hooks.task_spawn, TaskInfo(task));
  Worker* worker = Worker::Current();
  if (worker != nullptr && worker->scheduler() == this) return worker->CountSpawn();
  // relaxed: a figure.
  outside_spawned_.fetch_add(1, std::memory_order_relaxed);
}

void Scheduler::CountEnd() {
  Worker* worker = Worker::Current();
  if (worker != nullptr && worker->scheduler() == this) return worker->CountEnd();
  // release: as Worker::CountEnd().
  outside_completed_.fetch_add(1, std::memory_order_release);
  // No worker goes to sleep after this, and would report it.
  idle_.Meet();
  ReportQuiet();
}

void Scheduler::Inject(TaskHeader* task) noexcept {
  fork_check_.DieInChild();
  bool pushed = false;
  {
    Injector::Visit visit(injector_);
    pushed = visit.Push(task);
    if (pushed) NotifyOne();
  }
  if (pushed) return;
  // Closed: only a task that was just made can come here, see Shutdown above.
  outside_completed_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a figure
  NoList owner;
  const TaskInfo info(*task);
  CancelQueued(task, owner);
  CallHook(options_.hooks.task_finish, info);
}

void Scheduler::OnUnjoinedException(const TaskHeader& task, std::exception_ptr exception) noexcept {
  options_.panic_handler(task, exception);
  if (options_.shut_down_on_panic) ShutDownBecauseOf(std::move(exception));
}

void Scheduler::ShutDownBecauseOf(std::exception_ptr exception) {
  {
    const std::lock_guard lock(panic_mutex_);
    if (panic_ != nullptr) return;
    panic_ = std::move(exception);
    // release: whoever sees the flag sees the exception. pairs with: Panic().
    panicked_.store(true, std::memory_order_release);
  }
  if (options_.current_thread) {
    // The BlockOn, if there is one, leaves its loop; the tasks are cancelled with
    // the Runtime.
    WakeMain();
  } else {
    Stop();
  }
  WakeList wakes;
  {
    const std::lock_guard lock(panic_mutex_);
    // Their places stay, for ForgetOnPanic().
    for (Waker& waker : panic_wakers_) wakes.Push(std::move(waker));
  }
  wakes.WakeAll();
}

void Scheduler::RunHere(const std::function<bool()>& done) {
  const std::lock_guard lock(run_here_mutex_);
  // release: as WakeMain().
  main_woken_.store(true, std::memory_order_release);
  // On no worker, so that all that is woken goes through the injector.
  if (simulation_ != nullptr) return simulation_->Run(done);
  const CurrentWorkerScope current(workers_[0].get());
  workers_[0]->RunUntil([this, &done] { return TakeMainWoken() && done(); });
}

bool Scheduler::TakeMainWoken() {
  // relaxed: a guess that the exchange verifies.
  if (!main_woken_.load(std::memory_order_relaxed)) return false;
  // acquire: what happened before the wake. pairs with: WakeMain().
  return main_woken_.exchange(false, std::memory_order_acquire);
}

void Scheduler::WakeMain() {
  // release: see RunHere(). Before the unpark, so that it is seen after it.
  main_woken_.store(true, std::memory_order_release);
  workers_[0]->Unpark();
}

TaskScheduler& Scheduler::closures() {
  if (simulation_ != nullptr) return simulation_->closures();
  return blocking_;
}

void Scheduler::RunBlocking(TaskHeader* task, BlockingClass blocking_class) noexcept {
  if (simulation_ != nullptr) return simulation_->closures().Schedule(task);
  blocking_.Run(task, blocking_class);
}

void Scheduler::EndSleepHere() { workers_[0]->Unpark(); }

std::exception_ptr Scheduler::Panic() const {
  // acquire: pairs with ShutDownBecauseOf().
  if (!panicked_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(panic_mutex_);
  return panic_;
}

Scheduler::PanicWakers::iterator Scheduler::WakeOnPanic(Waker waker) {
  const std::lock_guard lock(panic_mutex_);
  return panic_wakers_.insert(panic_wakers_.end(), std::move(waker));
}

void Scheduler::ForgetOnPanic(PanicWakers::iterator waker) {
  PanicWakers forgotten;
  const std::lock_guard lock(panic_mutex_);
  forgotten.splice(forgotten.end(), panic_wakers_, waker);
}

void Scheduler::EnterBlockOn() {
  // relaxed: misuse is all that it finds, and not every one.
  block_ons_.fetch_add(1, std::memory_order_relaxed);
}
void Scheduler::LeaveBlockOn() {
  // release: the BlockOn's uses of the scheduler. pairs with: Shutdown().
  block_ons_.fetch_sub(1, std::memory_order_release);
}

void Scheduler::ReleaseDriver() {
  if (const auto worker = watch_.ReleaseDriver()) workers_[*worker]->Unpark();
}

void Scheduler::KeepWatch() {
  if (const auto worker = watch_.Keep()) workers_[*worker]->Unpark();
}

void Scheduler::SetBlockedDriver(std::size_t index) {
  // relaxed: a preference.
  blocked_driver_.store(index, std::memory_order_relaxed);
}

void Scheduler::NotifyOne() {
  // relaxed: a preference.
  const std::size_t spared = blocked_driver_.load(std::memory_order_relaxed);
  if (const auto worker = idle_.WorkerToNotify(spared)) workers_[*worker]->Unpark();
}

bool Scheduler::WorkVisible() const {
  if (!injector_.empty()) return true;
  for (const auto& worker : workers_) {
    if (worker->WorkVisible()) return true;
  }
  return false;
}

bool Scheduler::Shutdown(Deadline deadline) {
  // acquire: pairs with LeaveBlockOn().
  if (block_ons_.load(std::memory_order_acquire) != 0) {
    Fatal("a Runtime was shut down or destroyed while a thread was inside its BlockOn");
  }
  blocking_.Close();
  Stop();
  bool drained = true;
  if (options_.current_thread) {
    const std::lock_guard lock(run_here_mutex_);
    Drain();
  } else {
    std::unique_lock lock(mutex_);
    drained = WaitUntil(drained_changed_, lock, deadline, [this] { return drained_; });
  }
  // One that was a worker at first may be the pool's by now.
  const bool ended = blocking_.AwaitThreads(deadline) && drained;
  for (Thread& thread : threads_) {
    if (ended) {
      thread.Join();
    } else {
      // It keeps the scheduler alive and drains it when it comes back.
      thread.Detach();
    }
  }
  threads_.clear();
  return ended;
}

void Scheduler::Abandon(std::shared_ptr<Scheduler> scheduler) {
  static std::mutex mutex;
  // Never destroyed, and so no leak.
  static auto& abandoned = *new std::vector<std::shared_ptr<Scheduler>>();
  const std::lock_guard lock(mutex);
  abandoned.push_back(std::move(scheduler));
}

bool Scheduler::JoinWorkers() {
  const std::lock_guard lock(mutex_);
  if (running_ == 0) return false;
  ++running_;
  return true;
}

void Scheduler::LeaveWorkers(std::size_t count) {
  {
    const std::lock_guard lock(mutex_);
    running_ -= count;
    if (running_ > 0) return;
  }
  watchdog_.Stop();
  // After a panic nobody has closed it yet.
  blocking_.Close();
  Drain();
  const std::lock_guard lock(mutex_);
  drained_ = true;
  drained_changed_.notify_all();
}

void Scheduler::Drain() {
  const EnterScope scope(this, outside_shard());
  // What destructors wake goes to the injector.
  const CurrentWorkerScope no_worker(nullptr);
  if (simulation_ != nullptr) simulation_->Close();
  DrainOwner owner{*this};
  // How long a task that is spawned in place waits for its cancellation.
  constexpr std::int64_t kNapNanoseconds = 1'000'000;
  injector_.Close([this, &owner] {
    std::uint64_t cancelled = 0;
    const auto cancel = [this, &owner, &cancelled](TaskHeader* task) {
      ++cancelled;
      const TaskInfo info(*task);
      CancelQueued(task, owner);
      CallHook(options_.hooks.task_finish, info);
    };
    // What is queued goes first, here and below: it is in the lists, too, and would only be
    // passed over there, again and again.
    const auto cancel_injected = [this, &cancel] {
      injector_.PopBatch(SIZE_MAX, /*sharers=*/1, cancel);
    };
    cancel_injected();
    for (const auto& worker : workers_) {
      while (TaskHeader* task = worker->TakeQueued()) cancel(task);
      worker->DrainReleases();
    }
    bool lists_empty = true;
    for (const auto& worker : workers_) {
      for (TaskHeader* task = worker->bound(); task != nullptr;) {
        const TaskInfo info(*task);
        if (ShutdownTask(task, owner)) {
          ++cancelled;
          CallHook(options_.hooks.task_finish, info);
          cancel_injected();
          // The cancellation may have changed the list anywhere.
          task = worker->bound();
        } else {
          task = task->list_next;
        }
      }
      lists_empty = lists_empty && worker->bound() == nullptr;
    }
    outside_completed_.fetch_add(cancelled, std::memory_order_relaxed);  // relaxed: a figure
    // acquire: pairs with EndInPlace().
    const bool in_place = in_place_.load(std::memory_order_acquire) != 0;
    if (in_place && cancelled == 0) Drive(kNapNanoseconds);
    return Injector::Pass{.progress = in_place || cancelled > 0,
                          .all_done = lists_empty && !in_place};
  });
  timers_.Close();
}

void Scheduler::Drive(std::int64_t nap_nanoseconds) {
  WakeList wakes;
  static_cast<void>(timers_.FireAllExpired(wakes));
  static_cast<void>(reactor_->Poll(wakes.empty() ? nap_nanoseconds : 0, wakes));
  wakes.WakeAll();
}

bool Scheduler::TasksAlive() const {
  // All ends first and then all spawns: each count only grows, so if they are the same,
  // then all that was spawned had ended at the moment between. acquire: see
  // Worker::completed().
  std::uint64_t completed = outside_completed_.load(std::memory_order_acquire);
  for (const auto& worker : workers_) completed += worker->completed();
  // relaxed: a spawn whose end was counted comes before that.
  std::uint64_t spawned = outside_spawned_.load(std::memory_order_relaxed);
  for (const auto& worker : workers_) spawned += worker->spawned();
  return completed != spawned;
}

void Scheduler::WakeIfQuiet() {
  if (TasksAlive()) return;
  WakeList wakes;
  {
    const std::lock_guard lock(quiet_mutex_);
    // Their places stay, for QuietFuture.
    for (const Waker& waker : quiet_wakers_) wakes.Push(waker.Clone());
  }
  wakes.WakeAll();
}

home::Poll<void> Scheduler::QuietFuture::Poll(Context& cx) {
  if (!waker_) {
    std::list<Waker> waker;
    waker.push_back(cx.waker().Clone());
    const std::lock_guard lock(scheduler_->quiet_mutex_);
    waker_ = waker.begin();
    scheduler_->quiet_wakers_.splice(scheduler_->quiet_wakers_.end(), waker);
    // relaxed: ordered by Meet().
    scheduler_->quiet_waiters_.fetch_add(1, std::memory_order_relaxed);
  }
  scheduler_->idle_.Meet();
  if (scheduler_->TasksAlive()) return kPending;
  Forget();
  return kReady;
}

void Scheduler::QuietFuture::Forget() {
  if (!waker_) return;
  std::list<Waker> forgotten;
  const std::lock_guard lock(scheduler_->quiet_mutex_);
  forgotten.splice(forgotten.end(), scheduler_->quiet_wakers_, *waker_);
  waker_.reset();
  // relaxed: only counts the list.
  scheduler_->quiet_waiters_.fetch_sub(1, std::memory_order_relaxed);
}

RuntimeMetrics Scheduler::Metrics() const {
  RuntimeMetrics metrics;
  // relaxed: figures.
  metrics.tasks_completed = outside_completed_.load(std::memory_order_relaxed);
  for (const auto& worker : workers_) {
    const WorkerMetrics figures = worker->Metrics();
    if (worker->index() < workers()) metrics.workers.push_back(figures);
    metrics.total += figures;
    if (const WorkerTimes* times = worker->times()) {
      if (!metrics.poll_time) {
        metrics.poll_time.emplace();
        metrics.schedule_latency.emplace();
      }
      times->poll.AddTo(*metrics.poll_time);
      times->latency.AddTo(*metrics.schedule_latency);
    }
  }
  if (stand_in_ != nullptr) metrics.stand_ins = stand_in_->turns();
  watchdog_.AddTo(metrics);
  metrics.lock_uses = LockUses();
  metrics.tasks_completed += metrics.total.completed;
  // Spawns are read anew, after all completions, lest more tasks seem to have
  // ended than were spawned. As nothing orders the counters, that may still be.
  metrics.tasks_spawned = outside_spawned_.load(std::memory_order_relaxed);
  for (const auto& worker : workers_) metrics.tasks_spawned += worker->Metrics().spawned;
  metrics.tasks_alive =
      metrics.tasks_spawned - std::min(metrics.tasks_spawned, metrics.tasks_completed);
  metrics.injected = injector_.pushed();
  metrics.injector_depth = injector_.size();
  const auto blocking = blocking_.counts();
  metrics.blocking_threads = blocking.threads;
  metrics.blocking_idle = blocking.idle;
  metrics.blocking_in_place = blocking_.in_place();
  for (std::size_t i = 0; i < kBlockingClasses; ++i) {
    metrics.blocking_classes[i] = {blocking.running[i], blocking.queued[i], blocking_.limits()[i]};
    metrics.blocking_queued += blocking.queued[i];
  }
  return metrics;
}

}  // namespace home::scheduler_internal
