// Watchdog: notices a worker that has sat in one poll for too long.
//
// Such a poll keeps from running what only its worker would run: a task in its LIFO slot,
// and in its deque if nobody who searches was awake when it came there. All else goes on:
// the injector is everybody's, and so are timers and the reactor, over which watch.h keeps.
// So the watchdog does two things.
//
//   take over   Where it finds the same poll as at its last look, and something in the
//               worker's queue, it has a sleeping worker woken, which steals that.
//   name        A poll that has taken longer than the threshold is counted, and reported
//               with its task: then, and again whenever the time has doubled. So are, in debug
//               builds, locks that are held across an await for long (lock_watch.h).
//
// It is a thread that looks at all workers (poll_mark.h) four times in the length of the
// threshold. When it has found all asleep kQuietLooks times it lies down, and the next worker
// that wakes up wakes it (dormancy.h). So an idle runtime pays nothing for it, and a busy one
// a glance now and then. (In debug builds it stays up while a lock is held that it may report.)
//
// How long a poll has taken is counted by looks, each for two naps at the most: a process
// that was stopped as a whole blames nobody. So what is reported is never more than the truth.
//
// If every worker is in a poll that is longer than the threshold nobody is there to take
// anything over: then it has another thread stand in for them (stand_in.h), which it watches
// like a worker.
//
// Thread-safety: OnWakeUp, Stop and AddTo by any thread; Run by one.

#ifndef HOME_SCHEDULER_WATCHDOG_H_
#define HOME_SCHEDULER_WATCHDOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "home/scheduler/dormancy.h"
#include "home/scheduler/metrics.h"
#include "home/scheduler/poll_mark.h"
#include "home/task/chaos.h"

namespace home {

// Told of a poll that takes long, see RuntimeBuilder::OnLongPoll.
using LongPollHandler = std::function<void(const LongPoll& poll)>;

// Writes it to standard error.
void LogLongPoll(const LongPoll& poll);

namespace scheduler_internal {

class Scheduler;

// How long one worker's poll has taken, by the looks at it.
class PollTimer {
 public:
  enum class Finding {
    kOther,   // no poll, or not the one of the last look
    kSame,    // the same one
    kReport,  // and it is longer than the threshold, or twice what was reported last
  };

  explicit PollTimer(absl::Duration threshold) : threshold_(threshold) {}

  // `passed`: since the last look.
  [[nodiscard]] Finding Look(const std::optional<PollMark::View>& poll, absl::Duration passed);

  // How long the poll has taken at least, and whether that was reported.
  [[nodiscard]] absl::Duration duration() const { return duration_; }
  [[nodiscard]] bool reported() const { return report_at_ > threshold_; }

 private:
  const absl::Duration threshold_;
  // Of the poll; 0 if there is none.
  std::uint64_t number_ = 0;
  absl::Duration duration_;
  absl::Duration report_at_;
};

class Watchdog {
 public:
  // `threshold` is positive, or infinite for one that is never run. `watched`: the workers, and
  // who stands in for them.
  Watchdog(absl::Duration threshold, LongPollHandler handler, std::size_t watched);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The thread's work, until Stop().
  void Run(Scheduler& scheduler);
  void Stop();
  // By each worker when it has woken up, after it was counted as awake.
  void OnWakeUp() { dormancy_.OnWakeUp(); }
  // The figures that it keeps.
  void AddTo(RuntimeMetrics& metrics) const;

 private:
  struct Record {
    explicit Record(absl::Duration threshold) : timer(threshold) {}

    PollTimer timer;
    // Both under the mutex.
    std::uint64_t long_polls = 0;
    std::optional<LongPoll> latest;
  };

  // Whether anybody has done anything since the last look, or is in a poll.
  [[nodiscard]] bool LookAtAll(Scheduler& scheduler, absl::Duration passed);
  // Whether that one is in the same poll as at the last look.
  [[nodiscard]] bool LookAt(Scheduler& scheduler, std::size_t index, absl::Duration passed);

  static constexpr int kQuietLooks = 8;

  const absl::Duration nap_;
  const LongPollHandler handler_;
  std::vector<Record> records_;
  mutable std::mutex mutex_;
  std::uint64_t polls_ = 0;
  internal::Atomic<bool> stopped_{false};
  Dormancy dormancy_;
};

}  // namespace scheduler_internal
}  // namespace home

#endif  // HOME_SCHEDULER_WATCHDOG_H_
