#include "home/scheduler/watchdog.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "home/future/lock_watch.h"
#include "home/scheduler/scheduler.h"
#include "home/scheduler/stand_in.h"
#include "home/scheduler/worker.h"
#include "home/timer/clock.h"
#include "home/timer/instant.h"

namespace home {

void LogLongPoll(const LongPoll& poll) {
  std::fprintf(stderr,
               "home: worker %zu has been in one poll of task %llu%s%s, spawned at %s:%u, for "
               "%.3f s or more: other tasks may wait for it (see SpawnBlocking, BlockInPlace)\n",
               poll.worker, static_cast<unsigned long long>(poll.task.id.value()),
               poll.task.name != nullptr ? " " : "",
               poll.task.name != nullptr ? poll.task.name : "", poll.task.location.file_name(),
               static_cast<unsigned>(poll.task.location.line()),
               absl::ToDoubleSeconds(poll.duration));
}

namespace scheduler_internal {

PollTimer::Finding PollTimer::Look(const std::optional<PollMark::View>& poll,
                                   absl::Duration passed) {
  const std::uint64_t number = poll ? poll->number : 0;
  if (number == 0 || number != number_) {
    number_ = number;
    duration_ = absl::ZeroDuration();
    report_at_ = threshold_;
    return Finding::kOther;
  }
  duration_ += passed;
  if (duration_ < report_at_) return Finding::kSame;
  while (report_at_ <= duration_) report_at_ *= 2;
  return Finding::kReport;
}

Watchdog::Watchdog(absl::Duration threshold, LongPollHandler handler, std::size_t watched)
    : nap_(threshold / 4), handler_(std::move(handler)), records_(watched, Record(threshold)) {}

void Watchdog::Run(Scheduler& scheduler) {
  // Not the timers' clock, which a test may have stopped.
  const Clock* const clock = Clock::Real();
  Instant last = clock->Now();
  int quiet = 0;
  // acquire: for nothing but tidiness; who stops it waits for its thread.
  while (!stopped_.load(std::memory_order_acquire)) {
    if (quiet < kQuietLooks) {
      dormancy_.Nap(nap_);
    } else {
      dormancy_.SleepWhileAllSleep(scheduler.idle(), internal::ReportHoldsThatLast);
      quiet = 0;
    }
    const Instant now = clock->Now();
    const absl::Duration passed = std::min(now - std::exchange(last, now), 2 * nap_);
    quiet = LookAtAll(scheduler, passed) ? 0 : quiet + 1;
  }
}

void Watchdog::Stop() {
  stopped_.store(true, std::memory_order_release);  // release: pairs with Run()
  dormancy_.Unpark();
}

bool Watchdog::LookAtAll(Scheduler& scheduler, absl::Duration passed) {
  std::uint64_t polls = 0;
  bool anybody_polls = false;
  std::size_t stuck_workers = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (LookAt(scheduler, i, passed)) anybody_polls = true;
    if (i < scheduler.workers() && records_[i].timer.reported()) ++stuck_workers;
    polls += scheduler.worker(i).polls();
  }
  if (StandIn* const stand_in = scheduler.stand_in()) {
    stand_in->AfterLook(/*all_stuck=*/stuck_workers == scheduler.workers());
  }
  const bool anybody_holds = internal::ReportHoldsThatLast();
  return polls != std::exchange(polls_, polls) || anybody_polls || anybody_holds ||
         scheduler.idle().awake() != 0;
}

bool Watchdog::LookAt(Scheduler& scheduler, std::size_t index, absl::Duration passed) {
  Worker& worker = scheduler.worker(index);
  Record& record = records_[index];
  const bool was_reported = record.timer.reported();
  const std::optional<PollMark::View> poll = worker.mark().Current();
  const PollTimer::Finding finding = record.timer.Look(poll, passed);
  if (finding == PollTimer::Finding::kOther) {
    if (was_reported) {
      const std::lock_guard lock(mutex_);
      record.latest->running = false;
    }
    return false;
  }
  // Its own thread does not run that soon.
  if (worker.WorkVisible()) scheduler.NotifyOne();
  if (!record.timer.reported()) return true;
  const LongPoll long_poll{index, poll->task, record.timer.duration(), /*running=*/true};
  {
    const std::lock_guard lock(mutex_);
    record.latest = long_poll;
    if (!was_reported) ++record.long_polls;
  }
  if (finding == PollTimer::Finding::kReport) handler_(long_poll);
  return true;
}

void Watchdog::AddTo(RuntimeMetrics& metrics) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (i < metrics.workers.size()) metrics.workers[i].long_polls = records_[i].long_polls;
    metrics.total.long_polls += records_[i].long_polls;
    if (records_[i].latest) metrics.long_polls.push_back(*records_[i].latest);
  }
}

}  // namespace scheduler_internal
}  // namespace home
