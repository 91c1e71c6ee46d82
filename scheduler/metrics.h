// RuntimeMetrics: what a runtime has done so far, as of one snapshot.
//
//   RuntimeMetrics metrics = RuntimeMetrics::Snapshot();   // inside a runtime
//   RuntimeMetrics metrics = runtime.Metrics();            // or of a Runtime or Handle
//   std::string page = PrometheusText(metrics);            // prometheus.h
//
// Every worker counts for itself, on cache lines of its own, with relaxed loads and
// stores; a snapshot adds them up. The figures of one snapshot are each exact for some
// moment during the call, but not all for the same one.

#ifndef HOME_SCHEDULER_METRICS_H_
#define HOME_SCHEDULER_METRICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "home/future/lock_watch.h"
#include "home/scheduler/blocking_class.h"
#include "home/scheduler/histogram.h"
#include "home/task/task_info.h"

namespace home {

// One worker's figures since the start of the runtime, or the sum of all workers'.
struct WorkerMetrics {
  std::uint64_t polls = 0;           // polls of tasks
  std::uint64_t completed = 0;       // tasks that ended on this worker
  std::uint64_t spawned = 0;         // tasks spawned on this worker
  std::uint64_t steals = 0;          // successful raids on other workers' queues
  std::uint64_t stolen = 0;          // tasks taken in these
  std::uint64_t overflows = 0;       // times that its queue was full and grew, as of its
                                     // last look at the timers
  std::uint64_t parks = 0;           // times that it went to sleep
  std::uint64_t unparks = 0;         // times that another thread woke it, asleep or not
  std::uint64_t noop_wakes = 0;      // sleeps after which it slept again without a poll
  std::uint64_t budget_yields = 0;   // polls that ran into the cooperative budget
  std::uint64_t reactor_polls = 0;   // looks at the reactor, blocking or not
  std::uint64_t reactor_events = 0;  // readiness events that these found
  std::uint64_t timers_fired = 0;    // timers whose time had come
  std::uint64_t handovers = 0;       // times that another thread took the worker over, see
                                     // BlockInPlace
  std::uint64_t long_polls = 0;      // polls longer than RuntimeBuilder::LongPollThreshold
  std::size_t queue_depth = 0;       // tasks in its queues and LIFO slot now
  absl::Duration busy;               // time that it was not asleep, up to now
  // The longest poll. Known only with RuntimeBuilder::TimeHistograms, else zero.
  // The sum of all workers' has the longest of all.
  absl::Duration longest_poll;

  WorkerMetrics& operator+=(const WorkerMetrics& other);
};

// A poll that takes longer than RuntimeBuilder::LongPollThreshold, or took.
struct LongPoll {
  // Or the number of workers: the poll of who stood in for them.
  std::size_t worker = 0;
  TaskInfo task;
  absl::Duration duration;  // at least
  bool running = false;     // it goes on
};

// The blocking closures of one BlockingClass.
struct BlockingClassMetrics {
  std::size_t running = 0;  // now
  std::size_t queued = 0;   // now, waiting for the limit
  std::size_t limit = 0;    // of those that run at once
};

struct RuntimeMetrics {
  // The figures of the runtime that this thread works for; dies with a message
  // outside of one.
  [[nodiscard]] static RuntimeMetrics Snapshot();

  std::vector<WorkerMetrics> workers;
  WorkerMetrics total;                // of all workers, and of who stood in for them
  std::uint64_t tasks_spawned = 0;    // on workers and from outside
  std::uint64_t tasks_completed = 0;  // or cancelled
  std::uint64_t tasks_alive = 0;      // spawned and not yet complete
  std::uint64_t injected = 0;         // tasks that came through the global queue
  std::size_t injector_depth = 0;     // tasks in the global queue now
  // Times that all workers were in polls longer than RuntimeBuilder::LongPollThreshold and
  // another thread stood in for them.
  std::uint64_t stand_ins = 0;
  // Threads of the blocking pool now, with those that block in place.
  std::size_t blocking_threads = 0;
  // Of these, threads that were workers until they blocked in place, and are not done with
  // that task yet; and one that stands in for workers.
  std::size_t blocking_in_place = 0;
  std::size_t blocking_idle = 0;    // of these, without work
  std::size_t blocking_queued = 0;  // closures that wait for a thread
  // By BlockingClass, as an index.
  std::array<BlockingClassMetrics, kBlockingClasses> blocking_classes;
  // The latest of each worker that had any, and of who stood in for them.
  std::vector<LongPoll> long_polls;
  // Who holds the primitives of home/sync, and who waits for them, in the whole process. In debug
  // builds.
  std::vector<LockUse> lock_uses;
  // Only with RuntimeBuilder::TimeHistograms, over all workers: how long polls took,
  // and how long tasks waited from their wake-up (or spawn) to their poll, in steps of
  // 64 ns; a wait of more than 274 s counts as the rest after division by that.
  std::optional<Histogram> poll_time;
  std::optional<Histogram> schedule_latency;
};

}  // namespace home

#endif  // HOME_SCHEDULER_METRICS_H_
