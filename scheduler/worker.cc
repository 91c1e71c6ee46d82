#include "home/scheduler/worker.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/time/time.h"
#include "home/future/frame_allocator.h"
#include "home/reactor/reactor.h"
#include "home/scheduler/hooks.h"
#include "home/scheduler/idle.h"
#include "home/scheduler/injector.h"
#include "home/scheduler/local_tasks.h"
#include "home/scheduler/memory_release.h"
#include "home/scheduler/poll_mark.h"
#include "home/scheduler/scheduler.h"
#include "home/scheduler/watchdog.h"
#include "home/task/task_info.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"
#include "home/timer/timer_service.h"

namespace home::scheduler_internal {
namespace {

// Reached through functions of this file alone: a coroutine may go on on another
// thread, and must not keep the address of a thread-local across an await.
thread_local Worker* current_worker = nullptr;

}  // namespace

CurrentWorkerScope::CurrentWorkerScope(Worker* worker) noexcept
    : previous_(std::exchange(current_worker, worker)) {}
CurrentWorkerScope::~CurrentWorkerScope() { current_worker = previous_; }

ABSL_ATTRIBUTE_NOINLINE Worker* Worker::Current() noexcept { return current_worker; }

Worker::Worker(Scheduler* scheduler, std::size_t index)
    : scheduler_(scheduler),
      index_(index),
      hooked_(scheduler->options().hooks.any_of_tasks()),
      plain_(!hooked_ && !scheduler->options().time_histograms),
      releases_memory_(static_cast<bool>(scheduler->options().hooks.memory_freed)),
      // xorshift has no state 0.
      random_(std::max(1u, (static_cast<std::uint32_t>(index) +
                            static_cast<std::uint32_t>(scheduler->options().seed.value_or(0))) *
                                   2654435761u +
                               1)),
      times_(scheduler->options().time_histograms ? std::make_unique<WorkerTimes>() : nullptr) {}

void Worker::MaintainNext() {
  const std::uint32_t event_interval = scheduler_->options().event_interval;
  tick_ = tick_ / event_interval * event_interval + event_interval - 1;
}

bool Worker::RunUntilStopped() {
  return Run([this] { return scheduler_->stopping(); });
}

void Worker::RunUntil(const std::function<bool()>& leave) {
  // The current-thread flavour, whose worker nobody gives away.
  static_cast<void>(Run([this, &leave] {
    // It may take long.
    poll_end_.reset();
    return leave();
  }));
}

template <typename Leave>
bool Worker::Run(const Leave& leave) {
  const std::uint32_t event_interval = scheduler_->options().event_interval;
  local_ = LocalTasks::Current();
  busy_.WakeUp(scheduler_->Now());
  while (true) {
    // The last task may have given this worker away: then nothing of it is ours.
    if (ABSL_PREDICT_FALSE(current_worker != this)) return false;
    if (leave()) break;
    if (++tick_ % event_interval == 0) Maintain();
    // Pinned tasks and the others take turns.
    const bool local_first = tick_ % 2 == 0;
    if (local_first && RunLocal()) continue;
    TaskHeader* task = NextTask();
    if (task == nullptr) {
      if (RunLocal()) continue;
      poll_end_.reset();
      task = Search();
    }
    if (task != nullptr) {
      if (searching_ || woken_) FoundWork();
      RunOne(task);
    } else {
      Park();
    }
  }
  // Out of the counts, lest somebody trusts this worker to search.
  if (searching_) FoundWork();
  busy_.Sleep(scheduler_->Now());
  return true;
}

// The owner of run_task.h in a poll: lends the worker, or `Owner`'s list of pinned tasks, as
// long as the thread has the worker.
template <typename Owner>
class Worker::Lent : public Stint {
 public:
  Lent(Worker& worker, Owner& owner, Stint* outer_stint = nullptr)
      : worker_(worker), owner_(owner) {
    outer = outer_stint;
    pinned = !std::is_same_v<Owner, Worker>;
  }

  void BeginPoll(TaskHeader* polled) {
    task = polled;
    worker_.stint_ = this;
    worker_.mark_.Begin(TaskInfo(*polled));
  }
  void EndPoll() {
    if (ABSL_PREDICT_TRUE(!lost)) worker_.mark_.End();
  }
  // A lost poll's task was bound before.
  void Bind(TaskHeader* bound) { owner_.Bind(bound); }
  bool Unbind(TaskHeader* bound) { return (pinned || !lost) && owner_.Unbind(bound); }
  void ReleaseLater(TaskHeader* bound) { owner_.ReleaseLater(bound); }
  // If the thread gives the worker away the outer task is let go first.
  [[nodiscard]] bool awaited_here() const { return outer != nullptr; }

 private:
  Worker& worker_;
  Owner& owner_;
};

// This and PollOne() go into RunOne(): that there is a simulation, too, must cost the other
// flavours nothing.
template <typename Owner>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline RunResult Worker::PollCounted(TaskHeader* task,
                                                                  std::uint32_t budget,
                                                                  Lent<Owner>& lent) {
  lent.turn = Turn{.budget = budget};
  polls_.Add();
  const RunResult result = ABSL_PREDICT_FALSE(hooked_)
                               ? RunHooked(scheduler_->options().hooks, task, &lent.turn, lent)
                               : RunTask(task, &lent.turn, lent);
  return CountPoll(task, result, lent);
}

template <typename Owner>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline RunResult Worker::CountPoll(TaskHeader* task, RunResult result,
                                                                Lent<Owner>& lent) {
  if (ABSL_PREDICT_FALSE(lent.lost)) return EndLostPoll(task, result, lent);
  if (result == RunResult::kComplete) completed_.Publish();
  if (lent.turn.budget_exhausted) budget_yields_.Add();
  return result;
}

// On a thread that has no worker any more: what is to be queued goes to the injector.
template <typename Owner>
ABSL_ATTRIBUTE_NOINLINE RunResult Worker::EndLostPoll(TaskHeader* task, RunResult result,
                                                      Lent<Owner>& lent) {
  if (result == RunResult::kComplete) scheduler_->CountEnd();
  if (lent.pinned || result != RunResult::kRescheduled) return result;
  scheduler_->Schedule(task);
  return RunResult::kIdle;
}

template <typename Owner>
RunResult Worker::PollTimed(TaskHeader* task, std::uint32_t budget, Lent<Owner>& lent) {
  const Instant start = poll_end_ ? *poll_end_ : scheduler_->Now();
  times_->latency.Record(QueueingTime(*task, start));
  const RunResult result = PollCounted(task, budget, lent);
  if (ABSL_PREDICT_FALSE(lent.lost)) return result;
  const Instant end = scheduler_->Now();
  if (result == RunResult::kRescheduled) task->queued_at = QueueStamp(end);
  poll_end_ = end;
  const std::int64_t took = end.nanoseconds() - start.nanoseconds();
  times_->poll.Record(took);
  times_->longest_poll.RaiseTo(static_cast<std::uint64_t>(std::max<std::int64_t>(took, 0)));
  return result;
}

template <typename Owner>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline RunResult Worker::PollOne(TaskHeader* task,
                                                              std::uint32_t budget,
                                                              Lent<Owner>& lent) {
  if (ABSL_PREDICT_FALSE(times_ != nullptr)) return PollTimed(task, budget, lent);
  return PollCounted(task, budget, lent);
}

void Worker::RunOne(TaskHeader* task) {
  const std::uint32_t budget = scheduler_->options().budget;
  Lent<Worker> lent(*this, *this);
  hands_over_ = plain_;
  RunResult result = PollOne(task, budget, lent);
  for (int polls = 1; lent.turn.awaits_next; ++polls) {
    // What it hands over to does not hand over in its turn.
    hands_over_ = false;
    // As if it had been woken into the slot and run from there, see PushWoken().
    last_from_lifo_ = task;
    // Null: a thief was quicker, and the task will register with the one that it waits for.
    if (TaskHeader* next = TakeLifo()) {
      Lent<Worker> inner(*this, *this, &lent);
      if (PollOne(next, budget, inner) == RunResult::kRescheduled) Push(next);
      // That one blocks, or has blocked, in place.
      if (ABSL_PREDICT_FALSE(lent.let_go)) return;
    }
    hands_over_ = polls < kMaxHandOvers;
    lent.turn = Turn{.budget = budget};
    result = hands_over_ ? PollAgain(task, lent) : YieldTask(task, lent);
  }
  if (ABSL_PREDICT_FALSE(lent.lost)) return;
  hands_over_ = false;
  if (result == RunResult::kRescheduled) Push(task);
}

RunResult Worker::PollAgain(TaskHeader* task, Lent<Worker>& lent) {
  polls_.Add();
  return CountPoll(task, ResumeTask(task, &lent.turn, lent), lent);
}

RunResult Worker::PollTask(TaskHeader* task, std::uint32_t budget) {
  // Who calls may have done anything since the last poll.
  poll_end_.reset();
  Lent<Worker> lent(*this, *this);
  return PollOne(task, budget, lent);
}

bool Worker::RunLocal() {
  // The thread's, whatever becomes of the worker.
  LocalTasks& local = *local_;
  if (ABSL_PREDICT_TRUE(!local.any())) return false;
  TaskHeader* const task = local.Take();
  if (task == nullptr) return false;
  if (searching_ || woken_) FoundWork();
  if (PollLocal(task, scheduler_->options().budget, local) == RunResult::kRescheduled) {
    local.Schedule(task);
  }
  return true;
}

RunResult Worker::PollLocal(TaskHeader* task, std::uint32_t budget, LocalTasks& local) {
  Lent<LocalTasks> lent(*this, local);
  const RunResult result = PollOne(task, budget, lent);
  if (result == RunResult::kComplete) local.Forget();
  return result;
}

std::optional<WorkerOffer> Worker::MakeOffer() {
  if (!mark_.polling()) return std::nullopt;
  Stint* const stint = stint_;
  mark_.End();
  // When the poll is over that will be too late: it is the list of whoever has the worker.
  if (!stint->pinned && stint->task->owner == kNoOwner) Bind(stint->task);
  // The task in the slot goes with the worker, and so is none to hand over to.
  stint->turn.next = nullptr;
  hands_over_ = false;
  // Who has handed over to this task need not wait for it here.
  if (Stint* const outer = std::exchange(stint->outer, nullptr)) {
    outer->let_go = true;
    if (YieldTask(outer->task, *this) == RunResult::kRescheduled) Push(outer->task);
  }
  poll_end_.reset();
  current_worker = nullptr;
  // relaxed (load): no offer stands, so nobody else writes it.
  const std::uint64_t number = offer_.load(std::memory_order_relaxed) + kOffered;
  // release: all of the worker. pairs with: TakeOffer().
  offer_.store(number, std::memory_order_release);
  return WorkerOffer{stint, number};
}

bool Worker::TakeOffer(std::uint64_t number) {
  // acquire: the worker, as it was when it was offered. pairs with: MakeOffer(). relaxed on
  // failure: somebody else has it.
  return offer_.compare_exchange_strong(number, number + kOffered, std::memory_order_acquire,
                                        std::memory_order_relaxed);
}

bool Worker::Withdraw(const WorkerOffer& offer) {
  if (!TakeOffer(offer.number)) {
    offer.stint->lost = true;
    return false;
  }
  current_worker = this;
  mark_.Begin(TaskInfo(*offer.stint->task));
  return true;
}

bool Worker::Accept(std::uint64_t number) {
  if (!TakeOffer(number)) return false;
  handovers_.Add();
  return true;
}

void Worker::Push(TaskHeader* task) {
  if (!WorkVisible()) {
    // The only ready task is run here as soon as this poll returns. It is the
    // next in any order, and the slot costs less than the deque.
    lifo_.Fill(task);
    // After the poll of a task that may hand over, there is none to be told.
    if (hands_over_ && mark_.polling()) stint_->turn.next = task;
    return;
  }
  deque_.Push(task);
  scheduler_->NotifyOneFromWorker();
}

void Worker::PushSpawned(TaskHeader* task) {
  spawned_.Add();
  Push(task);
}

void Worker::PushForked(TaskHeader* task) {
  spawned_.Add();
  // Not into the LIFO slot, where thieves look last.
  deque_.Push(task);
  scheduler_->NotifyOneFromWorker();
}

bool Worker::TakeBack(TaskHeader* task) {
  const bool taken = HasThieves() ? deque_.PopIf(task) : deque_.PopIfUnshared(task);
  if (taken) completed_.Add();
  return taken;
}

// Scheduler's two functions for forked children are here, where they are one with the
// worker's: a child that is forked and taken back passes through both.

void Scheduler::SubmitForked(TaskHeader* task) noexcept {
  Worker* worker = current_worker;
  // Hooks are to see whole tasks, and clocks to measure them: then it is one.
  if (worker == nullptr || worker->scheduler() != this || !worker->plain()) return Submit(task);
  worker->PushForked(task);
}

bool Scheduler::TakeBack(TaskHeader* task) noexcept {
  Worker* worker = current_worker;
  return worker != nullptr && worker->plain() && worker->TakeBack(task);
}

void Worker::PushEvent(TaskHeader* task) {
  events_queued_ = true;
  events_.Push(task);
  scheduler_->NotifyOneFromWorker();
}

void Worker::PushWoken(TaskHeader* task) {
  if (waking_events_ && WorkVisible()) return PushEvent(task);
  if (task == last_from_lifo_ && !QueuesEmpty()) {
    // See "Where a task goes" in scheduler.h. A mere comparison: the task that used the
    // slot last may be gone, and this one have its place.
    last_from_lifo_ = nullptr;
    // If there are only events: behind these.
    if (deque_.EmptyHint()) return PushEvent(task);
    deque_.Push(task);
    return scheduler_->NotifyOneFromWorker();
  }
  if (lifo_.empty()) {
    lifo_.Fill(task);
    if (!QueuesEmpty()) scheduler_->NotifyOneFromWorker();
    return;
  }
  TaskHeader* displaced = lifo_.Replace(task, HasThieves());
  if (displaced == nullptr) return;  // a thief was quicker
  deque_.Push(displaced);
  scheduler_->NotifyOneFromWorker();
}

TaskHeader* Worker::NextTask() {
  if (tick_ % scheduler_->options().global_queue_interval == 0) {
    if (TaskHeader* task = TakeInjected()) return task;
  }
  if (!lifo_.empty()) {
    TaskHeader* task = TakeLifo();
    if (task != nullptr) {
      if (lifo_streak_ < kMaxLifoStreak || QueuesEmpty()) {
        ++lifo_streak_;
        last_from_lifo_ = task;
        return task;
      }
      deque_.Push(task);
    }
  }
  lifo_streak_ = 0;
  if (TaskHeader* task = TakeOldest()) return task;
  return TakeInjected();
}

TaskHeader* Worker::TakeInjected() {
  Injector& injector = scheduler_->injector();
  if (injector.empty()) return nullptr;
  TaskHeader* first = nullptr;
  injector.PopBatch(kMaxInjectedBatch, scheduler_->workers(), [&](TaskHeader* task) {
    if (first == nullptr) {
      first = task;
    } else {
      deque_.Push(task);
    }
  });
  // A searcher that looked meanwhile has seen none of them.
  if (!deque_.EmptyHint()) scheduler_->NotifyOneFromWorker();
  return first;
}

TaskHeader* Worker::Search() {
  const std::size_t workers = scheduler_->workers();
  if (workers == 1) return nullptr;
  if (!searching_) {
    searching_ = scheduler_->idle().StartSearching();
    if (!searching_) return nullptr;
  }
  const std::size_t first = NextRandom() % workers;
  for (const bool and_lifo : {false, true}) {
    for (std::size_t i = 0; i < workers; ++i) {
      Worker& victim = scheduler_->worker((first + i) % workers);
      if (&victim == this) continue;
      if (TaskHeader* task = victim.StealFor(*this, and_lifo)) return task;
    }
  }
  return TakeInjected();
}

TaskHeader* Worker::StealFor(Worker& thief, bool and_lifo) {
  // Events first: there may be no end of the others.
  for (Deque Worker::* const queue : {&Worker::events_, &Worker::deque_}) {
    StealResult<TaskHeader*> stolen = (this->*queue).StealHalf(thief.*queue);
    while (stolen.retry()) stolen = (this->*queue).StealHalf(thief.*queue);
    if (stolen.ok()) {
      if (queue == &Worker::events_) thief.events_queued_ = true;
      thief.steals_.Add();
      thief.stolen_.Add(stolen.count());
      return stolen.value();
    }
  }
  TaskHeader* task = and_lifo ? lifo_.Steal() : nullptr;
  if (task != nullptr) {
    thief.steals_.Add();
    thief.stolen_.Add();
  }
  return task;
}

bool Worker::WorkVisible() const { return !lifo_.empty() || !QueuesEmpty(); }

void Worker::FoundWork() {
  if (std::exchange(searching_, false) && scheduler_->idle().StopSearching() &&
      scheduler_->WorkVisible()) {
    scheduler_->NotifyOne();
  }
  if (std::exchange(woken_, false)) scheduler_->KeepWatch();
}

void Worker::Maintain() {
  scheduler_->fork_check().DieInChild();
  poll_end_.reset();
  overflows_.RaiseTo(deque_.growths() + events_.growths());
  DrainReleases();
  TimerService& timers = scheduler_->timers();
  // All shards: the workers that they belong to may be asleep.
  timers_fired_.Add(timers.FireAllExpired(timers.Now(), wakes_));
  // Not the timers' clock, which a test may have stopped.
  const Instant now = Clock::Real()->Now();
  if (now >= next_reactor_poll_ && scheduler_->watch().TryTakeDriver()) {
    next_reactor_poll_ = now + kReactorInterval;
    reactor_polls_.Add();
    reactor_events_.Add(scheduler_->reactor().Poll(0, wakes_));
    scheduler_->ReleaseDriver();
  }
  WakeEvents();
}

void Worker::WakeEvents() {
  waking_events_ = true;
  wakes_.WakeAll();
  waking_events_ = false;
}

void Worker::Park() {
  scheduler_->fork_check().DieInChild();
  DrainReleases();
  if (ABSL_PREDICT_FALSE(releases_memory_) && TellOfFreedMemory()) return;
  parks_.Add();
  overflows_.RaiseTo(deque_.growths() + events_.growths());
  if (polls_.value() == polls_at_wake_) noop_wakes_.Add();
  busy_.Sleep(scheduler_->Now());
  scheduler_->idle().Sleep(index_, std::exchange(searching_, false));
  // From here on a notifier may choose this worker; it may be this very line.
  if (scheduler_->WorkVisible()) scheduler_->NotifyOne();
  scheduler_->ReportQuiet();
  // Woken by what was just released. (A wake from elsewhere comes with an Unpark().)
  if (local_->ready()) Unpark();

  const bool driver = sleep_.Sleep(index_, scheduler_->watch(), [this] { BlockAsDriver(); });
  searching_ = scheduler_->idle().WakeUp(index_);
  scheduler_->watchdog().OnWakeUp();
  busy_.WakeUp(scheduler_->Now());
  polls_at_wake_ = polls_.value();
  // Awake for all to see, so that it is another worker that is woken to keep the
  // watch.
  if (driver) scheduler_->ReleaseDriver();
  woken_ = !driver;
  // Only now, when this worker counts as awake: what is woken goes to its queues.
  WakeEvents();
}

bool Worker::TellOfFreedMemory() {
  MemoryRelease& release = scheduler_->memory_release();
  switch (release.Look(FrameBytesReturned(), [] { return Clock::Real()->Now(); })) {
    case MemoryRelease::Finding::kNothing:
      break;
    case MemoryRelease::Finding::kBegins:
      scheduler_->reactor().Wake();
      break;
    case MemoryRelease::Finding::kDue:
      for (std::size_t i = 0; i < scheduler_->workers(); ++i) {
        if (i != index_) scheduler_->worker(i).Unpark();
      }
  }
  if (release.round() == memory_rounds_) return false;
  memory_rounds_ = release.round();
  // It may take long: nobody shall trust this worker to search, or to keep the watch.
  FoundWork();
  ReleaseCachedFrames();
  scheduler_->options().hooks.memory_freed();
  return true;
}

void Worker::BlockAsDriver() {
  TimerService& timers = scheduler_->timers();
  const Instant until = timers.PrepareSleep();
  absl::Duration left = absl::InfiniteDuration();
  if (!until.is_infinite()) left = until - timers.Now();
  if (ABSL_PREDICT_FALSE(releases_memory_)) {
    const Instant look = scheduler_->memory_release().next_look();
    if (!look.is_infinite()) left = std::min(left, look - Clock::Real()->Now());
  }
  std::int64_t timeout = -1;
  if (left != absl::InfiniteDuration()) {
    timeout = std::max<std::int64_t>(0, absl::ToInt64Nanoseconds(left));
  }
  reactor_polls_.Add();
  scheduler_->SetBlockedDriver(index_);
  reactor_events_.Add(scheduler_->reactor().Poll(timeout, wakes_));
  scheduler_->SetBlockedDriver(Idle::kNobody);
  timers.FinishSleep();
  timers_fired_.Add(timers.FireAllExpired(wakes_));
}

void Worker::Unpark() {
  // relaxed: a figure.
  unparks_.fetch_add(1, std::memory_order_relaxed);
  sleep_.Unpark([this] { scheduler_->reactor().Wake(); });
}

void Worker::Bind(TaskHeader* task) {
  task->owner = static_cast<std::uint16_t>(index_);
  task->list_previous = nullptr;
  task->list_next = bound_;
  if (bound_ != nullptr) bound_->list_previous = task;
  bound_ = task;
}

void Worker::Unlink(TaskHeader* task) {
  (task->list_previous != nullptr ? task->list_previous->list_next : bound_) = task->list_next;
  if (task->list_next != nullptr) task->list_next->list_previous = task->list_previous;
}

bool Worker::Unbind(TaskHeader* task) {
  if (task->owner != index_) return false;
  Unlink(task);
  return true;
}

void Worker::ReleaseLater(TaskHeader* task) {
  scheduler_->worker(task->owner).releases_.Push(task);
}

void Worker::DrainReleases() {
  while (TaskHeader* task = releases_.Pop()) {
    Unlink(task);
    ReleaseTask(task);
  }
}

bool Worker::HasThieves() const { return scheduler_->workers() > 1; }

TaskHeader* Worker::TakeLifo() { return lifo_.Take(HasThieves()); }

TaskHeader* Worker::TakeOldest() {
  const auto take = [this](Deque& queue) {
    return (HasThieves() ? queue.PopFront() : queue.PopFrontUnshared()).value_or(nullptr);
  };
  if (ABSL_PREDICT_TRUE(!events_queued_)) return take(deque_);
  event_taken_ = !event_taken_;
  if (!event_taken_) {
    if (TaskHeader* task = take(deque_)) return task;
  }
  if (TaskHeader* task = take(events_)) return task;
  events_queued_ = false;
  return take(deque_);
}

TaskHeader* Worker::TakeQueued() {
  if (TaskHeader* task = TakeLifo()) return task;
  return TakeOldest();
}

// xorshift (Marsaglia 2003).
std::uint32_t Worker::NextRandom() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_;
}

WorkerMetrics Worker::Metrics() const {
  WorkerMetrics metrics;
  metrics.polls = polls_.value();
  metrics.completed = completed_.value();
  metrics.spawned = spawned_.value();
  metrics.steals = steals_.value();
  metrics.stolen = stolen_.value();
  metrics.overflows = overflows_.value();
  metrics.parks = parks_.value();
  // relaxed: a figure.
  metrics.unparks = unparks_.load(std::memory_order_relaxed);
  metrics.noop_wakes = noop_wakes_.value();
  metrics.budget_yields = budget_yields_.value();
  metrics.handovers = handovers_.value();
  metrics.reactor_polls = reactor_polls_.value();
  metrics.reactor_events = reactor_events_.value();
  metrics.timers_fired = timers_fired_.value();
  metrics.queue_depth = deque_.SizeHint() + events_.SizeHint() + (lifo_.empty() ? 0 : 1);
  metrics.busy = busy_.Until(scheduler_->Now());
  if (times_ != nullptr) {
    metrics.longest_poll =
        absl::Nanoseconds(static_cast<std::int64_t>(times_->longest_poll.value()));
  }
  return metrics;
}

}  // namespace home::scheduler_internal
